"""Quality "high" of `neighbor`: patches where the content matters, larger forms by optimization around it.

A patch is small, so a painting made of patches has the style's strokes but no form larger than they are: no swirl in a
sky, no row of tiles. Optimization at small sizes (Gatys et al. 2016) makes them, but dissolves faces. So the assembled
painting is painted again by `optimization`, coarse to fine; each level starts with the assembled painting where the
content mask is high. The photo is compared in the style's palette, so that none of its colors remain.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from stylizer.methods import PreviewFn, ReportFn, StyleInput, Task
from stylizer.methods.by_region import region_tasks
from stylizer.methods.neighbor import CoarseToFineSynthesis, upsample_like
from stylizer.methods.optimization import RepaintLevel, repaint, repaint_units
from stylizer.methods.scaling import resize_task
from stylizer.synthesis.photo_guide import PhotoGuide
from stylizer.synthesis.pyramid import resize, size_within
from stylizer.tensors import as_floats, spatial_size
from stylizer.tiles import STRIDE, tiles

MAX_SIDE = 1024  # long side in pixels above which a reduced copy is repainted
# Levels of about 128, 256, 512 and 1024 pixels, chosen by eye on 24 pairs.
PLAN = (
    RepaintLevel(steps=100, kept=0.6, content_weight=0.15),
    RepaintLevel(steps=60, kept=0.4, content_weight=0.15),
    RepaintLevel(steps=15, kept=0.75),
    RepaintLevel(steps=6, kept=0.75),
)
MASK_RANGE = (0.4, 0.85)  # content mask up to which nothing is kept, and from which on everything
SYNTHESIS_PART = 8  # the synthesis takes about an eighth of the time of the optimization


def paint_in_larger_forms(task: Task) -> Tensor:
    """Paint `task` at quality "high": (1, 3, H, W)."""
    size = size_within(spatial_size(task.photo), MAX_SIDE)
    units = repaint_units(max(size), PLAN)
    synthesis_units = max(1, units // SYNTHESIS_PART)
    total = synthesis_units + units * len(task.groups())

    def report_synthesis(step: int, of: int, current: PreviewFn) -> None:
        task.report(max(1, synthesis_units * step // of), total, current)

    synthesis = CoarseToFineSynthesis(replace(task, report=report_synthesis))
    painting = as_floats(synthesis.finish())
    small = _at_size(task, size)
    start = resize(painting[0], size)[None]
    keep, photo = _keep(synthesis.photo_guide, size), _recolor(synthesis.photo_guide, small.photo)
    change = torch.zeros_like(start)
    for region, (part, share) in enumerate(_regions(small, size)):
        report = _reporter(task, total, synthesis_units + units * region, painting)
        change += share * repaint(replace(part, photo=photo, report=report), start, keep, PLAN)
    return synthesis.match_palette(painting.add_(upsample_like(change, painting)).clamp_(0, 1))


def _reporter(task: Task, total: int, before: int, painting: Tensor) -> ReportFn:
    """Return a callback that reports progress after `before` of `total` units.

    Its previews show the assembled `painting` while much smaller images are optimized.
    """

    def report(step: int, _of: int, current: PreviewFn) -> None:
        def preview() -> Tensor:
            image = current()
            return painting if 2 * max(image.shape[2:]) < min(MAX_SIDE, max(painting.shape[2:])) else image

        task.report(before + step, total, preview)

    return report


def _regions(task: Task, size: tuple[int, int]) -> list[tuple[Task, Tensor | float]]:
    """Return a task for each region, with its share of each pixel."""
    if task.regions is None:
        return [(task, 1.0)]
    return list(zip(region_tasks(task), task.regions.at(size), strict=True))


def _at_size(task: Task, size: tuple[int, int]) -> Task:
    """Return `task` at `size` (height, width), its styles reduced in proportion."""
    scale = min(1.0, max(size) / max(task.photo.shape[2:]))
    side = max(size) * task.options.style_scale
    styles = tuple(style.at_scale(scale, partial(_picture_within, style, side)) for style in task.styles)
    return replace(resize_task(task, size), styles=styles)


def _picture_within(style: StyleInput, side: float) -> Tensor:
    """Return the picture of a style reduced to a long side of at most `side` pixels, (1, 3, h, w)."""
    picture = style.picture
    return resize(picture[0], size_within(spatial_size(picture), side))[None]


def _recolor(guide: PhotoGuide, photo: Tensor) -> Tensor:
    """Return the whole `photo` (1, 3, H, W) recolored by `guide`."""
    size = spatial_size(photo)
    (tile,) = tiles(size, STRIDE * -(-max(size) // STRIDE))
    return tile.crop(guide.recolor_tile(photo, tile)).clamp(0, 1)


def _keep(guide: PhotoGuide, size: tuple[int, int]) -> Tensor:
    """Return where to keep the assembled painting, (1, 1, H, W) in [0, 1]."""
    low, high = MASK_RANGE
    return ((resize(guide.mask[0], size)[None] - low) / (high - low)).clamp(0, 1)
