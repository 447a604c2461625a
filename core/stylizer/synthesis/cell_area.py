"""Coordinates of the cells of a tile: in the picture, in the tile's context, and in the next coarser picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylizer.synthesis.hypercolumns import CELL
from stylizer.tiles import Tile


@dataclass(frozen=True, slots=True)
class CellArea:
    """The cells of a tile and of a halo around it, clipped to the picture.

    Attributes:
        tile: The tile.
        top, left, bottom, right: Bounds in cells of the picture.
    """

    tile: Tile
    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def from_tile(cls, tile: Tile, size: tuple[int, int], halo: int = 0) -> CellArea:
        """Compute the area of `tile` with `halo` cells around it, in a picture of `size` (height, width) pixels."""
        rows, columns = cells_in(size)
        return cls(
            tile,
            max(0, tile.top // CELL - halo),
            max(0, tile.left // CELL - halo),
            min(rows, -(-tile.bottom // CELL) + halo),
            min(columns, -(-tile.right // CELL) + halo),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.bottom - self.top, self.right - self.left

    def cells(self, context: Tensor) -> Tensor:
        """Crop a grid of cells (C, rows, columns) over the tile's context to the area."""
        top, left = self.top - self.tile.context[0] // CELL, self.left - self.tile.context[1] // CELL
        return context[:, top : top + self.size[0], left : left + self.size[1]]

    def clip(self, whole: Tensor) -> Tensor:
        """Crop a grid of the whole picture's cells (..., rows, columns) to the area."""
        return whole[..., self.top : self.bottom, self.left : self.right]

    def pixels(self, context: Tensor) -> Tensor:
        """Crop a picture (1, C, H, W) of the tile's context to the area."""
        top, left = CELL * self.top - self.tile.context[0], CELL * self.left - self.tile.context[1]
        return context[:, :, top : top + CELL * self.size[0], left : left + CELL * self.size[1]]

    def crop_to_tile(self, area: Tensor) -> Tensor:
        """Crop a picture (1, C, H, W) of the area to the tile."""
        tile, top, left = self.tile, self.tile.top - CELL * self.top, self.tile.left - CELL * self.left
        return area[:, :, top : top + tile.bottom - tile.top, left : left + tile.right - tile.left]

    def store(self, area: Tensor, whole: Tensor) -> None:
        """Copy the tile's cells of a grid (..., rows, columns) of the area into a grid of the whole picture."""
        tile = self.tile
        rows = slice(tile.top // CELL, -(-tile.bottom // CELL))
        columns = slice(tile.left // CELL, -(-tile.right // CELL))
        tile_rows = slice(rows.start - self.top, rows.stop - self.top)
        tile_columns = slice(columns.start - self.left, columns.stop - self.left)
        whole[..., rows, columns] = area[..., tile_rows, tile_columns]

    def parents(self, whole: tuple[int, int], coarse: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the parent of each cell in the coarser grid, and the half of the parent that the cell covers.

        Args:
            whole: Rows and columns of cells of the picture.
            coarse: Rows and columns of cells of the picture at about half the size.

        Returns:
            Row and column of the parent, (2, rows, columns), int64; and 0 or 1 for its first or second half, likewise.
        """
        rows, columns = (
            (torch.arange(begin, end, dtype=torch.float32) + 0.5) * (fewer / many)
            for begin, end, fewer, many in (
                (self.top, self.bottom, coarse[0], whole[0]),
                (self.left, self.right, coarse[1], whole[1]),
            )
        )
        place = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
        parent = place.floor()
        return parent.long(), (2 * (place - parent)).floor().long()


def cells_in(size: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of cells that cover a picture of `size` (height, width) pixels."""
    return -(-size[0] // CELL), -(-size[1] // CELL)
