"""Segments: the parts of a clip that are painted, stored and resumed as a whole."""

from __future__ import annotations

from typing import NamedTuple

from stylizer.clips.info import ClipInfo

ANCHOR_INTERVAL = 8  # frames; segments start at its multiples
SEGMENT_FRAMES = 16


class Segment(NamedTuple):
    """The frames from `start` to before `stop`."""

    start: int
    stop: int


def plan_segments(info: ClipInfo, *, frames: int = SEGMENT_FRAMES) -> list[Segment]:
    """Divide a clip into segments.

    Args:
        info: The clip.
        frames: Frames of a segment, a multiple of `ANCHOR_INTERVAL`. The painting does not depend on it.
    """
    if frames < 1 or frames % ANCHOR_INTERVAL:
        raise ValueError(f"frames is {frames}; it must be a multiple of {ANCHOR_INTERVAL}")
    return [Segment(start, min(start + frames, info.frames)) for start in range(0, info.frames, frames)]
