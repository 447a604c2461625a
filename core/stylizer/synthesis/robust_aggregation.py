"""One picture from overlapping patches that disagree (Kwatra et al. 2005; Elad & Milanfar 2017, section III)."""

from __future__ import annotations

import torch
from torch import Tensor

from stylizer.synthesis.patch_grid import PatchGrid

SMALLEST_RESIDUAL = 1e-6  # mean squared difference below which patches count as equal: keeps the weights finite


def aggregate(
    image: Tensor,
    patches: Tensor,
    grid: PatchGrid,
    *,
    exponent: float,
    rounds: int,
    smallest_residual: float = SMALLEST_RESIDUAL,
) -> Tensor:
    """The picture X that minimizes the sum over patches of |X_i - Q_i|^exponent, by reweighted least squares.

    An exponent below 1 lets the majority win where patches overlap, instead of blurring all into a mean: outlying
    patches are voted down.

    Args:
        image: Where the iteration starts, (C, height, width).
        patches: The patches Q, (C, rows, columns, patch, patch) as `grid` lays them.
        grid: Their places.
        exponent: r of the paper, 0 < r <= 2.
        rounds: Rounds of reweighting, at least 1.
        smallest_residual: Mean squared difference below which patches count as equal.

    Returns:
        The picture, (C, height, width).
    """
    padded = grid.pad(image)
    window = _window(grid.patch).to(image.device)
    share = window / (window.sum() * len(patches))  # of a value in the mean over its patch
    for _ in range(rounds):
        # Measured under the window, as the sum below is: only then does every round come nearer to the minimum.
        residual = (grid.cut(padded) - patches).square_().mul_(share).sum(dim=(0, 3, 4))  # (rows, columns)
        weight = residual.clamp_(min=smallest_residual).pow_(exponent / 2 - 1)[None, :, :, None, None] * window
        padded = grid.overlap_add(patches * weight) / grid.overlap_add(weight)
    return grid.crop(padded)


def _window(patch: int) -> Tensor:
    """Weight of a patch's pixels, (patch, patch): falling toward the borders, so that no seam shows where it ends."""
    ramp = torch.hann_window(patch + 2, periodic=False, dtype=torch.float32)[1:-1] + 0.02
    return torch.outer(ramp, ramp)
