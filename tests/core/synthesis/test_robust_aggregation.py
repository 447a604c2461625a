"""Robust aggregation against the iteration as published, pixel by pixel in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.synthesis import robust_aggregation
from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.robust_aggregation import aggregate

GRIDS = [PatchGrid(11, 9, 4, 3, 1, 2), PatchGrid(9, 12, 5, 2), PatchGrid(7, 7, 3, 3, 2, 0), PatchGrid(6, 5, 1, 1)]


def _window(patch: int) -> NDArray[np.float64]:
    return robust_aggregation._window(patch).double().numpy()


def _disagreeing(grid: PatchGrid, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A picture to start from and patches of differing brightness."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(3, grid.height, grid.width, generator=generator)
    patches = torch.rand(3, grid.rows, grid.columns, grid.patch, grid.patch, generator=generator)
    return image, 0.2 * patches + 0.8 * torch.rand(1, grid.rows, grid.columns, 1, 1, generator=generator)


def _residual(padded: NDArray[np.float64], patch: NDArray[np.float64], top: int, left: int) -> float:
    """Mean squared difference between a patch (C, p, p) and the picture under it, each pixel by its window weight."""
    channels, side = len(patch), int(patch.shape[1])
    window = _window(side)
    total = 0.0
    for c in range(channels):
        for y in range(side):
            for x in range(side):
                difference = float(padded[c, top + y, left + x] - patch[c, y, x])
                total += float(window[y, x]) * difference**2
    return total / (channels * float(window.sum()))


def _reweighted_least_squares(image: Tensor, patches: Tensor, grid: PatchGrid, r: float, rounds: int) -> Tensor:
    """Elad & Milanfar 2017, section III: w_i = |X_i - Q_i|^(r - 2), X = sum of w_i Q_i over sum of w_i."""
    picture = grid.pad(image).double().numpy()
    stock = patches.double().numpy()
    window = _window(grid.patch)
    for _ in range(rounds):
        above, below = np.zeros_like(picture), np.zeros_like(picture)
        for i in range(grid.rows):
            for j in range(grid.columns):
                top, left = i * grid.gap, j * grid.gap
                squared = max(_residual(picture, stock[:, i, j], top, left), robust_aggregation.MIN_RESIDUAL)
                weight = np.sqrt(squared) ** (r - 2)
                for y in range(grid.patch):
                    for x in range(grid.patch):
                        above[:, top + y, left + x] += weight * window[y, x] * stock[:, i, j, y, x]
                        below[:, top + y, left + x] += weight * window[y, x]
        picture = above / below
    return grid.crop(torch.from_numpy(picture))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("exponent", "rounds"), [(0.8, 1), (0.8, 6), (1.5, 3)])
def test_the_picture_is_that_of_the_published_iteration(grid: PatchGrid, exponent: float, rounds: int) -> None:
    image, patches = _disagreeing(grid)
    expected = _reweighted_least_squares(image, patches, grid, exponent, rounds)
    result = aggregate(image, patches, grid, exponent=exponent, rounds=rounds)
    torch.testing.assert_close(result.double(), expected, atol=2e-4, rtol=0)


def test_outlying_patch_is_suppressed_below_exponent_2() -> None:
    grid = PatchGrid(24, 24, 8, 2)
    picture = torch.full((3, 24, 24), 0.5)
    patches = grid.extract(grid.pad(picture)).clone()
    patches[:, 4, 4] = 1.0
    robust, plain = (
        aggregate(picture, patches, grid, exponent=exponent, rounds=10).sub(picture).abs().max().item()
        for exponent in (0.8, 2)
    )
    assert plain > 0.05
    assert robust < plain / 20
