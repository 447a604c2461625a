"""A style as a stock of patches: what is pasted, from where, and how often already."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.patch_search import fit_basis, nearest

ENERGY = 0.95
"""Share of the patches' variance that the search looks at (Elad & Milanfar 2017, section III-B)."""

EVENNESS = 0.2
"""How much a patch from a part used twice as often as others is held back, relative to the usual distance."""

MEMORY = 0.5
"""Weight of what was used before against what is used now."""

DITHER = 0.5
"""Noise on what is searched for, relative to the distance of what is found: without it neighbors in a flat area all
take the same patch, and the grid shows as a weave."""


def window_means(values: Tensor, side: int) -> Tensor:
    """Mean of each window of `side` x `side` values in (h, w): (h - side + 1, w - side + 1), by a summed-area table."""
    table = functional.pad(values.double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    sums = table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    return (sums / side**2).to(values.dtype)


class UsageMap:
    """How often each pixel of a style was pasted, relative to its fair share of 1.

    The nearest patch alone is too often a bland one: blurred pictures are nearest to flat patches, and the painting
    loses the style's texture. So what is overused costs more (the occurrence term of Kaspar et al., "Self Tuning
    Texture Optimization", 2015), and the painting comes to hold what the style holds, in like proportion.
    """

    def __init__(self) -> None:
        self._share: Tensor | None = None  # (h, w), mean 1
        self.error: Tensor = torch.zeros(1, 1, dtype=torch.float32)
        """How far the last patches were from their nearest: mean squared difference of a value, (rows, columns)."""

    def penalty(self, size: tuple[int, int], patch: int, stride: int, values: int) -> Tensor | None:
        """What to add to the squared distance of each candidate, (M,); None as long as nothing was pasted."""
        share = self._share_at(size)
        if share is None:
            return None
        # The median: a flat area, where all patches are near, must not pay the price of a busy one for another patch.
        price = EVENNESS * self.error.median() * values
        return price * window_means(share, patch)[::stride, ::stride].flatten()

    def record(self, size: tuple[int, int], tops: Tensor, lefts: Tensor, patch: int, error: Tensor) -> None:
        """Note that patches with these corners were pasted from a style of `size` (height, width)."""
        hits = error.new_zeros(size[0] + patch - 1, size[1] + patch - 1)
        hits.index_put_((tops + patch - 1, lefts + patch - 1), error.new_ones(len(tops)), accumulate=True)
        cover = window_means(hits, patch)
        share = cover / cover.mean()
        before = self._share_at(size)
        if before is not None:
            share = MEMORY * before + (1 - MEMORY) * share
        self._share, self.error = share, error

    def _share_at(self, size: tuple[int, int]) -> Tensor | None:
        """The shares so far for the style at `size` (height, width); it changes from level to level only."""
        if self._share is None or self._share.shape == size:
            return self._share
        return functional.interpolate(self._share[None, None], size, mode="bilinear", align_corners=False)[0, 0]


class PatchSource:
    """All patches of one style at one scale and of one size, ready to be searched.

    Args:
        image: The style, (3, h, w), at least `patch` on each side.
        usage: How often each part was used so far; goes with the style from scale to scale.
        patch: Side of the patches.
        stride: Distance between patches that are looked at; 1 for all.
        generator: Source of chance, on the CPU: so a seed means the same noise on every device.
    """

    def __init__(self, image: Tensor, usage: UsageMap, *, patch: int, stride: int, generator: torch.Generator):
        self._image = image
        self._usage = usage
        self._patch = patch
        self._stride = stride
        self._generator = generator
        self._basis = fit_basis(image, patch, ENERGY, generator)
        self._candidates = self._basis.describe(image, stride)

    def match(self, padded: Tensor, grid: PatchGrid) -> Tensor:
        """For every patch that `grid` cuts out of `padded` the best of the style: (3, rows, columns, patch, patch)."""
        size = (self._image.shape[1], self._image.shape[2])
        values = len(self._basis.mean)
        queries = self._basis.describe_grid(padded, grid)
        queries = self._dither(queries, grid, values)
        best = nearest(queries, self._candidates, self._usage.penalty(size, self._patch, self._stride, values))
        error = (queries - self._candidates[best]).square().sum(1).view(grid.rows, grid.columns) / values
        columns = (size[1] - self._patch) // self._stride + 1
        tops, lefts = best // columns * self._stride, best % columns * self._stride
        self._usage.record(size, tops, lefts, self._patch, error)
        patches = self._image.unfold(1, self._patch, 1).unfold(2, self._patch, 1)[:, tops, lefts]
        return torch.unflatten(patches, 1, (grid.rows, grid.columns))

    def _dither(self, queries: Tensor, grid: PatchGrid, values: int) -> Tensor:
        """Queries with noise on them, in proportion to how far from the style the picture was there before."""
        error = self._usage.error.to(queries.device)
        error = functional.interpolate(error[None, None], (grid.rows, grid.columns), mode="bilinear").flatten()
        spread = DITHER * (error * values / queries.shape[1]).sqrt()
        noise = torch.randn(queries.shape, generator=self._generator, dtype=queries.dtype)
        return queries + spread[:, None] * noise.to(queries.device)


def assign_patches(padded: Tensor, grid: PatchGrid, patches: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Assign each place of a grid to one of several styles: index of the style, (rows, columns).

    Each style gets its share of the places, where its patches differ least from the picture.

    Args:
        padded: The picture so far, (3, *grid.padded_size).
        grid: The places.
        patches: What each style would paste everywhere, (3, rows, columns, patch, patch).
        shares: Of the whole; they sum to 1.
    """
    size = grid.rows, grid.columns
    if len(patches) == 1:
        return torch.zeros(size, dtype=torch.long, device=padded.device)
    costs = [_misfit(padded, grid, offer) for offer in patches]
    owner = torch.zeros(size[0] * size[1], dtype=torch.long, device=padded.device)
    chosen, shared = costs[0], shares[0]
    for newcomer, (cost, share) in enumerate(zip(costs[1:], shares[1:], strict=True), 1):
        shared += share
        # How much less the newcomer costs than what is chosen so far, smoothed so that the styles form regions.
        gain = functional.avg_pool2d((chosen - cost)[None], 3, 1, 1, count_include_pad=False)[0].flatten()
        # Each of those before gives up the same part of its own, so that every one keeps its share.
        for earlier in range(newcomer):
            own = (owner == earlier).nonzero()[:, 0]
            order = own[gain[own].argsort(descending=True, stable=True)]
            owner[order[: round(len(own) * share / shared)]] = newcomer
        chosen = torch.where(owner.view(size) == newcomer, cost, chosen)
    return owner.view(size)


def select_patches(patches: Sequence[Tensor], owner: Tensor) -> Tensor:
    """Take each place's patch from the style that owns it.

    Args:
        patches: Of each style, (3, rows, columns, patch, patch).
        owner: Index of the style, (rows, columns).
    """
    chosen = patches[0]
    for style, offer in enumerate(patches[1:], 1):
        chosen = torch.where((owner == style)[None, :, :, None, None], offer, chosen)
    return chosen


def _misfit(padded: Tensor, grid: PatchGrid, patches: Tensor) -> Tensor:
    """Mean squared difference of each patch to the picture under it, (rows, columns)."""
    return (grid.cut(padded) - patches).square_().mean(dim=(0, 3, 4))
