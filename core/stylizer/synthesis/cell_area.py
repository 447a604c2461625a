"""Where the cells of a tile lie: in the picture, among all that the tile sees, and in the picture at half the size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylizer.synthesis.hypercolumns import CELL
from stylizer.tiles import Tile


@dataclass(frozen=True, slots=True)
class CellArea:
    """The cells of a tile with some cells around it, as far as the picture reaches.

    Attributes:
        tile: The tile.
        top, left, bottom, right: In cells of the picture.
    """

    tile: Tile
    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, tile: Tile, size: tuple[int, int], halo: int = 0) -> CellArea:
        """The cells of `tile` and `halo` cells around it in a picture of `size` (height, width) pixels."""
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

    def cells(self, seen: Tensor) -> Tensor:
        """The area of a grid of cells (C, rows, columns) over all that the tile sees."""
        top, left = self.top - self.tile.seen[0] // CELL, self.left - self.tile.seen[1] // CELL
        return seen[:, top : top + self.size[0], left : left + self.size[1]]

    def pixels(self, seen: Tensor) -> Tensor:
        """The area of a picture (1, C, H, W) of all that the tile sees."""
        top, left = CELL * self.top - self.tile.seen[0], CELL * self.left - self.tile.seen[1]
        return seen[:, :, top : top + CELL * self.size[0], left : left + CELL * self.size[1]]

    def own_pixels(self, area: Tensor) -> Tensor:
        """The tile of a picture (1, C, H, W) of the area."""
        tile, top, left = self.tile, self.tile.top - CELL * self.top, self.tile.left - CELL * self.left
        return area[:, :, top : top + tile.bottom - tile.top, left : left + tile.right - tile.left]

    def store(self, area: Tensor, whole: Tensor) -> None:
        """Copy the tile's cells of a grid (..., rows, columns) of the area into a grid of the whole picture."""
        tile = self.tile
        rows = slice(tile.top // CELL, -(-tile.bottom // CELL))
        columns = slice(tile.left // CELL, -(-tile.right // CELL))
        own_rows = slice(rows.start - self.top, rows.stop - self.top)
        own_columns = slice(columns.start - self.left, columns.stop - self.left)
        whole[..., rows, columns] = area[..., own_rows, own_columns]

    def parents(self, whole: tuple[int, int], coarse: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The coarser cell that each cell lies in, and which part of that one it is.

        Args:
            whole: Rows and columns of cells of the picture.
            coarse: The same of the picture at about half the size.

        Returns:
            Row and column of the coarser cell, (2, rows, columns); and 0 or 1 for its first or second half, likewise.
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
    """Rows and columns of cells that cover a picture of `size` (height, width) pixels."""
    return -(-size[0] // CELL), -(-size[1] // CELL)
