"""Feed-forward arbitrary style transfer by two decoders on one encoder: a fraction of a second, at any size.

The coarse decoder paints about 512 pixels, with the photo's features only: in one pass where a content mask is high;
elsewhere in larger strokes, at half the size first and then revised, as in LapStyle (Lin et al. 2021, arXiv
2104.05376). The detail decoder corrects the recolored photo, all of which stays; it paints all larger sizes, and shares
in the first one below full strength.

Based on AdaIN (Huang & Belongie 2017, arXiv 1703.06868), which aligns the statistics of the photo's features with the
style's and decodes them; MicroAST (Wang et al. 2023, arXiv 2211.15313), whose filters are modulated by the style; and
thumbnail instance normalization (Chen et al. 2021, arXiv 2103.11784), which shares one set of statistics among all
tiles of a large picture. Differences from the papers: full covariances are matched, not only standard deviations, by
optimal transport (Lu et al. 2019, arXiv 1906.00668), at four scales and for the colors; everything independent of the
position is folded into the weights before the pass; and the color distribution is transferred as well (Pitié, Kokaram &
Dahyot 2005), since second-order statistics lose the style's darks, whites and rare colors.
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
from stylizer.methods import MemoryPolicy, PreviewFn, StyleInput, Task
from stylizer.methods.scaling import resize_task
from stylizer.synthesis import pyramid
from stylizer.synthesis.content_mask import estimate_content_mask
from stylizer.synthesis.pyramid import resize, scale_size, size_within
from stylizer.tensors import as_floats, float_copy, linear_ramp, reflect_pad, spatial_size
from stylizer.tiles import tiles

# The network's strokes have the pixel size learned from styles of this size, so much larger pictures are first painted
# at about this size.
MAX_STYLE_SIDE = 512
MAX_UPSCALED_STYLE_SIDE = MAX_STYLE_SIDE

TILE = 1024  # side of a tile in pixels
# Tiles and their intermediate results differ in size and fragment the heap, so malloc is trimmed every few tiles.
# Without trimming, a painting of 4,096 pixels took up to 0.8 GiB more, and one of 8,192 pixels 1.3 GiB.
TILES_BETWEEN_TRIMS = 4
MEMORY_POLICY = MemoryPolicy(min_pixels=TILES_BETWEEN_TRIMS * TILE**2, block_bytes=64 * 2**20)
STEPS = 20  # optimization steps at quality "high"
# Interpolation of the detail decoder toward the style's statistics at strength 1: at 1.0 it kept less of the photo.
MAX_STRENGTH = 0.93
# The same for each doubling of the resolution: enough for brushwork at the new scale.
UPSCALE_STRENGTH = 0.35
# The network does not reproduce the photo exactly, so below this strength its output at this strength is blended with
# the photo.
BLEND_BELOW = 0.15
# Amount of palette transfer at strength 1. It reduced the style distance over 20 pairs from 0.394 to 0.365; 1.0
# amplifies noise in flat areas.
PALETTE_AMOUNT = 0.8
PADDING = 32  # pixels around a picture for the coarse decoder, which paints its borders in other colors
# Content mask up to which the painting of two levels, in large strokes, is seen, and from which on that of one.
DETAIL_RANGE = (0.35, 0.8)
THUMBNAIL = 512  # long side in pixels of the picture from which the palette transfer is estimated
# Minimum input of the network; smaller pictures are upsampled first. At 32 to 64 pixels the coarsest tap has 4 to 8
# positions a side, most of them at the border: the statistics are far from the training distribution, and saturated
# styles came out black or white.
MIN_LONG_SIDE = 128
MIN_SHORT_SIDE = 64
MIN_STYLE_SIDE = 128


def paint(task: Task) -> Tensor:
    """Paint `task.photo` in `task.styles`: (1, 3, H, W)."""
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
            resample = upsample_bicubic if scale < 1 else _downsample
            scaled = _scaled_task(task, scale)
            if scale > 1:
                scaled = replace(scaled, report=partial(_report_downsampled, task))
            painting = resample(_paint_coarse_to_fine(scaled), spatial_size(task.photo)).clamp_(0, 1)
        return painting if strength >= BLEND_BELOW else torch.lerp(task.photo, painting, strength / BLEND_BELOW)


def _report_downsampled(task: Task, step: int, total: int, current: PreviewFn) -> None:
    """Report progress with previews downsampled to the output size."""
    task.report(step, total, lambda: _downsample(current(), spatial_size(task.photo)))


def _paint_coarse_to_fine(task: Task) -> Tensor:
    network, levels = TiledStylizer(task), coarse_to_fine_sizes(*spatial_size(task.photo))
    on_step = _ProgressTracker(task, levels)
    recolor = _PaletteStep(task, PALETTE_AMOUNT * max(task.options.strength, BLEND_BELOW))
    painting = recolor(_paint_first_level(resize_task(task, levels[0]), network.target))
    on_step(painting)
    if task.options.quality == "high":
        painting = _refine_by_optimization(task, painting, on_step)
    for size in levels[1:]:
        detailed = upsample_with_detail(painting, resize(task.photo[0], size)[None])
        strength = UPSCALE_STRENGTH * task.options.strength
        painting = recolor(network.stylize(detailed, strength, partial(on_step, transform=recolor.preview)))
    return painting


def _paint_first_level(task: Task, target: StyleStatistics) -> Tensor:
    """Paint `task`, of up to some 700 pixels, in styles with the statistics `target`: (1, 3, H, W)."""
    paint = coarse_painter(task, target)
    painting, size = paint(task.photo), spatial_size(task.photo)
    if max(size) >= 2 * MIN_LONG_SIDE:
        half = _resized(task, scale_size(size, 0.5), 0.5)
        revised = paint(as_floats(upsample_with_detail(coarse_painter(half)(half.photo), task.photo)))
        mask = estimate_content_mask(task.photo[0])[None] if task.content_mask is None else task.content_mask
        painting = torch.lerp(revised, painting, linear_ramp(mask, *DETAIL_RANGE))
    if task.options.strength == 1:
        return painting
    # The coarse decoder paints at full strength only.
    strength = max(task.options.strength, BLEND_BELOW)
    detailed = TiledStylizer(task, target=target).stylize(task.photo, MAX_STRENGTH * strength)
    return torch.lerp(detailed, painting, strength)


def coarse_painter(task: Task, target: StyleStatistics | None = None) -> Callable[[Tensor], Tensor]:
    """Return a function that paints a picture (1, 3, H, W) of the size of `task`, up to some 700 pixels.

    By the coarse decoder, at full strength. `target` are the statistics of the task's styles, if they are known.
    """
    mask = None if task.mask is None else reflect_pad(task.mask, PADDING)
    network = TiledStylizer(replace(task, mask=mask), networks.COARSE, target)

    def paint(picture: Tensor) -> Tensor:
        return network.stylize(reflect_pad(picture, PADDING), 1.0)[:, :, PADDING:-PADDING, PADDING:-PADDING]

    return paint


class _PaletteStep:
    """Transfer of the styles' palette to a painting.

    Args:
        task: Source of the styles; colors outside its mask are ignored.
        amount: Amount of the transfer, 0-1.
    """

    def __init__(self, task: Task, amount: float) -> None:
        self._palette = Palette.mix([(style.colors, style.share) for style in task.styles])
        self._mask, self._amount, self._hints = task.mask, amount, task.hints

    def __call__(self, painting: Tensor) -> Tensor:
        """Recolor `painting` (1, 3, h, w) in place. Called once per level, since every pass dilutes the palette."""
        transfer = self._transfer(painting)
        if self._hints is not None:
            transfer = self._hints.smooth_palette(f"painting-{max(painting.shape[2:])}", transfer)
        transfer.apply_(painting[0])
        return painting

    def preview(self, painting: Tensor) -> Tensor:
        """Return a recolored copy of an unfinished `painting`, with a long side of at most `TILE` pixels."""
        small = resize(painting[0], size_within(spatial_size(painting), TILE))
        return self._transfer(small[None])(small)[None]

    def _transfer(self, painting: Tensor) -> PaletteTransfer:
        # A thumbnail has the color distribution of the whole; the mask is sampled at the same positions.
        small = resize(painting[0], size_within(spatial_size(painting), THUMBNAIL))
        if self._mask is not None:
            inside = resize(self._mask[0], (small.shape[1], small.shape[2]))[0] > 0.5
            small = small[:, inside][:, None] if inside.any() else small
        return PaletteTransfer.estimate(small, self._palette, self._amount)


def coarse_to_fine_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Return the sizes (height, width) of the levels: from a long side of about `MAX_STYLE_SIDE`, by doublings."""
    doublings = max(0, round(math.log2(max(height, width) / MAX_STYLE_SIDE)))
    return pyramid.level_sizes(height, width, doublings + 1)[::-1]


def upsample_with_detail(painting: Tensor, photo: Tensor) -> Tensor:
    """Upsample `painting` to the size of `photo`, and add the photo's detail that the smaller size cannot represent.

    Returned as uint8: it is one more picture of the output size in memory, and the network needs no more precision.
    """
    coarse, size = resize(photo[0], spatial_size(painting)), spatial_size(photo)
    detailed = torch.empty(photo.shape, dtype=torch.uint8, device=photo.device)
    for channel in range(3):  # one at a time, to bound memory
        part = slice(channel, channel + 1)
        change = upsample_bicubic(painting[:, part] - coarse[None, part], size)
        detailed[:, part] = change.add_(photo[:, part]).clamp_(0, 1).mul_(255).round_()
    return detailed


class TiledStylizer:
    """Feed-forward stylization of pictures of any size, tile by tile, with the target statistics of a task's styles.

    Args:
        task: Source of the styles, the mask and the seed.
        config: The decoder.
        target: Statistics of the styles, if they are known; all decoders have the same encoder.
    """

    def __init__(
        self,
        task: Task,
        config: networks.DecoderConfig = networks.FEEDFORWARD,
        target: StyleStatistics | None = None,
    ) -> None:
        device = task.photo.device
        self._network, self._grain = networks.load(config, device), Grain(task.options.seed, device)
        self._mask = task.mask
        self.target = target or StyleStatistics.mix(
            [(self._style_statistics(style), style.share) for style in task.styles]
        )

    def stylize(self, photo: Tensor, strength: float, on_step: Callable[[Tensor], None] = lambda _: None) -> Tensor:
        """Stylize `photo` (1, 3, h, w), of any size, by one pass over each tile; `on_step` follows each tile."""
        photo_tiles = list(tiles(spatial_size(photo), TILE))
        # All tiles share the statistics of the whole picture, taken from a thumbnail (arXiv 2103.11784).
        size = size_within(spatial_size(photo), TILE)
        thumbnail = resize(as_floats(photo)[0], size)[None]
        encoded = self._network.encode(thumbnail, next(tiles(size, TILE)), self._grain)
        mask = None if self._mask is None else resize(self._mask[0], size)[None]
        photo_statistics = self._network.photo_statistics(encoded, mask)
        weights = self._network.decoder.modulate(photo_statistics, photo_statistics.lerp(self.target, strength))
        painting = float_copy(photo)
        for number, tile in enumerate(photo_tiles):
            if number and number % TILES_BETWEEN_TRIMS == 0:
                trim_malloc()
            if len(photo_tiles) > 1:
                encoded = self._network.encode(photo, tile, self._grain)
            tile.view(painting).copy_(self._network.decode(encoded, weights))
            on_step(painting)
        return painting

    def _style_statistics(self, style: StyleInput) -> StyleStatistics:
        """Return the cached statistics of a style, or compute them from its picture."""
        return style.statistics(1.0) or self._network.style_statistics(_mirror_tile(style.picture))


def _refine_by_optimization(task: Task, painting: Tensor, on_step: _ProgressTracker) -> Tensor:
    """Refine `painting`, of any size, by `STEPS` steps of optimization."""
    from stylizer.methods import optimization  # deferred: most paintings do not need it

    small = replace(resize_task(task, spatial_size(painting)), report=lambda _step, _total, current: on_step(current()))
    return (painting + optimization.refine(small, painting, STEPS)).clamp_(0, 1)


class _ProgressTracker:
    """Counter of finished tiles and optimization steps."""

    def __init__(self, task: Task, levels: Sequence[tuple[int, int]]) -> None:
        self._report = task.report
        self._done = 0
        self._total = 1 + sum(len(list(tiles(size, TILE))) for size in levels[1:])
        self._total += STEPS if task.options.quality == "high" else 0

    def __call__(self, current: Tensor, transform: Callable[[Tensor], Tensor] | None = None) -> None:
        """Count one unit of work; the preview is `current`, passed through `transform` if given."""
        self._done += 1
        self._report(self._done, self._total, lambda: transform(current) if transform else current)


def _working_scale(task: Task) -> float:
    """Return the scale to paint at: 0.5 for drafts, above 1 where the input of the network would be too small."""
    height, width = spatial_size(task.photo)
    scale = 0.5 if task.options.quality == "draft" else 1.0
    return max(scale, MIN_LONG_SIDE / max(height, width), MIN_SHORT_SIDE / min(height, width))


def _scaled_task(task: Task, scale: float) -> Task:
    """Scale the photo and its mask, and the styles unless `MAX_STYLE_SIDE` caps them at both scales."""
    size = spatial_size(task.photo)
    before, after = (min(MAX_STYLE_SIDE, side) for side in (max(size), max(size) * scale))
    return _resized(task, scale_size(size, scale), after / before)


def _resized(task: Task, size: tuple[int, int], style_scale: float) -> Task:
    """Return `task` at `size` (height, width), with its styles scaled by `style_scale`."""
    styles = task.styles
    if style_scale != 1:
        styles = tuple(style.at_scale(style_scale, partial(_rescale_picture, style, style_scale)) for style in styles)
    return replace(resize_task(task, size), styles=styles)


def _rescale_picture(style: StyleInput, scale: float) -> Tensor:
    return resize(style.picture[0], scale_size(spatial_size(style.picture), scale))[None]


def _mirror_tile(picture: Tensor) -> Tensor:
    """Tile `picture` (1, 3, h, w) by reflection until both sides have at least `MIN_STYLE_SIDE` pixels.

    Keeps the scale of the strokes. In a smaller picture most positions of the coarse taps would lie at the border.
    """
    for axis in (2, 3):
        length = picture.shape[axis]
        copies = -(-MIN_STYLE_SIDE // length)
        if copies > 1:
            mirrored = [picture.flip(axis) if index % 2 else picture for index in range(copies)]
            picture = torch.cat(mirrored, axis)
    return picture


def _downsample(picture: Tensor, size: tuple[int, int]) -> Tensor:
    return resize(picture[0], size)[None]


def upsample_bicubic(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Upsample `picture` (1, 3, h, w) to `size` (height, width)."""
    return functional.interpolate(picture, size, mode="bicubic", align_corners=False)
