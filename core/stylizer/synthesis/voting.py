"""Merging the overlapping patches of cells into a picture, and fusion with the photo."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from stylizer.synthesis.hypercolumns import CELL
from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.robust_aggregation import aggregate
from stylizer.synthesis.style_bank import PATCH_SIDE

EXPONENT = 0.8  # r of the robust aggregation
MIN_RESIDUAL = 1e-4  # see `aggregate`


def cell_patch_grid(picture: Tensor) -> tuple[PatchGrid, Tensor]:
    """Return the patch grid of the cells of `picture` (1, 3, H, W), and the picture padded by one cell, (3, H, W)."""
    padded = functional.pad(picture, (CELL, CELL, CELL, CELL), mode="replicate")[0]
    return PatchGrid(padded.shape[1], padded.shape[2], PATCH_SIDE, CELL), padded


def merge_patches(start: Tensor, patches: Tensor, guide: Tensor, weight: Tensor, rounds: int) -> Tensor:
    """Merge overlapping patches by robust voting, and fuse the result with the photo.

    Args:
        start: Initial picture of the robust aggregation, (1, 3, H, W), H and W multiples of 4.
        patches: One for each cell, (3, H / 4, W / 4, 12, 12).
        guide: The recolored photo, shaped like `start`.
        weight: Weight of the guide relative to the patches, (1, 1, H, W) >= 0 (Elad & Milanfar 2017, section III-C).
        rounds: Rounds of the robust aggregation.

    Returns:
        The picture, shaped like `start`, in [0, 1].
    """
    grid, padded = cell_patch_grid(start)
    voted = aggregate(padded, patches, grid, exponent=EXPONENT, rounds=rounds, min_residual=MIN_RESIDUAL)
    voted = voted[None, :, CELL:-CELL, CELL:-CELL]
    return ((voted + weight * guide) / (1 + weight)).clamp_(0, 1)
