"""Colors: hex codes, ramps, opaque and transparent layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from swatches.sheet import Array


def pigment(code: str) -> Array:
    """Parse a hex code such as "#1d2b53" into sRGB (3,) in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def ramp(position: Array, codes: Sequence[str]) -> Array:
    """Interpolate evenly spaced hex codes at `position` (any shape, 0-1); adds a last axis of three."""
    stops = np.linspace(0, 1, len(codes))
    table = np.array([pigment(code) for code in codes])
    return np.stack([np.interp(position, stops, table[:, channel]) for channel in range(3)], axis=-1)


def over(below: Array, above: Array, cover: Array) -> Array:
    """Composite opaque `above` over `below` with coverage `cover` (H, W) in [0, 1]."""
    return below + (above - below) * np.clip(cover, 0, 1)[..., None]


def glaze(below: Array, paint: Array, density: Array) -> Array:
    """Apply transparent paint over `below`, by the Beer-Lambert law."""
    return below * np.clip(paint, 1e-3, 1) ** density[..., None]


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Smooth step: 0 below `low`, 1 above `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
