"""For each cell of a photo the most similar cell of a style, and how neighbors' matches are continued.

A style's cells are described by unit vectors in a reduced basis (`style_bank`); similarity is one matrix product, in
bfloat16 where the processor multiplies it in hardware. Costs are further dimensions of that product.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

HUBNESS = 0.3  # weight of a key's mean similarity to the queries most like it
HUB_NEIGHBORS = 4
HUB_QUERIES = 128  # drawn from all
ROWS = 1024  # queries in a block of the product
MAX_KEYS = 2**15  # that all queries are compared with
BLOCK = 128  # keys of which only the best similarity is kept in the first pass


def most_similar(queries: Tensor, keys: Tensor, dtype: torch.dtype) -> Tensor:
    """Index (N,) of the key (M, D) with the largest product for each query (N, D).

    Args:
        queries: float32.
        keys: float32.
        dtype: To multiply in. In bfloat16 the key found may be one whose product is smaller by its rounding.
    """
    count = len(keys)
    padded = functional.pad(keys, (0, 0, 0, -count % BLOCK)).to(dtype).T.contiguous()
    found = []
    for part in torch.split(queries.to(dtype), ROWS):
        blocks = (part @ padded).view(len(part), -1, BLOCK)
        if count % BLOCK:
            blocks[:, -1, count % BLOCK :] = float("-inf")
        # Most of the time goes into the search for the largest, not into the product: two small searches are quicker.
        best = blocks.amax(2).float().argmax(1)
        inside = blocks[torch.arange(len(part), device=best.device), best].float().argmax(1)
        found.append(best * BLOCK + inside)
    return torch.cat(found)


def search(
    queries: Tensor, keys: Tensor, unit: int, dtype: torch.dtype, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the most similar key for each query, with hubs held back.

    Of a style with very many cells every second row and column is searched, or fewer.

    Args:
        queries: (rows, columns, D).
        keys: (style rows, style columns, D).
        unit: How many of the dimensions make up a unit vector.
        dtype: See `most_similar`.
        generator: Source of chance, on the CPU.

    Returns:
        Row and column of the key for each query, (2, rows, columns); queries and keys with the hubness cost as one more
        dimension, for `continue_matches`.
    """
    size = queries.shape[:2]
    step = math.ceil(math.sqrt(keys.shape[0] * keys.shape[1] / MAX_KEYS))
    flat = queries.flatten(0, 1)
    cost = hubness_cost(flat[:, :unit], keys[::step, ::step, :unit].flatten(0, 1), generator)
    cost = cost.view(*keys[::step, ::step].shape[:2], 1)
    queries = torch.cat([queries, torch.ones_like(queries[..., :1])], 2)
    everywhere = cost if step == 1 else cost.repeat_interleave(step, 0).repeat_interleave(step, 1)
    keys = torch.cat([keys, -everywhere[: keys.shape[0], : keys.shape[1]]], 2)
    searched = keys[::step, ::step]
    best = most_similar(queries.flatten(0, 1), searched.flatten(0, 1), dtype)
    columns = searched.shape[1]
    matches = torch.stack((best // columns, best % columns)).mul_(step)
    return torch.unflatten(matches, 1, size), queries, keys


def hubness_cost(queries: Tensor, keys: Tensor, generator: torch.Generator) -> Tensor:
    """Cost (M,) of keys (M, D) that are similar to many queries (N, D): bland ones would be found everywhere.

    The mean similarity of a key to its nearest queries, which cross-domain similarity local scaling subtracts
    (Conneau et al. 2018, arXiv 1710.04087, section 2.3), by a sample of the queries.
    """
    drawn = torch.randperm(len(queries), generator=generator)[:HUB_QUERIES].to(queries.device)
    similarity = keys @ queries[drawn].T
    return HUBNESS * similarity.topk(min(HUB_NEIGHBORS, len(drawn)), 1).values.mean(1)


def continue_matches(matches: Tensor, queries: Tensor, keys: Tensor, *, bonus: float, sweeps: int) -> Tensor:
    """Let cells continue the pieces of their four neighbors where that costs little (Ashikhmin 2001).

    The propagation of PatchMatch (Barnes et al. 2009, section 3.2), for all cells at once: in a sweep each cell tries
    what would continue each neighbor's match and takes the best by similarity, plus `bonus` for each neighbor whose
    piece it continues, less `bonus` for each neighbor that shows the same place (so that no cell is repeated). A sweep
    reaches one cell.

    Args:
        matches: Row and column in the style of what each cell shows, (2, rows, columns).
        queries: (rows, columns, D).
        keys: (style rows, style columns, D).
        bonus: For each neighbor whose piece is continued; similarities of unit vectors are at most 1.
        sweeps: At least 0.

    Returns:
        The matches after the last sweep, like `matches`.
    """
    height, width = keys.shape[:2]
    last = torch.tensor([height - 1, width - 1], device="cpu").view(2, 1, 1).to(matches.device)
    for _ in range(sweeps):
        options, shown = [matches], []
        for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            move = torch.tensor(step, device="cpu").view(2, 1, 1).to(matches.device)
            neighbor = _shifted(matches, *step)
            shown.append(neighbor[0] * width + neighbor[1])
            options.append(torch.minimum((neighbor + move).clamp_(min=0), last))
        flat = [option[0] * width + option[1] for option in options]
        best = torch.full(matches.shape[1:], float("-inf"), dtype=torch.float32, device=matches.device)
        chosen = flat[0]
        for option in flat:
            agreeing = torch.stack([option == neighbor for neighbor in flat[1:]]).sum(0)
            repeating = torch.stack([option == neighbor for neighbor in shown]).sum(0)
            similarity = (queries * keys.flatten(0, 1)[option]).sum(2, dtype=torch.float32)
            similarity = similarity + bonus * (agreeing - repeating)
            better = similarity > best
            best, chosen = torch.where(better, similarity, best), torch.where(better, option, chosen)
        matches = torch.stack((chosen // width, chosen % width))
    return matches


def grow_pieces(
    matches: Tensor,
    queries: Tensor,
    keys: Tensor,
    *,
    bonus: Tensor | float,
    spacing: int,
    generator: torch.Generator,
) -> Tensor:
    """Let each cell continue the piece of a seed near it, where its similarity falls by less than `bonus`.

    Where a photo is flat all cells match one and the same place of the style, which pasted again and again is a weave;
    and no neighbor has a piece to be continued. So scattered seeds spread theirs.

    Args:
        matches: Row and column in the style of what each cell shows, (2, rows, columns).
        queries: (rows, columns, D).
        keys: (style rows, style columns, D).
        bonus: Of all cells, or of each, (rows, columns); where it is 0 only a better match is taken.
        spacing: Of the seeds, about, in cells.
        generator: Source of chance, on the CPU.
    """
    height, width = keys.shape[:2]
    seed = _nearest_seeds(matches.shape[1], matches.shape[2], spacing, generator).to(matches.device)
    cell = torch.stack(torch.meshgrid(*(torch.arange(n, device=seed.device) for n in seed.shape[1:]), indexing="ij"))
    option = matches[:, seed[0], seed[1]] + cell - seed
    last = torch.tensor([height - 1, width - 1], device="cpu").view(2, 1, 1).to(matches.device)
    inside = ((option >= 0) & (option <= last)).all(0)
    option = torch.minimum(option.clamp(min=0), last)
    similarity = [(queries * keys[place[0], place[1]]).sum(2) for place in (matches, option)]
    return torch.where(inside & (similarity[1] + bonus > similarity[0]), option, matches)


def _nearest_seeds(rows: int, columns: int, spacing: int, generator: torch.Generator) -> Tensor:
    """Draw a seed in each square of `spacing` cells, and find the nearest to each cell: row, column (2, rows, columns).

    Of a cell's own square and the eight around it, as in Worley 1996; a seed farther away is hardly ever nearer.
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


def _shifted(grid: Tensor, down: int, across: int) -> Tensor:
    """`grid` (C, rows, columns) moved by at most one cell; what comes in from outside is the border's own."""
    padded = functional.pad(grid[None].float(), (1, 1, 1, 1), mode="replicate")[0].long()
    rows, columns = grid.shape[1:]
    return padded[:, 1 - down : 1 - down + rows, 1 - across : 1 - across + columns]
