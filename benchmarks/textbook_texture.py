"""The patch search as a textbook has it: raw patches, float32, every pair compared. The yardstick of texture."""

from __future__ import annotations

import torch
from torch import Tensor

from stylizer.synthesis.patch_grid import PatchGrid

MEMORY = 2**28  # bytes that one block of cut-out patches may take


def nearest_by_raw_patches(picture: Tensor, style: Tensor, grid: PatchGrid, stride: int) -> Tensor:
    """Index of the nearest of all style patches, `stride` apart, for each patch of `picture`: (rows * columns,).

    Args:
        picture: (3, H, W), as `grid` has it.
        style: (3, h, w).
        grid: Patches of the picture.
        stride: Distance between the style's patches.
    """
    queries = grid.extract(grid.pad(picture)).flatten(1, 2).transpose(0, 1).flatten(1)
    views = style.unfold(1, grid.patch, stride).unfold(2, grid.patch, stride)
    rows, columns = views.shape[1:3]
    values = queries.shape[1]
    step = max(1, MEMORY // (4 * values * columns))
    best = torch.full((len(queries),), float("inf"))
    index = torch.zeros(len(queries), dtype=torch.long)
    for top in range(0, rows, step):
        candidates = views[:, top : top + step].flatten(1, 2).transpose(0, 1).flatten(1)
        for part in range(0, len(queries), 1024):
            block = slice(part, part + 1024)
            distance, found = torch.cdist(queries[block], candidates).min(1)
            better = distance < best[block]
            index[block] = torch.where(better, found + top * columns, index[block])
            best[block] = torch.where(better, distance, best[block])
    return index
