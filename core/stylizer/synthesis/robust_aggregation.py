"""Robust aggregation of overlapping patches (Kwatra et al. 2005; Elad & Milanfar 2017, section III)."""

from __future__ import annotations

import torch
from torch import Tensor

from stylizer.synthesis.patch_grid import PatchGrid

MIN_RESIDUAL = 1e-6  # floor of the mean squared difference, which keeps the weights finite


def aggregate(
    image: Tensor,
    patches: Tensor,
    grid: PatchGrid,
    *,
    exponent: float,
    rounds: int,
    min_residual: float = MIN_RESIDUAL,
) -> Tensor:
    """Minimize the sum over patches of |X_i - Q_i|^exponent over the image X, by iteratively reweighted least squares.

    With an exponent below 1 outlying patches get little weight, so the majority wins where patches overlap, instead of
    a blurred mean.

    Args:
        image: Initial X, (C, height, width).
        patches: The patches Q, (C, rows, columns, patch, patch), in the layout of `grid`.
        grid: Positions of the patches.
        exponent: r of the paper, 0 < r <= 2.
        rounds: Rounds of reweighting, at least 1.
        min_residual: Floor of the mean squared difference of a patch.

    Returns:
        The image X, (C, height, width).
    """
    padded = grid.pad(image)
    window = _window(grid.patch).to(image.device)
    share = window / (window.sum() * len(patches))  # weight of a value in the mean over its patch
    for _ in range(rounds):
        # Weighted by the window, as the sum below is: only then does every round decrease the objective.
        residual = (grid.extract(padded) - patches).square_().mul_(share).sum(dim=(0, 3, 4))  # (rows, columns)
        weight = residual.clamp_(min=min_residual).pow_(exponent / 2 - 1)[None, :, :, None, None] * window
        padded = grid.overlap_add(patches * weight) / grid.overlap_add(weight)
    return grid.crop(padded)


def _window(patch: int) -> Tensor:
    """Return the window of a patch, (patch, patch), which falls toward the borders to hide seams."""
    ramp = torch.hann_window(patch + 2, periodic=False, dtype=torch.float32)[1:-1] + 0.02
    return torch.outer(ramp, ramp)
