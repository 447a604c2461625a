"""One picture from the overlapping pieces of its cells, and its fusion with the photo."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from stylizer.synthesis.hypercolumns import CELL
from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.robust_aggregation import aggregate
from stylizer.synthesis.style_bank import PIECE

EXPONENT = 0.8  # r of the robust aggregation
SMALLEST_RESIDUAL = 1e-4


def piece_grid(picture: Tensor) -> tuple[PatchGrid, Tensor]:
    """Where the pieces of the cells of `picture` (1, 3, H, W) lie, and the picture with a cell around it, (3, H, W)."""
    reflect_pad = functional.pad(picture, (CELL, CELL, CELL, CELL), mode="replicate")[0]
    return PatchGrid(reflect_pad.shape[1], reflect_pad.shape[2], PIECE, CELL), reflect_pad


def merge_pieces(start: Tensor, pieces: Tensor, guide: Tensor, weight: Tensor, rounds: int) -> Tensor:
    """Merge overlapping pieces by robust voting, and fuse the result with the photo.

    Args:
        start: Picture that the votes are first compared with, (1, 3, H, W), H and W multiples of 4.
        pieces: Of each cell, (3, H / 4, W / 4, 12, 12).
        guide: The recolored photo, like `start`.
        weight: Of the guide against the pieces, (1, 1, H, W) >= 0 (Elad & Milanfar 2017, section III-C).
        rounds: Of the robust aggregation.

    Returns:
        The picture, like `start`, in [0, 1].
    """
    grid, reflect_pad = piece_grid(start)
    voted = aggregate(reflect_pad, pieces, grid, exponent=EXPONENT, rounds=rounds, smallest_residual=SMALLEST_RESIDUAL)
    voted = voted[None, :, CELL:-CELL, CELL:-CELL]
    return ((voted + weight * guide) / (1 + weight)).clamp_(0, 1)
