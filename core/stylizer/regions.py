"""Regions of a painting: which styles paint where, by soft masks.

The styles without a mask form one region, a blend, which covers what no mask does. Each style with a mask is a region
of its own. Where masks overlap, styles share a pixel in proportion to weight times mask; the sum of the masks, at most
1, is how much of the pixel they cover. If every style has a mask, the photo shows through the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.synthesis.pyramid import resize, size_within
from stylizer.tensors import spatial_size
from stylizer.tiles import Tile, tiles

MAX_SIDE = 2048  # long side in pixels at which shares are stored, which bounds their memory
FIELD_SIDE = 96  # nodes of the threshold field along the long side
# Long sides in pixels, and weights, of the reduced masks that extend regions beyond all masks, nearest first.
EXTENSIONS = ((32, 1e-4), (8, 1e-6), (2, 1e-8))
BAND = 1024  # side of the tiles in which a large picture is composited


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Shares of two or more regions at each pixel.

    Attributes:
        groups: Indices of the styles of each region.
        shares: Share of each region, (1, R, h, w), summing to 1; a long side of at most `MAX_SIDE`.
        coverage: Opacity of the painting over the photo, (1, 1, h, w) in [0, 1].
        thresholds: Smooth noise with uniform values in [0, 1], (1, 1, n, m), by which patches are assigned.
    """

    groups: tuple[tuple[int, ...], ...]
    shares: Tensor
    coverage: Tensor
    thresholds: Tensor

    def at(self, size: tuple[int, int]) -> Tensor:
        """Return the shares at `size` (height, width), (R, h, w)."""
        shares = resize(self.shares[0], size)
        return shares / shares.sum(0, keepdim=True).clamp(min=1e-6)

    def over(self, tile: Tile, size: tuple[int, int]) -> Tensor:
        """Return the shares over the context of `tile` of a picture of `size` (height, width), (R, h, w)."""
        return tile.resample(self.shares, size)[0]

    def owners(self, rows: int, columns: int) -> Tensor:
        """Assign the cells of a grid over the picture to regions: index of the region, (rows, columns).

        A region gets its share of the cells. The smooth thresholds make cells of one region cluster where shares are
        between 0 and 1, so a soft edge is a jagged seam between whole strokes instead of a cross-fade.
        """
        shares = functional.adaptive_avg_pool2d(self.at(_at_least(self.shares, rows, columns)), (rows, columns))
        thresholds = functional.interpolate(self.thresholds, (rows, columns), mode="bilinear", align_corners=False)
        below = shares.cumsum(0)[:-1] <= thresholds[0].clamp(1e-3, 1 - 1e-3)
        return below.sum(0)

    def pixels_of(self, region: int, picture: Tensor) -> Tensor:
        """Return the pixels of `picture` (C, h, w) that mostly belong to a region, (C, 1, n); all if there are few."""
        size = picture.shape[1], picture.shape[2]
        share = self.at(size)[region] * resize(self.coverage[0], size)[0]
        for threshold in (0.5, 0.05):
            inside = share > threshold
            if int(inside.sum()) >= min(64, inside.numel()):
                return picture[:, inside][:, None]
        return picture

    def mix(self, picture: Tensor, transforms: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        """Apply the transform of each region to `picture` (3, h, w), and blend the results by the shares."""
        return mix(picture, transforms, self.at((picture.shape[1], picture.shape[2])))

    def mix_(self, painting: Tensor, transforms: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        """Do the same in place to a large `painting` (1, 3, H, W), tile by tile."""
        size = spatial_size(painting)
        for tile in tiles(size, BAND, reach=0):
            view, shares = tile.view(painting)[0], tile.crop(self.over(tile, size)[None])[0]
            view.copy_(mix(view.clone(), transforms, shares))
        return painting


def mix(picture: Tensor, transforms: Sequence[Callable[[Tensor], Tensor]], shares: Tensor) -> Tensor:
    """Apply each transform to `picture` (3, h, w), and sum the results weighted by `shares` (R, h, w)."""
    mixed = torch.zeros_like(picture)
    for transform, share in zip(transforms, shares, strict=True):
        if share.any():
            mixed += share * transform(picture)
    return mixed


class RegionMasks:
    """Accumulates the masks of styles, one at a time, since each is as large as the painting."""

    def __init__(self, weights: Sequence[float], masked: Sequence[bool]) -> None:
        """Initialize.

        Args:
            weights: Weight of each style.
            masked: Whether it has a mask.
        """
        self._weights = weights
        self._unmasked = tuple(style for style, has_mask in enumerate(masked) if not has_mask)
        self._masked = tuple(style for style, has_mask in enumerate(masked) if has_mask)
        self._masks: list[Tensor] = []
        self.coverage: Tensor | None = None
        """Opacity of the painting over the photo, (1, 1, H, W); None where the whole photo is painted."""

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the styles of each region."""
        return (*((self._unmasked,) if self._unmasked else ()), *((style,) for style in self._masked))

    def add(self, mask: Tensor) -> None:
        """Add the mask, (1, 1, H, W) in [0, 1], of the next style that has one."""
        if not self._unmasked:
            self.coverage = mask if self.coverage is None else self.coverage.add(mask).clamp_(max=1)
        self._masks.append(resize(mask[0], size_within(spatial_size(mask), MAX_SIDE)))

    def regions(self, seed: int) -> Regions | None:
        """Return the regions; None if there is only one."""
        if len(self.groups) == 1:
            return None
        masks = torch.cat(self._masks)
        size = masks.shape[1], masks.shape[2]
        coverage = masks.sum(0, keepdim=True).clamp_(max=1)
        weights = torch.tensor([self._weights[style] for style in self._masked], device="cpu").to(masks)
        weighted = masks * (weights / weights.max())[:, None, None]
        if self._unmasked:
            within = weighted / weighted.sum(0, keepdim=True).clamp(min=1e-9)
            shares = torch.cat((1 - coverage, coverage * within))
            coverage = torch.ones_like(coverage)
        else:  # Patches reach beyond the masks: outside, the nearest region continues.
            for side, weight in EXTENSIONS:
                far = functional.adaptive_avg_pool2d(masks, size_within(size, side))
                extension = functional.interpolate(far[None], size, mode="bilinear", align_corners=False)[0]
                weighted = weighted + weight * extension
            weighted = weighted + 1e-10
            shares = weighted / weighted.sum(0, keepdim=True)
        return Regions(self.groups, shares[None], coverage[None], _threshold_field(size, seed).to(masks.device))


def _threshold_field(size: tuple[int, int], seed: int) -> Tensor:
    """Return smooth noise for a picture of `size` (height, width), with uniformly distributed values: (1, 1, n, m)."""
    rows, columns = size_within(size, FIELD_SIDE)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 1, rows, columns, generator=generator, dtype=torch.float32)
    smooth = functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False).flatten()
    ranks = smooth.argsort().argsort().to(torch.float32)
    return ((ranks + 0.5) / len(ranks)).view(1, 1, rows, columns)


def _at_least(shares: Tensor, rows: int, columns: int) -> tuple[int, int]:
    """Return the size of `shares` (1, R, h, w), or the grid's where that is finer."""
    return max(rows, shares.shape[2]), max(columns, shares.shape[3])
