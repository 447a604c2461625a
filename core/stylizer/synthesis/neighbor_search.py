"""Nearest-neighbor search of cells of a photo among cells of a style, and propagation of matches between neighbors.

Descriptors are unit vectors in a reduced basis (`style_bank`); similarity is one matrix product, in bfloat16 where the
hardware supports it. Costs are additional dimensions of that product.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

HUBNESS = 0.3  # weight of a key's mean similarity to its nearest queries
HUB_NEIGHBORS = 4  # nearest queries in that mean
HUB_QUERIES = 128  # size of the sample of queries
ROWS = 1024  # queries per block of the product
MAX_KEYS = 2**15  # keys beyond which the style is subsampled
BLOCK = 128  # keys per block, of which the first pass keeps only the maximum


def most_similar(queries: Tensor, keys: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the index (N,) of the key (M, D) with the largest inner product for each query (N, D).

    Args:
        queries: float32.
        keys: float32.
        dtype: Precision of the product. In bfloat16 the product of the returned key may be smaller by rounding.
    """
    count = len(keys)
    padded = functional.pad(keys, (0, 0, 0, -count % BLOCK)).to(dtype).T.contiguous()
    found = []
    for part in torch.split(queries.to(dtype), ROWS):
        blocks = (part @ padded).view(len(part), -1, BLOCK)
        if count % BLOCK:
            blocks[:, -1, count % BLOCK :] = float("-inf")
        # The argmax, not the product, dominates the time; two small searches are faster than one.
        best = blocks.amax(2).float().argmax(1)
        inside = blocks[torch.arange(len(part), device=best.device), best].float().argmax(1)
        found.append(best * BLOCK + inside)
    return torch.cat(found)


def search(
    queries: Tensor, keys: Tensor, unit: int, dtype: torch.dtype, generator: torch.Generator, *, stride: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the most similar key for each query, with a penalty for hubs.

    Styles with more than `MAX_KEYS` cells are subsampled by rows and columns.

    Args:
        queries: (rows, columns, D).
        keys: (style rows, style columns, D).
        unit: Number of leading dimensions that form the unit vector.
        dtype: See `most_similar`.
        generator: Random generator, on the CPU.
        stride: Search only every `stride`-th row and column of queries; the others continue the match found.

    Returns:
        Row and column of the key for each query, (2, rows, columns); queries and keys with the hubness cost appended as
        a dimension, for `propagate_matches`.
    """
    size = queries.shape[:2]
    step = math.ceil(math.sqrt(keys.shape[0] * keys.shape[1] / MAX_KEYS))
    flat = queries.flatten(0, 1)
    cost = hubness_cost(flat[:, :unit], keys[::step, ::step, :unit].flatten(0, 1), generator)
    cost = cost.view(*keys[::step, ::step].shape[:2], 1)
    queries = torch.cat([queries, torch.ones_like(queries[..., :1])], 2)
    full_cost = cost if step == 1 else cost.repeat_interleave(step, 0).repeat_interleave(step, 1)
    keys = torch.cat([keys, -full_cost[: keys.shape[0], : keys.shape[1]]], 2)
    searched = keys[::step, ::step]
    sparse = queries[::stride, ::stride]
    best = most_similar(sparse.flatten(0, 1), searched.flatten(0, 1), dtype)
    columns = searched.shape[1]
    matches = torch.unflatten(torch.stack((best // columns, best % columns)).mul_(step), 1, sparse.shape[:2])
    if stride > 1:
        matches = _continue_matches(matches, stride, size, keys)
    return matches, queries, keys


def _continue_matches(matches: Tensor, stride: int, size: torch.Size, keys: Tensor) -> Tensor:
    """Fill a grid of `size` from the matches of every `stride`-th cell (2, rows, columns): (2, *size)."""
    filled = matches.repeat_interleave(stride, 1).repeat_interleave(stride, 2)[:, : size[0], : size[1]]
    return torch.minimum(filled + _indices(size, matches.device) % stride, _last(keys))


def hubness_cost(queries: Tensor, keys: Tensor, generator: torch.Generator) -> Tensor:
    """Return the cost (M,) of hubs: keys (M, D) similar to many queries (N, D), such as bland cells.

    The mean similarity of a key to its nearest queries, as subtracted by cross-domain similarity local scaling (CSLS;
    Conneau et al. 2018, arXiv 1710.04087, section 2.3), estimated on a sample of the queries.
    """
    drawn = torch.randperm(len(queries), generator=generator)[:HUB_QUERIES].to(queries.device)
    similarity = keys @ queries[drawn].T
    return HUBNESS * similarity.topk(min(HUB_NEIGHBORS, len(drawn)), 1).values.mean(1)


def propagate_matches(matches: Tensor, queries: Tensor, keys: Tensor, *, bonus: float, sweeps: int) -> Tensor:
    """Propagate matches to neighboring cells for coherence (Ashikhmin 2001).

    The propagation step of PatchMatch (Barnes et al. 2009, section 3.2), for all cells in parallel: in each sweep a
    cell compares its match with the continuations of its four neighbors' matches and takes the best by similarity,
    plus `bonus` for each neighbor that it continues, less `bonus` for each neighbor with the identical match (which
    avoids repeated cells). Matches travel one cell per sweep.

    Args:
        matches: Row and column of each cell's match in the style, (2, rows, columns).
        queries: (rows, columns, D).
        keys: (style rows, style columns, D).
        bonus: Bonus per continued neighbor; similarities of unit vectors are at most 1.
        sweeps: Number of sweeps, at least 0.

    Returns:
        The matches after the last sweep, shaped like `matches`.
    """
    width, last = keys.shape[1], _last(keys)
    for _ in range(sweeps):
        candidates, neighbor_matches = [matches], []
        for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            move = torch.tensor(step, device="cpu").view(2, 1, 1).to(matches.device)
            neighbor = _shift(matches, *step)
            neighbor_matches.append(neighbor[0] * width + neighbor[1])
            candidates.append(torch.minimum((neighbor + move).clamp_(min=0), last))
        flat = [candidate[0] * width + candidate[1] for candidate in candidates]
        best = torch.full(matches.shape[1:], float("-inf"), dtype=torch.float32, device=matches.device)
        chosen = flat[0]
        for candidate in flat:
            agreeing = torch.stack([candidate == neighbor for neighbor in flat[1:]]).sum(0)
            repeating = torch.stack([candidate == neighbor for neighbor in neighbor_matches]).sum(0)
            similarity = (queries * keys.flatten(0, 1)[candidate]).sum(2, dtype=torch.float32)
            similarity = similarity + bonus * (agreeing - repeating)
            better = similarity > best
            best, chosen = torch.where(better, similarity, best), torch.where(better, candidate, chosen)
        matches = torch.stack((chosen // width, chosen % width))
    return matches


def spread_seeds(
    matches: Tensor,
    queries: Tensor,
    keys: Tensor,
    *,
    bonus: Tensor | float,
    spacing: int,
    generator: torch.Generator,
) -> Tensor:
    """Let each cell continue the match of the nearest seed, if its similarity falls by less than `bonus`.

    In flat areas of a photo all cells match the same cell of the style, which shows as a repeated pattern and leaves
    `propagate_matches` nothing to continue. Random seeds spread their matches instead.

    Args:
        matches: Row and column of each cell's match in the style, (2, rows, columns).
        queries: (rows, columns, D).
        keys: (style rows, style columns, D).
        bonus: For all cells, or for each, (rows, columns); where it is 0 only a better match is taken.
        spacing: Approximate distance between seeds, in cells.
        generator: Random generator, on the CPU.

    Returns:
        The new matches, shaped like `matches`.
    """
    seed = _nearest_seeds(matches.shape[1], matches.shape[2], spacing, generator).to(matches.device)
    candidate = matches[:, seed[0], seed[1]] + _indices(matches.shape[1:], seed.device) - seed
    last = _last(keys)
    inside = ((candidate >= 0) & (candidate <= last)).all(0)
    candidate = torch.minimum(candidate.clamp(min=0), last)
    similarity = [(queries * keys[place[0], place[1]]).sum(2) for place in (matches, candidate)]
    return torch.where(inside & (similarity[1] + bonus > similarity[0]), candidate, matches)


def _nearest_seeds(rows: int, columns: int, spacing: int, generator: torch.Generator) -> Tensor:
    """Draw a seed in each square of `spacing` cells, and return the nearest seed of each cell, (2, rows, columns).

    Only the cell's square and the eight around it are searched (Worley 1996); seeds beyond are rarely nearer.
    """
    down, across = -(-rows // spacing), -(-columns // spacing)
    corner = torch.stack(torch.meshgrid(torch.arange(down), torch.arange(across), indexing="ij")) * spacing
    seeds = corner + torch.randint(spacing, (2, down, across), generator=generator)
    seeds = torch.minimum(seeds, torch.tensor([rows - 1, columns - 1]).view(2, 1, 1))
    cell = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"))
    square = cell // spacing
    best = torch.full((rows, columns), float("inf"), dtype=torch.float32)
    nearest = torch.empty_like(cell)
    for step in ((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
        row, column = (square[0] + step[0]).clamp(0, down - 1), (square[1] + step[1]).clamp(0, across - 1)
        candidate = seeds[:, row, column]
        distance = (candidate - cell).square().sum(0).float()
        closer = distance < best
        best, nearest = torch.where(closer, distance, best), torch.where(closer, candidate, nearest)
    return nearest


def _indices(size: torch.Size, device: torch.device) -> Tensor:
    """Return the row and column of each cell of a grid of `size` (rows, columns), (2, rows, columns)."""
    return torch.stack(torch.meshgrid(*(torch.arange(side, device=device) for side in size), indexing="ij"))


def _last(keys: Tensor) -> Tensor:
    """Return the row and column of the last cell of `keys` (rows, columns, D), (2, 1, 1)."""
    return torch.tensor([side - 1 for side in keys.shape[:2]], device="cpu").view(2, 1, 1).to(keys.device)


def _shift(grid: Tensor, down: int, across: int) -> Tensor:
    """Shift `grid` (C, rows, columns) by at most one cell, with replication at the border."""
    padded = functional.pad(grid[None].float(), (1, 1, 1, 1), mode="replicate")[0].long()
    rows, columns = grid.shape[1:]
    return padded[:, 1 - down : 1 - down + rows, 1 - across : 1 - across + columns]
