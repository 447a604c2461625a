"""Neural style transfer in one pass of a network, in any style: a fraction of a second, at any size.

After AdaIN (Huang & Belongie 2017, arXiv 1703.06868), whose idea is to give a photo's features the statistics of the
style's and to decode them; MicroAST (Wang et al. 2023, arXiv 2211.15313), whose filters the style modulates; and
thumbnail instance normalization (Chen et al. 2021, arXiv 2103.11784), which takes statistics once for all tiles of a
large picture. Where this leaves the papers: covariances are matched, not only deviations, by optimal transport (Lu et
al. 2019, arXiv 1906.00668), at four scales and in the colors; and everything that does not depend on the place is
multiplied into the weights before the pass.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.feedforward import network as networks
from stylizer.feedforward.grain import Grain
from stylizer.feedforward.looks import Look
from stylizer.feedforward.network import Network
from stylizer.feedforward.tiles import STRIDE, tiles
from stylizer.methods import Largest, Report, Style, Task
from stylizer.options import SIZE_RANGE, STYLE_SCALE_RANGE, FeaturesName
from stylizer.synthesis.pyramid import resize

LARGEST: dict[FeaturesName | None, Largest] = {
    "compact": Largest(size=SIZE_RANGE[1], style_size=round(SIZE_RANGE[1] * STYLE_SCALE_RANGE[1]))
}
TAKES_CONTENT_MASK = False
# The network draws strokes of a certain number of pixels, learned from styles of this size.
LARGEST_STROKES = 512

TILE = 1024  # pixels a side
# What the network leaves for optimization to do at quality "high" is found on a picture of this long side at most.
REFINED = 1024
STEPS = 20

# A little strength is a step toward the painting; where the network has to show the photo itself it is not exact, so
# below this strength its painting of this strength is mixed with the photo.
FAINT = 0.15


def paint(task: Task) -> Tensor:
    """Paint `task.photo` in the looks of `task.styles`: (1, 3, H, W)."""
    nothing_to_paint = task.mask is not None and not task.mask.any()
    if task.options.strength == 0 or nothing_to_paint:
        task.report(1, 1, lambda: task.photo)
        return task.photo
    with torch.inference_mode():
        if task.options.quality == "draft":
            return _enlarged(_paint_once(_halved(task)), task.photo)
        if task.options.quality == "high":
            return _paint_and_refine(task)
        return _paint_once(task)


def _paint_once(task: Task) -> Tensor:
    """The painting by one pass of the network over each tile."""
    network, grain, photo = networks.load(), Grain(task.options.seed), task.photo
    strength = task.options.strength
    cut = list(tiles(photo, TILE))
    # For all tiles alike, large photos are judged by a thumbnail.
    size = _at_most(TILE, photo)
    thumbnail = resize(photo[0], size)[None]
    mask = None if task.mask is None else resize(task.mask[0], size)[None]
    sight = network.see(thumbnail, next(tiles(thumbnail, TILE)), grain)
    own = network.photo_look(sight, mask)
    wanted = Look.mix([(_style_look(network, style), style.share) for style in task.styles])
    recipe = network.decoder.prepare(own, own.toward(wanted, max(strength, FAINT)))
    painting = photo.clone()
    for done, tile in enumerate(cut, 1):
        if len(cut) > 1:
            sight = network.see(photo, tile, grain)
        tile.of(painting).lerp_(network.paint(sight, recipe), min(1.0, strength / FAINT))
        task.report(done, len(cut), lambda: painting)
    return painting


def _paint_and_refine(task: Task) -> Tensor:
    """The painting, changed as optimization changes it at the size of a thumbnail."""
    from stylizer.methods import optimization  # which most paintings do without

    passes = len(list(tiles(task.photo, TILE)))
    painting = _paint_once(replace(task, report=_part(task.report, 0, passes + STEPS)))
    size = _at_most(REFINED, task.photo)
    small = replace(
        task,
        photo=resize(task.photo[0], size)[None],
        mask=None if task.mask is None else resize(task.mask[0], size)[None],
        report=_part(task.report, passes, passes + STEPS),
    )
    change = optimization.refine(small, resize(painting[0], size)[None], STEPS)
    return painting.add_(_enlarged(change, painting)).clamp_(0, 1)


def _part(report: Report, before: int, total: int) -> Report:
    """Reports on a part of the work, as reports on the whole of it."""
    return lambda done, _, current: report(before + done, total, current)


def _halved(task: Task) -> Task:
    """The same at half the size."""
    height, width = (max(STRIDE, round(side / 2)) for side in task.photo.shape[2:])
    return replace(
        task,
        photo=resize(task.photo[0], (height, width))[None],
        mask=None if task.mask is None else resize(task.mask[0], (height, width))[None],
        styles=tuple(Style(partial(_half, style), style.share) for style in task.styles),
    )


def _half(style: Style) -> Tensor:
    height, width = (max(STRIDE, round(side / 2)) for side in style.picture.shape[2:])
    return resize(style.picture[0], (height, width))[None]


def _enlarged(picture: Tensor, like: Tensor) -> Tensor:
    """`picture` (1, 3, h, w) at the size of `like`; unlike `resize` it leaves values outside [0, 1] as they are."""
    return functional.interpolate(picture, like.shape[2:], mode="bicubic", align_corners=False)


def _at_most(side: int, photo: Tensor) -> tuple[int, int]:
    """Height and width of `photo` (1, 3, H, W), scaled down to a long side of at most `side` pixels."""
    height, width = photo.shape[2:]
    scale = min(1.0, side / max(height, width))
    return max(STRIDE, round(height * scale)), max(STRIDE, round(width * scale))


def _style_look(network: Network, style: Style) -> Look:
    """What a style looks like: as stored, or by looking at it."""
    return network.style_look(style.picture) if style.look is None else Look.load(style.look)
