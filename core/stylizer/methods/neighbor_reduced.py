"""Stages of `neighbor` on a reduced copy: the coarse painting, and at quality "high" a refinement.

A painting made of patches alone has the style's strokes, but no swirl in a sky and no row of tiles. At small sizes the
coarse decoder of `feedforward` paints such forms in one pass, and optimization (Gatys et al. 2016) at a small part of
its usual cost. Both dissolve faces, which come back at finer levels: there the guide is the photo where the content
mask is high (`PhotoGuide.with_coarse`). A few steps on the finished painting join what the patches have cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from stylizer.methods import StyleInput, Task
from stylizer.methods.by_region import region_tasks, report_region
from stylizer.methods.feedforward import coarse_painter
from stylizer.methods.optimization import paint_with_steps, refine
from stylizer.methods.scaling import resize_task, upsample_like
from stylizer.options import Quality
from stylizer.synthesis.photo_guide import PhotoGuide
from stylizer.synthesis.pyramid import resize, size_within
from stylizer.tensors import spatial_size
from stylizer.tiles import STRIDE, tiles


class Plan(NamedTuple):
    """Settings of a quality, chosen by blind comparisons on 24 pairs.

    Attributes:
        coarse_side: Long side in pixels of the coarse painting, at most that of the output.
        photo_range: As in `PhotoGuide`.
        coarse_steps: Steps of optimization for the coarse painting, at levels of about 128 and 256 pixels; none for
            the coarse decoder.
        refinement_steps: Steps of optimization on the finished painting.
        search_stride: As in `neighbor_search.search`, at a long side of about 512 pixels.
    """

    coarse_side: int
    photo_range: tuple[float, float]
    coarse_steps: tuple[int, ...] = ()
    refinement_steps: int = 0
    search_stride: int = 2

    @property
    def coarse_units(self) -> int:
        """Cost of the coarse painting of a region, in steps of optimization at its first level."""
        return max(1, sum(count << 2 * level for level, count in enumerate(self.coarse_steps)))

    @property
    def refinement_units(self) -> int:
        """Cost of the refinement of a region, in the same unit."""
        return 16 * self.refinement_steps


PLANS: dict[Quality, Plan] = {
    "draft": Plan(128, (0.2, 0.6)),
    "standard": Plan(128, (0.2, 0.6)),
    "high": Plan(256, (0.4, 0.85), (100, 30), refinement_steps=12, search_stride=1),
}
CONTENT_WEIGHT = 0.15  # of the content loss, in all steps of optimization
REFINED_SIDE = 512  # long side in pixels above which a reduced copy is refined
PRIOR_STEPS = 0.25  # share of the steps when the painting of the frame before is the start


def paint_coarse(task: Task, guide: PhotoGuide) -> PhotoGuide:
    """Paint a reduced copy of `task`, and return `guide` with it.

    The photo is painted in the style's palette, so that none of its colors remain.
    """
    plan = PLANS[task.options.quality]
    small = _reduced(task, guide, plan.coarse_side)
    paint = partial(_optimize, steps=plan.coarse_steps) if plan.coarse_steps else _paint_by_decoder
    painting = _by_region(small, small.photo, paint)
    return guide.with_coarse(
        painting, small.photo, detail_suppression=task.options.strength, photo_range=plan.photo_range
    )


def _paint_by_decoder(task: Task) -> Tensor:
    """Paint the reduced `task` by the coarse decoder: (1, 3, H, W)."""
    painting = torch.lerp(task.photo, coarse_painter(task)(task.photo), task.options.strength)
    if task.hints is not None:
        painting = task.hints.blend_prior(painting)
    task.report(1, 1, lambda: painting)
    return painting


def _optimize(task: Task, steps: tuple[int, ...]) -> Tensor:
    """Paint the reduced `task` by steps of optimization: (1, 3, H, W)."""
    initial = None
    if task.hints is not None and task.hints.prior is not None:
        steps = tuple(round(PRIOR_STEPS * count) for count in steps)
        initial = task.hints.blend_prior(task.photo)
    return paint_with_steps(task, steps, CONTENT_WEIGHT, initial)


def refine_painting(task: Task, guide: PhotoGuide, painting: Tensor) -> Tensor:
    """Refine `painting` (1, 3, H, W), in [0, 1], in place; above `REFINED_SIDE` by the change of a reduced copy."""
    plan = PLANS[task.options.quality]
    small = _reduced(task, guide, REFINED_SIDE)
    start = resize(painting[0], spatial_size(small.photo))[None]
    none = torch.zeros_like(start)
    change = _by_region(small, none, lambda part: refine(part, start, plan.refinement_steps, CONTENT_WEIGHT))
    return painting.add_(upsample_like(change, painting)).clamp_(0, 1)


def _by_region(task: Task, unpainted: Tensor, paint: Callable[[Task], Tensor]) -> Tensor:
    """Return the result of `paint` for each region, blended by the regions' shares: (1, 3, H, W).

    Of a region that the mask hides, it is `unpainted`.
    """
    if task.regions is None:
        return paint(task)
    shares = task.regions.at(spatial_size(task.photo))
    blend = torch.zeros_like(task.photo)
    for region, (part, share) in enumerate(zip(region_tasks(task), shares, strict=True)):
        is_hidden = part.mask is not None and not part.mask.any()
        blend += share * (unpainted if is_hidden else paint(replace(part, report=partial(report_region, task, region))))
    return blend


def _reduced(task: Task, guide: PhotoGuide, side: int) -> Task:
    """Return `task` with a long side of at most `side` pixels, its photo recolored by `guide`, its styles reduced."""
    size = size_within(spatial_size(task.photo), side)
    scale, style_side = max(size) / max(spatial_size(task.photo)), max(size) * task.options.style_scale
    styles = tuple(style.at_scale(scale, partial(_picture_within, style, style_side)) for style in task.styles)
    # Patches are matched in color; the caller takes the lightness of the finished painting.
    small = replace(resize_task(task, size), styles=styles, options=replace(task.options, preserve_color="none"))
    (tile,) = tiles(size, STRIDE * -(-max(size) // STRIDE))
    return replace(small, photo=tile.crop(guide.recolor_tile(small.photo, tile)).clamp(0, 1))


def _picture_within(style: StyleInput, side: float) -> Tensor:
    """Return the picture of a style reduced to a long side of at most `side` pixels, (1, 3, h, w)."""
    picture = style.picture
    return resize(picture[0], size_within(spatial_size(picture), side))[None]
