"""The canvas of a swatch: coordinates in swatch pixels, rendered at any resolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SUPERSAMPLING = 2
"""Supersampling factor for antialiasing."""


@dataclass(frozen=True)
class Sheet:
    """A canvas of `width` x `height` units, drawn with `scale` pixels per unit.

    One unit is one pixel of the finished swatch, so a painter speaks of strokes "9 wide" and the same
    code paints a small proof or the full picture.

    Attributes:
        width: Width in units.
        height: Height in units.
        scale: Drawn pixels per unit.
    """

    width: int = 768
    height: int = 576
    scale: float = float(SUPERSAMPLING)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the rendered image."""
        return round(self.height * self.scale), round(self.width * self.scale)

    @cached_property
    def x(self) -> Array:
        """Horizontal position of every pixel in units, (H, W)."""
        return np.broadcast_to((np.arange(self.shape[1]) + 0.5) / self.scale, self.shape)

    @cached_property
    def y(self) -> Array:
        """Vertical position of every pixel in units, downward, (H, W)."""
        return np.broadcast_to(((np.arange(self.shape[0]) + 0.5) / self.scale)[:, None], self.shape)

    def indices(self, points: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return rows and columns of the pixels nearest to `points` (N, 2), x, y in units, clipped to the sheet."""
        rows, columns = self.shape
        column = np.clip((points[..., 0] * self.scale).astype(np.intp), 0, columns - 1)
        row = np.clip((points[..., 1] * self.scale).astype(np.intp), 0, rows - 1)
        return row, column

    def pick(self, field: Array, points: Array) -> Array:
        """Sample `field` (H, W) or (H, W, C) at `points` (N, 2) in units."""
        return field[self.indices(points)]


def reduced(picture: Array, factor: int = SUPERSAMPLING) -> Array:
    """Average blocks of `factor` x `factor` pixels of an image (H, W, C)."""
    rows, columns = picture.shape[0] // factor, picture.shape[1] // factor
    blocks = picture[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, -1)
    averaged: Array = blocks.mean(axis=(1, 3))
    return averaged
