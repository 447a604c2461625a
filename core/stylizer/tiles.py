"""Painting a large picture tile by tile, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# What the deepest features see and what is then made of them: no pixel looks farther than this. A multiple of 8.
# (With 88 pixels were off by 0.004 of 255 at most, with 64 by 9: there are seams to be seen.)
REACH = 104
# Beyond its border a picture is continued by its mirror image, since networks paint frames where they see nothing.
MARGIN = 16
STRIDE = 8


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture that is painted at once, in pixels.

    Attributes:
        top, left, bottom, right: The part.
        seen: The same of what has to be seen to paint it; may lie beyond the picture. Sides are multiples of 8.
    """

    top: int
    left: int
    bottom: int
    right: int
    seen: tuple[int, int, int, int]

    def cut(self, image: Tensor) -> Tensor:
        """What of `image` (1, C, H, W) has to be seen, mirrored at its border; channels last."""
        top, left, bottom, right = self.seen
        height, width = image.shape[2:]
        rows, columns = mirrored_indices(top, bottom, height), mirrored_indices(left, right, width)
        near = image[:, :, int(rows.min()) : int(rows.max()) + 1, int(columns.min()) : int(columns.max()) + 1]
        down, across = ((index - index.min()).to(image.device) for index in (rows, columns))
        seen = near.index_select(2, down).index_select(3, across)
        return seen.contiguous(memory_format=torch.channels_last)

    def resample(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Sample `image` (1, C, h, w) at the pixels of `seen`, as if enlarged to the picture's `size` (height, width).

        Bilinear between pixel centers, as `interpolate(..., align_corners=False)`, but the same in every tile.
        """
        top, left, bottom, right = self.seen
        place = [
            (2 * mirrored_indices(begin, end, length).float() + 1) / length - 1
            for begin, end, length in ((left, right, size[1]), (top, bottom, size[0]))
        ]
        across, down = (part.to(image.device) for part in place)
        grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1)[None]
        return functional.grid_sample(image, grid, padding_mode="border", align_corners=False)

    def of(self, image: Tensor) -> Tensor:
        """The tile of `image` (1, C, H, W)."""
        return image[:, :, self.top : self.bottom, self.left : self.right]

    def own(self, painted: Tensor) -> Tensor:
        """The tile itself, of what was painted of all that was seen."""
        top, left = self.top - self.seen[0], self.left - self.seen[1]
        return painted[:, :, top : top + self.bottom - self.top, left : left + self.right - self.left]


def tiles(size: tuple[int, int], side: int, *, reach: int = REACH) -> Iterator[Tile]:
    """Cut a picture of `size` (height, width) into tiles of at most `side` pixels (a multiple of 8) a side, by row.

    Each tile is seen with `reach` pixels (a multiple of 8) around it.
    """
    height, width = size
    for top, bottom in _spans(height, side):
        rows = _seen(top, bottom, height, reach)
        for left, right in _spans(width, side):
            columns = _seen(left, right, width, reach)
            yield Tile(top, left, bottom, right, (rows[0], columns[0], rows[1], columns[1]))


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    """Parts of about equal length, each beginning at a multiple of the stride."""
    count = -(-length // side)
    step = -(-length // count // STRIDE) * STRIDE
    return [(begin, min(length, begin + step)) for begin in range(0, length, step)]


def _seen(begin: int, end: int, length: int, reach: int) -> tuple[int, int]:
    first, last = max(-MARGIN, begin - reach), min(length + MARGIN, end + reach)
    return first, first + -(-(last - first) // STRIDE) * STRIDE


def mirrored_indices(begin: int, end: int, length: int) -> Tensor:
    """Indices into a picture with `length` rows for rows `begin` to `end`, mirrored beyond its borders."""
    period = max(1, 2 * (length - 1))
    index = torch.arange(begin, end) % period
    return torch.minimum(index, period - index)
