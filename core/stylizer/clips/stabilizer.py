"""Temporal coherence: the painting moves with what is seen, and only what is new is painted.

As in Hertzmann & Perlin, "Painterly Rendering for Video and Interaction", NPAR 2000: where a thing of the frame before
is still there, its paint is moved along; the rest is painted. Whether it is still there is decided by comparing the
frame with the one that was painted, moved likewise, so errors of the motion show and cannot add up.

Moving paint from frame to frame would blur it a little each time. Paint is therefore moved from an anchor, which is
renewed every `ANCHOR_INTERVAL` frames, so it is resampled once in so many frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.clips.segments import ANCHOR_INTERVAL
from stylizer.synthesis.motion import (
    Motion,
    compose,
    difference,
    estimate_motion,
    inside,
    scale_displacement,
    warp,
)
from stylizer.synthesis.pyramid import gaussian_blur, resize, size_within
from stylizer.synthesis.temporal import MatchGrids, TemporalHints
from stylizer.tensors import as_bytes, as_floats

MOTION_SIDE = 320  # long side in pixels at which motion is estimated
SAME_UP_TO, OTHER_FROM = 0.03, 0.07  # difference of a frame from the painted one: same thing, another thing
MARGIN = 2  # pixels at the motion's size by which what is painted is widened
MIN_SHARE = 0.0005  # share of the frame below which nothing is painted
TONE_SIDE, TONE_SIGMA = 96, 3.0  # long side and standard deviation, pixels, at which the tone is compared
TONE_FADE = 0.02  # share of kept paint around a pixel below which its tone is less and less adapted
CUT_SHARE = 0.6  # share of the frame that is new from which a new scene begins

PaintFn = Callable[[TemporalHints], Tensor]
"""Paint the current frame: uint8 (1, 3, H, W)."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A painting, and the frames it belongs to, reduced to the size of the motion; all uint8, (1, 3, h, w).

    Attributes:
        painting: At the output size.
        painted: What was seen when each pixel was painted.
        seen: What was seen when the layer was made.
    """

    painting: Tensor
    painted: Tensor
    seen: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class SceneState:
    """All that the next frame depends on, between two anchor intervals.

    Attributes:
        layer: The painting before.
        matches: See `TemporalHints`.
        tables: See `TemporalHints`.
        since_matches: Displacement from the frame before to the one that `matches` belong to, float16 (1, 2, h, w).
    """

    layer: Layer
    matches: MatchGrids
    tables: dict[str, Tensor]
    since_matches: Tensor


class Stabilizer:
    """Paints the frames of a clip one after the other.

    Args:
        state: State after the frame before; None at the start.
        number: Number of the first frame, a multiple of `ANCHOR_INTERVAL`.
    """

    def __init__(self, state: SceneState | None = None, number: int = 0) -> None:
        self._number = number
        self._state = state
        self._anchor = None if state is None else state.layer
        self._from_anchor: Tensor | None = None

    @property
    def state(self) -> SceneState | None:
        """State after the last frame; complete only at the end of an anchor interval."""
        return self._state

    def paint(self, frame: Tensor, paint: PaintFn) -> tuple[Tensor, bool]:
        """Return the painting of the next frame, uint8 (1, 3, H, W), and whether any of it was painted.

        Args:
            frame: sRGB, uint8 (1, 3, H, W).
            paint: Paints the frame as a whole.
        """
        seen = _seen(frame)
        state = self._state
        is_painted = True
        if state is None or self._anchor is None:
            self._start_scene(seen, paint)
        else:
            is_painted = self._continue_scene(state, self._anchor, seen, paint)
        self._number += 1
        assert self._state is not None
        if self._number % ANCHOR_INTERVAL == 0:
            self._anchor, self._from_anchor = self._state.layer, None
        return self._state.layer.painting, is_painted

    def _start_scene(self, seen: Tensor, paint: PaintFn) -> None:
        hints = TemporalHints()
        layer = Layer(paint(hints), seen, seen)
        self._anchor, self._from_anchor = layer, None
        nowhere = torch.zeros_like(seen[:, :2], dtype=torch.float16)
        self._state = SceneState(layer, hints.new_matches, hints.new_tables, nowhere)

    def _continue_scene(self, state: SceneState, anchor: Layer, seen: Tensor, paint: PaintFn) -> bool:
        now = as_floats(seen)
        step = estimate_motion(as_floats(state.layer.seen), now)
        if self._from_anchor is None:
            whole = step
        else:
            whole = estimate_motion(as_floats(anchor.seen), now, compose(step.displacement, self._from_anchor))
        moved = [_Moved.along(layer, motion, now) for layer, motion in ((anchor, whole), (state.layer, step))]
        validity = torch.maximum(moved[0].validity, moved[1].validity)
        if float((validity < 0.5).float().mean()) > CUT_SHARE:
            self._start_scene(seen, paint)
            return True
        self._from_anchor = whole.displacement
        painting, painted = _lay_over(moved)
        since = compose(step.displacement, state.since_matches.float())
        matches, tables = state.matches, state.tables
        is_painted = float((1 - validity).mean()) > MIN_SHARE
        if is_painted:
            size = (painting.shape[2], painting.shape[3])
            share = functional.interpolate(validity, size, mode="bilinear", align_corners=False)
            hints = TemporalHints(painting, share, since, matches, tables)
            fresh = _with_tone_of(painting, as_floats(paint(hints)), share)
            painting = torch.lerp(fresh, painting, share)
            painted = torch.lerp(now, painted, validity)
            if hints.new_matches:
                matches, since = hints.new_matches, torch.zeros_like(since)
            tables = hints.new_tables
        # A scene that does not move keeps the frame that motion is measured from, so slow drifts add up and are seen.
        still = step.is_still and not is_painted
        layer = Layer(as_bytes(painting), as_bytes(painted), state.layer.seen if still else seen)
        if step.is_still and whole.is_still and not is_painted:
            layer = state.layer
        self._state = SceneState(layer, matches, tables, since.half())
        return is_painted


def blend_into(goal: SceneState, frames: Sequence[Tensor], paintings: Sequence[Tensor]) -> list[Tensor]:
    """Blend paintings into the one of the frame that follows, the last painting the most.

    Args:
        goal: State after the frame that follows.
        frames: The frames, uint8 (1, 3, H, W).
        paintings: Their paintings, likewise.

    Returns:
        The blended paintings: where a thing is in the goal too, the goal's paint of it, moved back, fades in.
    """
    blended: list[Tensor] = []
    after, motion = as_floats(goal.layer.seen), None
    for number in reversed(range(len(frames))):
        now = as_floats(_seen(frames[number]))
        step = estimate_motion(after, now)
        if motion is not None:
            start = compose(step.displacement, motion.displacement)
            step = estimate_motion(as_floats(goal.layer.seen), now, start)
        after, motion = now, step
        moved = _Moved.along(goal.layer, motion, now)
        painting = paintings[number]
        size = (painting.shape[2], painting.shape[3])
        share = functional.interpolate(moved.validity, size, mode="bilinear", align_corners=False)
        share *= (number + 1) / (len(frames) + 1)
        blended.append(as_bytes(torch.lerp(as_floats(painting), moved.painting, share)))
    return blended[::-1]


def _seen(frame: Tensor) -> Tensor:
    """Reduce a frame to the size at which motion is estimated."""
    return as_bytes(resize(as_floats(frame)[0], size_within((frame.shape[2], frame.shape[3]), MOTION_SIDE))[None])


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    """A layer moved to the current frame, and where it shows what is there, (1, 1, h, w) in [0, 1]."""

    painting: Tensor
    painted: Tensor
    validity: Tensor

    @classmethod
    def along(cls, layer: Layer, motion: Motion, now: Tensor) -> _Moved:
        painted = as_floats(layer.painted)
        if not motion.is_still:
            painted = warp(painted, motion.displacement)
        wrong = (difference(painted, now) - SAME_UP_TO) / (OTHER_FROM - SAME_UP_TO)
        wrong = torch.maximum(wrong.clamp(0, 1), 1 - inside(motion.displacement))
        wrong = functional.max_pool2d(wrong, 2 * MARGIN + 1, 1, MARGIN)
        validity = 1 - gaussian_blur(wrong[0], MARGIN / 2)[None].clamp(0, 1) if wrong.any() else torch.ones_like(wrong)
        painting = as_floats(layer.painting)
        if not motion.is_still:
            size = (painting.shape[2], painting.shape[3])
            painting = warp(painting, scale_displacement(motion.displacement, size), "bicubic")
        return cls(painting, painted, validity)


def _with_tone_of(moved: Tensor, fresh: Tensor, share: Tensor) -> Tensor:
    """Return a fresh painting in the tone that the paint around it has, so that new parts show no seams.

    The same thing may be painted in another color than many frames ago. As in Perez et al., "Poisson Image Editing",
    SIGGRAPH 2003, the difference at the border is continued inwards; here by normalized convolution.

    Args:
        moved: The paint that is kept, (1, 3, H, W) in [0, 1].
        fresh: The painting of the whole frame, likewise.
        share: Where the paint is kept, (1, 1, H, W) in [0, 1].
    """
    size = (fresh.shape[2], fresh.shape[3])
    small = size_within(size, TONE_SIDE)
    kept = functional.interpolate(share, small, mode="area")
    change = functional.interpolate((moved - fresh) * share, small, mode="area")
    weight = gaussian_blur(kept[0], TONE_SIGMA)[None]
    change = gaussian_blur(change[0], TONE_SIGMA)[None] / (weight + TONE_FADE)
    return (fresh + functional.interpolate(change, size, mode="bilinear", align_corners=False)).clamp_(0, 1)


def _lay_over(moved: list[_Moved]) -> tuple[Tensor, Tensor]:
    """Lay the first layer over the second where it is valid: the painting, and what it was painted from."""
    first, second = moved
    size = (first.painting.shape[2], first.painting.shape[3])
    # Where neither is valid, the mixture is painted over.
    share = functional.interpolate(first.validity, size, mode="bilinear", align_corners=False)
    return torch.lerp(second.painting, first.painting, share), torch.lerp(second.painted, first.painted, first.validity)
