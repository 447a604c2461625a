"""Neural style transfer in one pass of a network, in any style: a fraction of a second, at any size.

After AdaIN (Huang & Belongie 2017, arXiv 1703.06868), whose idea is to give a photo's features the statistics of the
style's and to decode them; MicroAST (Wang et al. 2023, arXiv 2211.15313), whose filters the style modulates; and
thumbnail instance normalization (Chen et al. 2021, arXiv 2103.11784), which takes statistics once for all tiles of a
large picture. Where this leaves the papers: covariances are matched, not only deviations, by optimal transport (Lu et
al. 2019, arXiv 1906.00668), at four scales and in the colors; everything that does not depend on the place is
multiplied into the weights before the pass; and the painting is given the style's whole palette (Pitié, Kokaram &
Dahyot 2005), since statistics of second order lose its darks, its whites and its rarer colors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import Palette, PaletteTransfer
from stylizer.compute import trim_malloc
from stylizer.feedforward import network as networks
from stylizer.feedforward.grain import Grain
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.methods import Current, MemoryPolicy, Style, Task
from stylizer.methods.scaling import resized
from stylizer.synthesis import pyramid
from stylizer.synthesis.pyramid import resize, size_within
from stylizer.tensors import as_floats, float_copy
from stylizer.tiles import tiles

# The network draws strokes of a certain number of pixels, learned from styles of this size; so pictures much larger
# are painted at about this size first.
MAX_STYLE_SIDE = 512
MAX_UPSCALED_STYLE_SIDE = MAX_STYLE_SIDE

TILE = 1024  # pixels a side
# Tiles are of several sizes, and so is what is made of them: gaps in memory, which are given back after so many tiles.
# Never doing so took up to 0.8 GiB more for a painting of 4,096 pixels, and 1.3 GiB for one of 8,192.
TILES_AT_A_STRETCH = 4
MEMORY_POLICY = MemoryPolicy(pixels=TILES_AT_A_STRETCH * TILE**2, piece=64 * 2**20)
STEPS = 20  # of optimization, at quality "high"
# How far strength 1 goes toward the statistics of the style. All the way the style distance was 0.03 lower on 24 pairs,
# and the content distance 0.08 higher (0.364 and 0.973 instead of 0.391 and 0.893).
MAX_STRENGTH = 0.93
# On the way up, how far each doubling goes toward the style once more: enough for brushwork at the new scale.
UPSCALE_STRENGTH = 0.35
# A little strength is a step toward the painting; where the network has to show the photo itself it is not exact, so
# below this strength its painting of this strength is mixed with the photo.
BLEND_BELOW = 0.15
# How far colors go to the style's palette at strength 1. On 20 pairs the style distance fell from 0.394 to 0.365; all
# the way, noise of flat areas is amplified.
PALETTE = 0.8
THUMBNAIL = 512  # long side in pixels of the painting that its transfer is estimated from
# Smallest pictures that the network paints; smaller ones are painted at a larger scale and reduced. At 32 to 64 pixels
# the coarsest tap has 4 to 8 positions a side, most of them at the border: its statistics are far from all that the
# network was trained on, and saturated styles came out black or white.
MIN_LONG_SIDE = 128
MIN_SHORT_SIDE = 64
MIN_STYLE_SIDE = 128


def paint(task: Task) -> Tensor:
    """Paint `task.photo` in the looks of `task.styles`: (1, 3, H, W)."""
    strength = task.options.strength
    nothing_to_paint = task.mask is not None and not task.mask.any()
    if strength == 0 or nothing_to_paint:
        task.report(1, 1, lambda: task.photo)
        return task.photo
    with torch.inference_mode():
        scale = _working_scale(task)
        if scale == 1:
            painting = _paint_coarse_to_fine(task)
        else:
            fit = enlarged if scale < 1 else _reduced
            scaled = _scaled_task(task, scale)
            if scale > 1:
                scaled = replace(scaled, report=partial(_report_reduced, task))
            painting = fit(_paint_coarse_to_fine(scaled), _size(task.photo)).clamp_(0, 1)
        return painting if strength >= BLEND_BELOW else torch.lerp(task.photo, painting, strength / BLEND_BELOW)


def _report_reduced(task: Task, step: int, total: int, current: Current) -> None:
    """Report with previews at the size of the output, of a painting that is under way at a larger one."""
    task.report(step, total, lambda: _reduced(current(), _size(task.photo)))


def _paint_coarse_to_fine(task: Task) -> Tensor:
    brush, levels = _Brush(task), level_sizes(*_size(task.photo))
    on_step = _Progress(task, levels)
    strength = max(task.options.strength, BLEND_BELOW)
    recolor = _Recoloring(task, PALETTE * strength)

    def painted(photo: Tensor, toward: float) -> Tensor:
        return recolor(brush.paint(photo, toward, partial(on_step, shown=recolor.preview)))

    painting = painted(resize(task.photo[0], levels[0])[None], MAX_STRENGTH * strength)
    if task.options.quality == "high":
        painting = _refined(task, painting, on_step)
    for size in levels[1:]:
        photo = resize(task.photo[0], size)[None]
        painting = painted(with_detail(painting, photo), UPSCALE_STRENGTH * task.options.strength)
    return painting


class _Recoloring:
    """The palette step: moves the colors of a painting toward the palette of the styles.

    Args:
        task: Has the styles; where it has a mask, only colors inside count.
        amount: How far, 0-1.
    """

    def __init__(self, task: Task, amount: float) -> None:
        self._palette = Palette.mix([(style.colors, style.share) for style in task.styles])
        self._mask, self._amount = task.mask, amount

    def __call__(self, painting: Tensor) -> Tensor:
        """Recolor `painting` (1, 3, h, w), of any size, in place: once for each level, since every pass dilutes it."""
        self._transfer(painting).apply_(painting[0])
        return painting

    def preview(self, painting: Tensor) -> Tensor:
        """A recolored copy of an unfinished `painting`, of at most `TILE` pixels."""
        small = resize(painting[0], size_within(*_size(painting), TILE))
        return self._transfer(small[None])(small)[None]

    def _transfer(self, painting: Tensor) -> PaletteTransfer:
        # A sample of a large painting has the colors of the whole; a mask is read at the same places.
        small = resize(painting[0], size_within(*_size(painting), THUMBNAIL))
        if self._mask is not None:
            inside = resize(self._mask[0], (small.shape[1], small.shape[2]))[0] > 0.5
            small = small[:, inside][:, None] if inside.any() else small
        return PaletteTransfer.estimate(small, self._palette, self._amount)


def level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Heights and widths to paint at: from a long side of about `MAX_STYLE_SIDE`, each twice the one before."""
    doublings = max(0, round(math.log2(max(height, width) / MAX_STYLE_SIDE)))
    return pyramid.level_sizes(height, width, doublings + 1)[::-1]


def with_detail(painting: Tensor, photo: Tensor) -> Tensor:
    """A painting enlarged to the size of `photo`, with what the photo shows at that size and not below; as bytes.

    Bytes, because this is one more picture of the size of the output, and the network needs no more of a photo either.
    """
    coarse, size = resize(photo[0], _size(painting)), _size(photo)
    detailed = torch.empty(photo.shape, dtype=torch.uint8, device=photo.device)
    for channel in range(3):  # one at a time, again for the sake of memory
        part = slice(channel, channel + 1)
        change = enlarged(painting[:, part] - coarse[None, part], size)
        detailed[:, part] = change.add_(photo[:, part]).clamp_(0, 1).mul_(255).round_()
    return detailed


class _Brush:
    """The network, ready to paint in the styles of a task."""

    def __init__(self, task: Task) -> None:
        device = task.photo.device
        self._network, self._grain = networks.load(device=device), Grain(task.options.seed, device)
        self._mask = task.mask
        self._wanted = StyleStatistics.mix([(self._style_statistics(style), style.share) for style in task.styles])

    def paint(self, photo: Tensor, strength: float, on_step: Callable[[Tensor], None]) -> Tensor:
        """Paint `photo` (1, 3, h, w), of any size, by one pass over each tile of it."""
        cut = list(tiles(_size(photo), TILE))
        # All tiles alike are painted by the look of the whole, which in a large picture a thumbnail has.
        size = size_within(*_size(photo), TILE)
        thumbnail = resize(as_floats(photo)[0], size)[None]
        encoded = self._network.encode(thumbnail, next(tiles(size, TILE)), self._grain)
        mask = None if self._mask is None else resize(self._mask[0], size)[None]
        own = self._network.photo_statistics(encoded, mask)
        weights = self._network.decoder.modulate(own, own.toward(self._wanted, strength))
        painting = float_copy(photo)
        for number, tile in enumerate(cut):
            if number and number % TILES_AT_A_STRETCH == 0:
                trim_malloc()
            if len(cut) > 1:
                encoded = self._network.encode(photo, tile, self._grain)
            tile.of(painting).copy_(self._network.paint(encoded, weights))
            on_step(painting)
        return painting

    def _style_statistics(self, style: Style) -> StyleStatistics:
        """What a style looks like: as stored, or by looking at it."""
        return style.statistics(1.0) or self._network.style_statistics(_tiled(style.picture))


def _refined(task: Task, painting: Tensor, on_step: _Progress) -> Tensor:
    """The painting, of any size, changed as optimization changes it."""
    from stylizer.methods import optimization  # which most paintings do without

    small = replace(resized(task, _size(painting)), report=lambda _step, _total, current: on_step(current()))
    return (painting + optimization.refine(small, painting, STEPS)).clamp_(0, 1)


class _Progress:
    """Tells how many tiles and steps of optimization are done."""

    def __init__(self, task: Task, levels: Sequence[tuple[int, int]]) -> None:
        self._report = task.report
        self._done = 0
        self._total = sum(len(list(tiles(size, TILE))) for size in levels)
        self._total += STEPS if task.options.quality == "high" else 0

    def __call__(self, current: Tensor, shown: Callable[[Tensor], Tensor] | None = None) -> None:
        """Count one; a preview is `current`, after `shown` where that is given."""
        self._done += 1
        self._report(self._done, self._total, lambda: shown(current) if shown else current)


def _working_scale(task: Task) -> float:
    """Return the scale to paint at: 0.5 for drafts, and above 1 where the network would see too few pixels."""
    height, width = _size(task.photo)
    scale = 0.5 if task.options.quality == "draft" else 1.0
    return max(scale, MIN_LONG_SIDE / max(height, width), MIN_SHORT_SIDE / min(height, width))


def _scaled_task(task: Task, scale: float) -> Task:
    """Scale the photo, its mask and the styles, unless a style is shown at the same size at both scales."""
    height, width = (max(1, round(side * scale)) for side in _size(task.photo))
    before, after = (min(MAX_STYLE_SIDE, size) for size in (task.options.size, task.options.size * scale))
    styles = task.styles
    if after != before:
        change = after / before
        styles = tuple(style.at_scale(change, partial(_scaled, style, change)) for style in styles)
    return replace(resized(task, (height, width)), styles=styles)


def _scaled(style: Style, scale: float) -> Tensor:
    height, width = (max(1, round(side * scale)) for side in _size(style.picture))
    return resize(style.picture[0], (height, width))[None]


def _tiled(picture: Tensor) -> Tensor:
    """Mirror `picture` (1, 3, h, w) until both sides have at least `MIN_STYLE_SIDE` pixels.

    Keeps the scale of its strokes; in a smaller picture most features of the coarse taps are those of its border.
    """
    for axis in (2, 3):
        length = picture.shape[axis]
        copies = -(-MIN_STYLE_SIDE // length)
        if copies > 1:
            mirrored = [picture.flip(axis) if index % 2 else picture for index in range(copies)]
            picture = torch.cat(mirrored, axis)
    return picture


def _reduced(picture: Tensor, size: tuple[int, int]) -> Tensor:
    return resize(picture[0], size)[None]


def enlarged(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """`picture` (1, 3, h, w) at the `size` (height, width) given, or a larger one."""
    return functional.interpolate(picture, size, mode="bicubic", align_corners=False)


def _size(picture: Tensor) -> tuple[int, int]:
    return picture.shape[2], picture.shape[3]
