"""Patches of a style: matching, usage counts, and assignment among several styles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.patch_search import fit_basis, nearest

ENERGY = 0.95
"""Share of the patches' variance kept by the search basis (Elad & Milanfar 2017, section III-B)."""

USAGE_PENALTY = 0.2
"""Penalty per unit of relative usage, as a multiple of the median matching error."""

USAGE_DECAY = 0.5
"""Weight of the previous usage in the exponential moving average."""

DITHER = 0.5
"""Noise on queries, relative to the matching error. Without it all patches of a flat area have the same match, and the
grid becomes visible."""


def window_means(values: Tensor, side: int) -> Tensor:
    """Return the means of all `side` x `side` windows of `values` (h, w), by a summed-area table.

    Returns:
        (h - side + 1, w - side + 1), in the dtype of `values`.
    """
    table = functional.pad(values.double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    sums = table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    return (sums / side**2).to(values.dtype)


class UsageMap:
    """Usage of each pixel of a style, relative to uniform usage (1).

    Nearest-neighbor search favors bland patches: blurred pictures are nearest to flat ones, and the painting loses the
    style's texture. A penalty for overused parts (the occurrence term of Kaspar et al., "Self Tuning Texture
    Optimization", 2015) makes the painting use all parts of the style in similar proportion.
    """

    def __init__(self) -> None:
        self._share: Tensor | None = None  # (h, w), mean 1
        self.error: Tensor = torch.zeros(1, 1, dtype=torch.float32)
        """Matching error of the last search: mean squared difference of a value, (rows, columns)."""

    def penalty(self, size: tuple[int, int], patch: int, stride: int, values: int) -> Tensor | None:
        """Return the penalty on the squared distance of each candidate, (M,), or None before the first `record`."""
        share = self._resized_share(size)
        if share is None:
            return None
        # The median: errors of textured areas must not set the penalty in flat ones, where all candidates are near.
        price = USAGE_PENALTY * self.error.median() * values
        return price * window_means(share, patch)[::stride, ::stride].flatten()

    def record(self, size: tuple[int, int], tops: Tensor, lefts: Tensor, patch: int, error: Tensor) -> None:
        """Record the use of patches with these corners in a style of `size` (height, width)."""
        hits = error.new_zeros(size[0] + patch - 1, size[1] + patch - 1)
        hits.index_put_((tops + patch - 1, lefts + patch - 1), error.new_ones(len(tops)), accumulate=True)
        cover = window_means(hits, patch)
        share = cover / cover.mean()
        before = self._resized_share(size)
        if before is not None:
            share = USAGE_DECAY * before + (1 - USAGE_DECAY) * share
        self._share, self.error = share, error

    def _resized_share(self, size: tuple[int, int]) -> Tensor | None:
        """Return the usage resampled to the style's `size` (height, width), which changes only between levels."""
        if self._share is None or self._share.shape == size:
            return self._share
        return functional.interpolate(self._share[None, None], size, mode="bilinear", align_corners=False)[0, 0]


class PatchSource:
    """Candidate patches of one size, of one style at one scale.

    Args:
        image: The style, (3, h, w), at least `patch` on each side.
        usage: Usage map of the style, shared by all its scales.
        patch: Side of the patches in pixels.
        stride: Distance between candidates in pixels; 1 for all.
        generator: Random generator, on the CPU, so that a seed gives the same noise on every device.
    """

    def __init__(self, image: Tensor, usage: UsageMap, *, patch: int, stride: int, generator: torch.Generator):
        self._image = image
        self._usage = usage
        self._patch = patch
        self._stride = stride
        self._generator = generator
        self._basis = fit_basis(image, patch, ENERGY, generator)
        self._candidates = self._basis.describe(image, stride)

    def match(self, padded: Tensor, grid: PatchGrid, inside: Tensor | None = None) -> Tensor:
        """Return the best match for every patch of `padded` on `grid`: (3, rows, columns, patch, patch).

        With `inside`, (rows, columns), only those positions are matched; the patches of the others are arbitrary.
        """
        size = (self._image.shape[1], self._image.shape[2])
        values = len(self._basis.mean)
        queries = self._basis.describe_grid(padded, grid)
        queries = self._dither(queries, grid, values)
        penalty = self._usage.penalty(size, self._patch, self._stride, values)
        columns = (size[1] - self._patch) // self._stride + 1
        if inside is None:
            best = nearest(queries, self._candidates, penalty)
            error = (queries - self._candidates[best]).square().sum(1).view(grid.rows, grid.columns) / values
            tops, lefts = best // columns * self._stride, best % columns * self._stride
            self._usage.record(size, tops, lefts, self._patch, error)
        else:
            positions = inside.flatten().nonzero()[:, 0]
            best = positions.new_zeros(len(queries))
            if len(positions):
                queries = queries[positions]
                found = nearest(queries, self._candidates, penalty)
                errors = (queries - self._candidates[found]).square().sum(1) / values
                error = errors.mean().expand(len(best)).index_copy(0, positions, errors)
                tops, lefts = found // columns * self._stride, found % columns * self._stride
                self._usage.record(size, tops, lefts, self._patch, error.view(grid.rows, grid.columns))
                best[positions] = found
            tops, lefts = best // columns * self._stride, best % columns * self._stride
        patches = self._image.unfold(1, self._patch, 1).unfold(2, self._patch, 1)[:, tops, lefts]
        return torch.unflatten(patches, 1, (grid.rows, grid.columns))

    def _dither(self, queries: Tensor, grid: PatchGrid, values: int) -> Tensor:
        """Add noise to the queries, in proportion to the last matching error at their positions."""
        error = self._usage.error.to(queries.device)
        error = functional.interpolate(error[None, None], (grid.rows, grid.columns), mode="bilinear").flatten()
        spread = DITHER * (error * values / queries.shape[1]).sqrt()
        noise = torch.randn(queries.shape, generator=self._generator, dtype=queries.dtype)
        return queries + spread[:, None] * noise.to(queries.device)


def assign_patches(
    padded: Tensor,
    grid: PatchGrid,
    patches: Sequence[Tensor],
    shares: Sequence[float],
    inside: Tensor | None = None,
) -> Tensor:
    """Assign each position of a grid to one of several styles: index of the style, (rows, columns).

    Each style gets its share of the positions, where its patches differ least from the picture.

    Args:
        padded: The current picture, (3, *grid.padded_size).
        grid: The positions.
        patches: Candidate patches of each style, (3, rows, columns, patch, patch).
        shares: Share of each style; they sum to 1.
        inside: Positions that count, (rows, columns); by default all. The others get an arbitrary style.
    """
    size = grid.rows, grid.columns
    if len(patches) == 1:
        return torch.zeros(size, dtype=torch.long, device=padded.device)
    costs = [_mean_squared_difference(padded, grid, candidate) for candidate in patches]
    owner = torch.zeros(size[0] * size[1], dtype=torch.long, device=padded.device)
    chosen, shared = costs[0], shares[0]
    for added, (cost, share) in enumerate(zip(costs[1:], shares[1:], strict=True), 1):
        shared += share
        # Cost reduction by the added style, smoothed so that the styles form regions.
        gain = functional.avg_pool2d((chosen - cost)[None], 3, 1, 1, count_include_pad=False)[0].flatten()
        # Each existing style gives up the same fraction of its positions, so that shares stay in proportion.
        for existing in range(added):
            owned = owner == existing
            members = (owned if inside is None else owned & inside.flatten()).nonzero()[:, 0]
            order = members[gain[members].argsort(descending=True, stable=True)]
            owner[order[: round(len(members) * share / shared)]] = added
        chosen = torch.where(owner.view(size) == added, cost, chosen)
    return owner.view(size)


def assign_patches_by_region(
    padded: Tensor,
    grid: PatchGrid,
    patches: Sequence[Tensor],
    shares: Sequence[float],
    groups: Sequence[Sequence[int]],
    regions: Tensor,
) -> Tensor:
    """Assign each position of a grid to one of the styles of its region: index of the style, (rows, columns).

    Args:
        padded: The current picture, (3, *grid.padded_size).
        grid: The positions.
        patches: Candidate patches of each style, (3, rows, columns, patch, patch).
        shares: Share of each style in its region.
        groups: Indices of the styles of each region.
        regions: Region of each position, (rows, columns).
    """
    owner = torch.zeros_like(regions)
    for region, group in enumerate(groups):
        inside = regions == region
        chosen = assign_patches(
            padded, grid, [patches[style] for style in group], [shares[style] for style in group], inside
        )
        styles = torch.tensor(group, device="cpu").to(owner.device)
        owner = torch.where(inside, styles[chosen], owner)
    return owner


def keep_in_region(owner: Tensor, groups: Sequence[Sequence[int]], regions: Tensor) -> Tensor:
    """Replace each style in `owner` that is not one of its position's region by the region's first.

    Args:
        owner: Index of the style assigned to each position, (rows, columns).
        groups: Indices of the styles of each region.
        regions: Region of each position, (rows, columns).
    """
    for region, group in enumerate(groups):
        belongs = torch.isin(owner, torch.tensor(group, device="cpu").to(owner.device))
        owner = torch.where((regions == region) & ~belongs, group[0], owner)
    return owner


def select_patches(patches: Sequence[Tensor], owner: Tensor) -> Tensor:
    """Select the patch of the assigned style at each position.

    Args:
        patches: Candidate patches of each style, (3, rows, columns, patch, patch).
        owner: Index of the assigned style, (rows, columns).
    """
    chosen = patches[0]
    for style, candidate in enumerate(patches[1:], 1):
        chosen = torch.where((owner == style)[None, :, :, None, None], candidate, chosen)
    return chosen


def _mean_squared_difference(padded: Tensor, grid: PatchGrid, patches: Tensor) -> Tensor:
    """Return the mean squared difference of each patch from the picture at its position, (rows, columns)."""
    return (grid.extract(padded) - patches).square_().mean(dim=(0, 3, 4))
