"""Cells of a tile and the cells around it, against plain index arithmetic."""

from __future__ import annotations

import pytest
import torch

from stylizer.synthesis.cell_area import CellArea, cells_in
from stylizer.synthesis.hypercolumns import CELL
from stylizer.tiles import tiles

SIZES = [(64, 64), (50, 77), (9, 130), (1, 40)]
HALO, REACH, SIDE = 3, 32, 32


@pytest.mark.parametrize("size", SIZES)
def test_cells_and_pixels_are_cut_at_the_same_place(size: tuple[int, int]) -> None:
    """Each pixel holds its own row and column, so what is cut tells where it is from."""
    place = torch.stack(torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij"))[None].float()
    for tile in tiles(size, SIDE, reach=REACH):
        area = CellArea.from_tile(tile, size, HALO)
        seen = tile.extract(place)
        pixels, cells = area.pixels(seen), area.cells(seen[0, :, ::CELL, ::CELL])
        assert pixels.shape[2:] == (CELL * area.size[0], CELL * area.size[1])
        assert cells.shape[1:] == area.size
        assert torch.equal(pixels[0, :, ::CELL, ::CELL], cells)
        for row in range(area.size[0]):
            assert cells[0, row, 0] == CELL * (area.top + row)
        for column in range(area.size[1]):
            assert cells[1, 0, column] == CELL * (area.left + column)
        assert torch.equal(area.crop_to_tile(pixels), tile.view(place))


@pytest.mark.parametrize("size", SIZES)
def test_stored_cells_of_all_tiles_make_the_whole_grid(size: tuple[int, int]) -> None:
    rows, columns = cells_in(size)
    expected = torch.arange(2 * rows * columns).view(2, rows, columns)
    whole = torch.full_like(expected, -1)
    for tile in tiles(size, SIDE, reach=REACH):
        area = CellArea.from_tile(tile, size, HALO)
        area.store(expected[:, area.top : area.bottom, area.left : area.right], whole)
    assert torch.equal(whole, expected)


@pytest.mark.parametrize(("fine", "coarse"), [((20, 14), (10, 7)), ((19, 13), (10, 7)), ((1, 9), (1, 5))])
def test_parents_lie_under_their_cells_at_half_the_size(fine: tuple[int, int], coarse: tuple[int, int]) -> None:
    size = (fine[0] * CELL, fine[1] * CELL)
    for tile in tiles(size, SIDE, reach=REACH):
        area = CellArea.from_tile(tile, size, 1)
        parent, part = area.parents(fine, coarse)
        for axis, begin in ((0, area.top), (1, area.left)):
            for index in range(area.size[axis]):
                center = (begin + index + 0.5) * coarse[axis] / fine[axis]
                row, column = (index, 0) if axis == 0 else (0, index)
                assert parent[axis, row, column] == int(center)
                assert part[axis, row, column] == int(2 * (center - int(center)))
