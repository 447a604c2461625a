"""Paint: named by its hex code, mixed, glazed and ramped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from swatches.sheet import Array


def pigment(code: str) -> Array:
    """The color of a hex code such as "#1d2b53" as three numbers in 0-1, sRGB."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def ramp(position: Array, codes: Sequence[str]) -> Array:
    """Colors along an even ramp of hex codes at `position` (any shape, 0-1), with a last axis of three."""
    stops = np.linspace(0, 1, len(codes))
    table = np.array([pigment(code) for code in codes])
    return np.stack([np.interp(position, stops, table[:, channel]) for channel in range(3)], axis=-1)


def over(below: Array, above: Array, cover: Array) -> Array:
    """Opaque paint `above` laid on `below` where `cover` (H, W) in 0-1 says."""
    return below + (above - below) * np.clip(cover, 0, 1)[..., None]


def glaze(below: Array, paint: Array, density: Array) -> Array:
    """Transparent paint over `below`: light passes it twice, so densities multiply (Beer-Lambert)."""
    return below * np.clip(paint, 1e-3, 1) ** density[..., None]


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
