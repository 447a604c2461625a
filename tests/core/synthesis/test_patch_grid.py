"""Cutting and adding patches against plain loops."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stylizer.synthesis.patch_grid import PatchGrid, random_origin


@st.composite
def _grids(draw: st.DrawFn, *, holes: bool = False) -> PatchGrid:
    """Grids of any size, gap and shift; with holes between the patches only where asked for."""
    patch = draw(st.integers(1, 9))
    gap = draw(st.integers(1, 12 if holes else patch))
    height, width = draw(st.integers(1, 23)), draw(st.integers(1, 23))
    return PatchGrid(height, width, patch, gap, draw(st.integers(0, gap - 1)), draw(st.integers(0, gap - 1)))


def _some_patches(grid: PatchGrid) -> Tensor:
    """Whole numbers, so that sums are exact in any order."""
    shape = (2, grid.rows, grid.columns, grid.patch, grid.patch)
    return torch.randint(-50, 50, shape, generator=torch.Generator().manual_seed(0)).float()


def _some_picture(grid: PatchGrid) -> Tensor:
    """A picture of the padded size."""
    return torch.randint(-50, 50, (2, *grid.padded_size), generator=torch.Generator().manual_seed(1)).float()


@settings(max_examples=80, deadline=None)
@given(_grids(holes=True))
def test_cutting_takes_each_patch_from_its_place(grid: PatchGrid) -> None:
    padded = _some_picture(grid)
    patches = grid.extract(padded)
    assert patches.shape == (2, grid.rows, grid.columns, grid.patch, grid.patch)
    for i in range(grid.rows):
        for j in range(grid.columns):
            top, left = i * grid.gap, j * grid.gap
            assert torch.equal(patches[:, i, j], padded[:, top : top + grid.patch, left : left + grid.patch])


@settings(max_examples=150, deadline=None)
@given(_grids(holes=True))
def test_adding_patches_is_what_a_plain_loop_does(grid: PatchGrid) -> None:
    patches = _some_patches(grid)
    expected = torch.zeros(2, *grid.padded_size)
    for i in range(grid.rows):
        for j in range(grid.columns):
            top, left = i * grid.gap, j * grid.gap
            expected[:, top : top + grid.patch, left : left + grid.patch] += patches[:, i, j]
    assert torch.equal(grid.overlap_add(patches), expected)


@settings(max_examples=150, deadline=None)
@given(_grids())
def test_a_grid_covers_every_pixel_with_no_patch_to_spare(grid: PatchGrid) -> None:
    covered = grid.overlap_add(torch.ones(1, grid.rows, grid.columns, grid.patch, grid.patch))
    assert covered.min() >= 1
    assert grid.crop(covered).shape == (1, grid.height, grid.width)
    assert grid.rows == 1 or (grid.rows - 2) * grid.gap + grid.patch < grid.height + grid.top
    assert grid.columns == 1 or (grid.columns - 2) * grid.gap + grid.patch < grid.width + grid.left


@settings(max_examples=80, deadline=None)
@given(_grids())
def test_padding_repeats_the_border_and_cropping_undoes_it(grid: PatchGrid) -> None:
    image = torch.rand(3, grid.height, grid.width)
    padded = grid.pad(image)
    assert padded.shape == (3, *grid.padded_size)
    assert torch.equal(grid.crop(padded), image)
    assert torch.equal(padded[:, 0, 0], image[:, 0, 0])
    assert torch.equal(padded[:, -1, -1], image[:, -1, -1])


def test_random_shifts_lie_within_the_gap_and_differ() -> None:
    generator = torch.Generator().manual_seed(0)
    shifts = {random_origin(5, generator) for _ in range(200)}
    assert shifts == {(top, left) for top in range(5) for left in range(5)}
    assert random_origin(1, generator) == (0, 0)
