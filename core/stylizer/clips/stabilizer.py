"""Temporal coherence: paint is warped along the motion of the clip, and only disocclusions and changes are painted.

As in Hertzmann & Perlin, "Painterly Rendering for Video and Interaction", NPAR 2000: where the previous frame, warped,
still matches the current one, its paint is kept; the rest is repainted. The comparison is with the frame from which
the paint was made, warped likewise, so errors of the motion are detected and do not accumulate.

Resampling paint in each frame would blur it progressively. It is therefore warped from an anchor, which is replaced
every `ANCHOR_INTERVAL` frames, and so resampled only once per interval.
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
from stylizer.tensors import as_bytes, as_floats, linear_ramp

MOTION_SIDE = 320  # long side in pixels at which motion is estimated
VALID_BELOW, INVALID_ABOVE = 0.03, 0.07  # difference between a frame and the warped source of its paint
MARGIN = 2  # dilation of the area to paint, pixels at the size of the motion
MIN_NEW_SHARE = 0.0005  # share of the frame to paint below which all paint is kept
TONE_SIDE, TONE_SIGMA = 96, 3.0  # long side and blur (standard deviation) in pixels for matching the tone
TONE_FADE = 0.02  # share of kept paint around a pixel below which matching its tone fades out
CUT_SHARE = 0.6  # share of the frame to paint above which a new scene begins

PaintFn = Callable[[TemporalHints], Tensor]
"""Paint the current frame: uint8 (1, 3, H, W)."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A painting and the frames it belongs to, at the size of the motion; all uint8, (1, 3, h, w).

    Attributes:
        painting: At the output size.
        source: Frame from which each pixel was painted, warped along with the paint.
        frame: Frame that the painting shows.
    """

    painting: Tensor
    source: Tensor
    frame: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class SceneState:
    """State from which the next frame is painted, between two anchor intervals.

    Attributes:
        layer: The previous painting.
        matches: See `TemporalHints`.
        tables: See `TemporalHints`.
        since_matches: Displacement from the previous frame to the one that `matches` belong to, float16 (1, 2, h, w).
    """

    layer: Layer
    matches: MatchGrids
    tables: dict[str, Tensor]
    since_matches: Tensor


class Stabilizer:
    """Painter of consecutive frames with temporal coherence.

    Args:
        state: State after the previous frame; None at the start.
        number: Number of the first frame, a multiple of `ANCHOR_INTERVAL`.
    """

    def __init__(self, state: SceneState | None = None, number: int = 0) -> None:
        self._number = number
        self._state = state
        self._anchor = None if state is None else state.layer
        self._from_anchor: Tensor | None = None

    @property
    def state(self) -> SceneState | None:
        """State after the last painted frame; complete only at the end of an anchor interval."""
        return self._state

    def paint(self, frame: Tensor, paint: PaintFn) -> tuple[Tensor, bool]:
        """Return the painting of the next frame, uint8 (1, 3, H, W), and whether any of it was repainted.

        Args:
            frame: sRGB, uint8 (1, 3, H, W).
            paint: Paints the frame as a whole.
        """
        small = _downsample(frame)
        state = self._state
        is_painted = True
        if state is None or self._anchor is None:
            self._start_scene(small, paint)
        else:
            is_painted = self._continue_scene(state, self._anchor, small, paint)
        self._number += 1
        assert self._state is not None
        if self._number % ANCHOR_INTERVAL == 0:
            self._anchor, self._from_anchor = self._state.layer, None
        return self._state.layer.painting, is_painted

    def _start_scene(self, frame: Tensor, paint: PaintFn) -> None:
        hints = TemporalHints()
        layer = Layer(paint(hints), frame, frame)
        self._anchor, self._from_anchor = layer, None
        no_motion = torch.zeros_like(frame[:, :2], dtype=torch.float16)
        self._state = SceneState(layer, hints.new_matches, hints.new_tables, no_motion)

    def _continue_scene(self, state: SceneState, anchor: Layer, frame: Tensor, paint: PaintFn) -> bool:
        current = as_floats(frame)
        step = estimate_motion(as_floats(state.layer.frame), current)
        if self._from_anchor is None:
            from_anchor = step
        else:
            start = compose(step.displacement, self._from_anchor)
            from_anchor = estimate_motion(as_floats(anchor.frame), current, start)
        warped = [
            _WarpedLayer.of(layer, motion, current) for layer, motion in ((anchor, from_anchor), (state.layer, step))
        ]
        validity = torch.maximum(warped[0].validity, warped[1].validity)
        if float((validity < 0.5).float().mean()) > CUT_SHARE:
            self._start_scene(frame, paint)
            return True
        self._from_anchor = from_anchor.displacement
        painting, source = _composite(*warped)
        since = compose(step.displacement, state.since_matches.float())
        matches, tables = state.matches, state.tables
        is_painted = float((1 - validity).mean()) > MIN_NEW_SHARE
        if is_painted:
            size = (painting.shape[2], painting.shape[3])
            kept = functional.interpolate(validity, size, mode="bilinear", align_corners=False)
            hints = TemporalHints(painting, kept, since, matches, tables)
            fresh = _match_tone(as_floats(paint(hints)), painting, kept)
            painting = torch.lerp(fresh, painting, kept)
            source = torch.lerp(current, source, validity)
            if hints.new_matches:
                matches, since = hints.new_matches, torch.zeros_like(since)
            tables = hints.new_tables
        # A static scene keeps the frame from which motion is estimated, so slow drifts add up until they are detected.
        is_static = step.is_still and not is_painted
        layer = Layer(as_bytes(painting), as_bytes(source), state.layer.frame if is_static else frame)
        if is_static and from_anchor.is_still:
            layer = state.layer
        self._state = SceneState(layer, matches, tables, since.half())
        return is_painted


def blend_into(keyframe: SceneState, frames: Sequence[Tensor], paintings: Sequence[Tensor]) -> list[Tensor]:
    """Cross-fade paintings into that of the following key frame.

    Args:
        keyframe: State after the key frame.
        frames: The frames before it, uint8 (1, 3, H, W).
        paintings: Their paintings, likewise.

    Returns:
        The blended paintings: the paint of the key frame, warped back, fades in where it is valid.
    """
    blended: list[Tensor] = []
    after, motion = as_floats(keyframe.layer.frame), None
    for number in reversed(range(len(frames))):
        current = as_floats(_downsample(frames[number]))
        step = estimate_motion(after, current)
        if motion is not None:
            start = compose(step.displacement, motion.displacement)
            step = estimate_motion(as_floats(keyframe.layer.frame), current, start)
        after, motion = current, step
        warped = _WarpedLayer.of(keyframe.layer, motion, current)
        painting = paintings[number]
        size = (painting.shape[2], painting.shape[3])
        share = functional.interpolate(warped.validity, size, mode="bilinear", align_corners=False)
        share *= (number + 1) / (len(frames) + 1)
        blended.append(as_bytes(torch.lerp(as_floats(painting), warped.painting, share)))
    return blended[::-1]


def _downsample(frame: Tensor) -> Tensor:
    """Downsample a frame to the size at which motion is estimated."""
    return as_bytes(resize(as_floats(frame)[0], size_within((frame.shape[2], frame.shape[3]), MOTION_SIDE))[None])


@dataclass(frozen=True, slots=True, eq=False)
class _WarpedLayer:
    """A layer warped to the current frame, and where it is valid there, (1, 1, h, w) in [0, 1]."""

    painting: Tensor
    source: Tensor
    validity: Tensor

    @classmethod
    def of(cls, layer: Layer, motion: Motion, current: Tensor) -> _WarpedLayer:
        """Warp a layer by the motion from its frame to the current one."""
        source = as_floats(layer.source)
        if not motion.is_still:
            source = warp(source, motion.displacement)
        invalid = linear_ramp(difference(source, current), VALID_BELOW, INVALID_ABOVE)
        invalid = torch.maximum(invalid, 1 - inside(motion.displacement))
        invalid = functional.max_pool2d(invalid, 2 * MARGIN + 1, 1, MARGIN)
        if invalid.any():
            invalid = gaussian_blur(invalid[0], MARGIN / 2)[None].clamp(0, 1)
        painting = as_floats(layer.painting)
        if not motion.is_still:
            size = (painting.shape[2], painting.shape[3])
            painting = warp(painting, scale_displacement(motion.displacement, size), "bicubic")
        return cls(painting, source, 1 - invalid)


def _match_tone(fresh: Tensor, kept: Tensor, share: Tensor) -> Tensor:
    """Match the tone of a fresh painting to the kept paint around new parts, to avoid seams.

    An object may be painted in another color than many frames ago. As in Perez et al., "Poisson Image Editing",
    SIGGRAPH 2003, the difference at the border is interpolated inwards; here by normalized convolution.

    Args:
        fresh: Painting of the whole frame, (1, 3, H, W) in [0, 1].
        kept: The warped paint, likewise.
        share: Where that is kept, (1, 1, H, W) in [0, 1].
    """
    size = (fresh.shape[2], fresh.shape[3])
    small = size_within(size, TONE_SIDE)
    weight = gaussian_blur(functional.interpolate(share, small, mode="area")[0], TONE_SIGMA)[None]
    change = functional.interpolate((kept - fresh) * share, small, mode="area")
    change = gaussian_blur(change[0], TONE_SIGMA)[None] / (weight + TONE_FADE)
    return (fresh + functional.interpolate(change, size, mode="bilinear", align_corners=False)).clamp_(0, 1)


def _composite(first: _WarpedLayer, second: _WarpedLayer) -> tuple[Tensor, Tensor]:
    """Composite the first layer over the second where it is valid; return painting and source."""
    size = (first.painting.shape[2], first.painting.shape[3])
    # Where neither is valid, the result is painted over.
    share = functional.interpolate(first.validity, size, mode="bilinear", align_corners=False)
    return torch.lerp(second.painting, first.painting, share), torch.lerp(second.source, first.source, first.validity)
