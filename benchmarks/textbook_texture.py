"""Textbook patch search: raw patches, float32, every pair compared. The baseline of method texture."""

from __future__ import annotations

import torch
from torch import Tensor

from stylizer.synthesis.patch_grid import PatchGrid

MEMORY = 2**28  # maximum bytes of a block of extracted patches


def nearest_by_raw_patches(picture: Tensor, style: Tensor, grid: PatchGrid, stride: int) -> Tensor:
    """Return the index of the nearest style patch for each patch of `picture`: (rows * columns,).

    Args:
        picture: (3, H, W), as `grid` describes it.
        style: (3, h, w).
        grid: Patches of the image.
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
