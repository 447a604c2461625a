"""Painting of a task with regions, region by region, for methods that know nothing of regions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from stylizer.methods import PreviewFn, Task
from stylizer.regions import BAND, Regions
from stylizer.synthesis.pyramid import resize
from stylizer.tensors import as_bytes, as_floats, spatial_size
from stylizer.tiles import tiles

STEPS = 1000  # units of progress of each region


def paint_by_region(task: Task, paint: Callable[[Task], Tensor]) -> Tensor:
    """Paint each region of `task` by `paint`, which gets the region as its mask, and composite: (1, 3, H, W)."""
    assert task.regions is not None
    painting = _Composite(task.regions)
    for region, part in enumerate(region_tasks(task)):
        painting.add(paint(replace(part, report=partial(_report, task, painting, region))))
    return painting.finished


def region_tasks(task: Task) -> Iterator[Task]:
    """Yield a task for each region, with the region's styles, and its share of each pixel as the mask."""
    assert task.regions is not None
    for styles, share in zip(task.groups(), task.regions.shares[0], strict=True):
        mask = resize(share[None], spatial_size(task.photo))[None]
        yield replace(task, styles=styles, mask=mask if task.mask is None else mask * task.mask, regions=None)


class _Composite:
    """Paintings of the regions, blended by their shares as they are finished."""

    def __init__(self, regions: Regions) -> None:
        self._regions = regions
        self._painting: Tensor | None = None
        self._count = 0

    @property
    def finished(self) -> Tensor:
        """The composite of all paintings added so far, (1, 3, H, W)."""
        assert self._painting is not None
        return as_floats(self._painting)

    def add(self, painted: Tensor) -> None:
        """Blend in the painting of the next region, (1, 3, H, W)."""
        # Kept as bytes while others are painted: a picture of 50 megapixels takes 600 MB as floats.
        if self._painting is None:
            self._painting = as_bytes(painted)
        else:
            size = spatial_size(painted)
            for tile in tiles(size, BAND, reach=0):
                share = self._share(tile.crop(self._regions.over(tile, size)[None])[0])
                view = tile.view(self._painting)
                view.copy_(as_bytes(torch.lerp(as_floats(view), tile.view(painted), share)))
        self._count += 1

    def preview(self, current: Tensor) -> Tensor:
        """Return `current`, the unfinished painting of the next region, (1, 3, h, w), with the composite so far."""
        if self._painting is None:
            return current
        size = spatial_size(current)
        share = self._share(self._regions.at(size))
        return torch.lerp(resize(as_floats(self._painting)[0], size), current[0], share)[None]

    def _share(self, shares: Tensor) -> Tensor:
        """Return the share of the next region among those up to it, (h, w)."""
        return shares[self._count] / shares[: self._count + 1].sum(0).clamp(min=1e-6)


def report_region(task: Task, region: int, step: int, total: int, current: PreviewFn) -> None:
    """Report `step` of `total` of one of the regions of `task` as progress of all of them."""
    task.report(round(STEPS * (region + step / total)), STEPS * len(task.groups()), current)


def _report(task: Task, painting: _Composite, region: int, step: int, total: int, current: PreviewFn) -> None:
    report_region(task, region, step, total, lambda: painting.preview(current()))
