"""Tiling of large pictures, which bounds memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# Receptive-field radius of encoder and decoder together, in pixels; a multiple of 8. (With 88, pixels were off by at
# most 0.004 of 255; with 64 by 9, which shows as seams.)
REACH = 104
# Reflection padding of the picture in pixels: with zero padding networks paint a frame at the border.
MARGIN = 16
STRIDE = 8  # coarsest stride of the encoder in pixels


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a picture, and the larger one needed as input to compute it; in pixels.

    Attributes:
        top, left, bottom, right: Bounds of the tile.
        context: Bounds of the input, likewise; may exceed the picture. Its sides are multiples of 8.
    """

    top: int
    left: int
    bottom: int
    right: int
    context: tuple[int, int, int, int]

    def extract(self, image: Tensor) -> Tensor:
        """Extract the context from `image` (1, C, H, W), with reflection at its border; channels last."""
        top, left, bottom, right = self.context
        height, width = image.shape[2:]
        rows, columns = mirrored_indices(top, bottom, height), mirrored_indices(left, right, width)
        source = image[:, :, int(rows.min()) : int(rows.max()) + 1, int(columns.min()) : int(columns.max()) + 1]
        down, across = ((index - index.min()).to(image.device) for index in (rows, columns))
        extracted = source.index_select(2, down).index_select(3, across)
        return extracted.contiguous(memory_format=torch.channels_last)

    def resample(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Sample `image` (1, C, h, w) over the context, as if upsampled to the picture's `size` (height, width).

        Bilinear between pixel centers, as `interpolate(..., align_corners=False)`, and consistent across tiles.
        """
        top, left, bottom, right = self.context
        place = [
            (2 * mirrored_indices(begin, end, length).float() + 1) / length - 1
            for begin, end, length in ((left, right, size[1]), (top, bottom, size[0]))
        ]
        across, down = (part.to(image.device) for part in place)
        grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1)[None]
        return functional.grid_sample(image, grid, padding_mode="border", align_corners=False)

    def view(self, image: Tensor) -> Tensor:
        """Return a view of the tile in `image` (1, C, H, W)."""
        return image[:, :, self.top : self.bottom, self.left : self.right]

    def crop(self, output: Tensor) -> Tensor:
        """Crop an output (1, C, h, w) over the context to the tile."""
        top, left = self.top - self.context[0], self.left - self.context[1]
        return output[:, :, top : top + self.bottom - self.top, left : left + self.right - self.left]


def tiles(size: tuple[int, int], side: int, *, reach: int = REACH) -> Iterator[Tile]:
    """Divide a picture into tiles, in row-major order.

    Args:
        size: Height and width of the picture.
        side: Maximum side of a tile in pixels, a multiple of 8.
        reach: Width of the context around a tile in pixels, a multiple of 8.
    """
    height, width = size
    for top, bottom in _spans(height, side):
        rows = _context_span(top, bottom, height, reach)
        for left, right in _spans(width, side):
            columns = _context_span(left, right, width, reach)
            yield Tile(top, left, bottom, right, (rows[0], columns[0], rows[1], columns[1]))


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    """Divide `length` into spans of about equal length that begin at multiples of the stride."""
    count = -(-length // side)
    step = -(-length // count // STRIDE) * STRIDE
    return [(begin, min(length, begin + step)) for begin in range(0, length, step)]


def _context_span(begin: int, end: int, length: int, reach: int) -> tuple[int, int]:
    first, last = max(-MARGIN, begin - reach), min(length + MARGIN, end + reach)
    return first, first + -(-(last - first) // STRIDE) * STRIDE


def mirrored_indices(begin: int, end: int, length: int) -> Tensor:
    """Return the indices of rows `begin` to `end`, reflected at the borders of a picture of `length` rows."""
    period = max(1, 2 * (length - 1))
    index = torch.arange(begin, end) % period
    return torch.minimum(index, period - index)
