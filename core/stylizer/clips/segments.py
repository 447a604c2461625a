"""Division of a clip into segments, after which painting can resume, and into chunks, painted in parallel."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from stylizer.clips.info import ClipInfo

ANCHOR_INTERVAL = 8  # frames; segments start at its multiples
SEGMENT_FRAMES = 16
BLEND_FRAMES = 8  # frames at the end of a chunk that are blended into the next one; less than a segment


class Segment(NamedTuple):
    """The frames [start, stop)."""

    start: int
    stop: int


def plan_segments(info: ClipInfo, *, frames: int = SEGMENT_FRAMES) -> list[Segment]:
    """Divide a clip into segments.

    Args:
        info: The clip.
        frames: Length of a segment, a multiple of `ANCHOR_INTERVAL`. The painting does not depend on it.
    """
    if frames < 1 or frames % ANCHOR_INTERVAL:
        raise ValueError(f"frames is {frames}; it must be a multiple of {ANCHOR_INTERVAL}")
    return [Segment(start, min(start + frames, info.frames)) for start in range(0, info.frames, frames)]


def plan_chunks(info: ClipInfo, frames: int) -> list[Segment]:
    """Divide a clip evenly into chunks.

    Args:
        info: The clip.
        frames: Maximum length of a chunk, at least `SEGMENT_FRAMES`; may be exceeded by `ANCHOR_INTERVAL`.
    """
    if frames < SEGMENT_FRAMES:
        raise ValueError(f"frames is {frames}; it must be at least {SEGMENT_FRAMES}")
    count = -(-info.frames // frames)
    boundaries = [round(info.frames * number / count / ANCHOR_INTERVAL) * ANCHOR_INTERVAL for number in range(count)]
    return [Segment(*boundaries) for boundaries in pairwise((*boundaries, info.frames))]


def plan_chunk(chunk: Segment) -> list[Segment]:
    """Divide the frames of a chunk after the first one, its key frame, into segments."""
    starts = [chunk.start + 1, *range(chunk.start + SEGMENT_FRAMES, chunk.stop, SEGMENT_FRAMES)]
    return [Segment(*boundaries) for boundaries in pairwise((*starts, chunk.stop)) if boundaries[0] < boundaries[1]]
