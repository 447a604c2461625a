"""Colors only: the style's palette on the photo, without its strokes.

A transfer of the palette alone (Pitié, Kokaram & Dahyot 2005; `stylizer.color.PaletteTransfer`) posterizes gradients,
amplifies noise, and may turn light into dark. So only half of its lightness is used; the other half follows a monotone
curve of limited slope. The result is then replaced by the nearest map that is affine in each neighborhood (guided
filter, He, Sun & Tang 2013), which is smooth where the photo is smooth and keeps its edges.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import Palette, PaletteTransfer, from_oklab, map_monotone, quantiles, to_oklab
from stylizer.methods import MemoryPolicy, Task
from stylizer.synthesis.guided_filter import LocalColorMap
from stylizer.synthesis.pyramid import resize, size_within
from stylizer.tensors import spatial_size
from stylizer.tiles import tiles

MAX_STYLE_SIDE = 512  # a palette needs no more
MAX_UPSCALED_STYLE_SIDE = 64
MEMORY_POLICY = MemoryPolicy(min_pixels=4_000_000, block_bytes=64 * 2**20)

MAP_SIDES = {"draft": 256, "standard": 512, "high": 1024}
"""Long side at which the color map is fitted, pixels."""
RADIUS = 1 / 32  # of the windows in which the map is affine, relative to the long side
EPSILON = 1e-3  # of the guided filter: contrast below about 0.03 is treated as noise
TRANSFER_SHARE = 0.5  # share of the transfer's lightness, which may change the order of tones
GAINS = (0.35, 2.2)  # slopes of the tone curve: below the first, tones merge; above the second, noise shows
SMOOTHING = 9  # half width of the window in which slopes are averaged, of 256 steps
DITHER = 1 / 255  # breadth of the noise that hides the 8-bit steps of a stretched gradient
TILE = 1024


def paint(task: Task) -> Tensor:
    """Give `task.photo` the palette of `task.styles`: (1, 3, H, W)."""
    photo, strength = task.photo, task.options.strength
    if strength == 0:
        task.report(1, 1, lambda: photo)
        return photo
    palette = Palette.mix([(style.colors, style.share) for style in task.styles])
    small = resize(photo[0], size_within(spatial_size(photo), MAP_SIDES[task.options.quality]))[None]
    color_map = fit_color_map(small, palette)
    draft = torch.lerp(small, color_map(small).clamp_(0, 1), strength)
    parts = list(tiles(spatial_size(photo), TILE, reach=0))
    total = 1 + len(parts)
    task.report(1, total, lambda: draft)
    generator = torch.Generator().manual_seed(task.options.seed)
    painting = torch.empty_like(photo)
    for step, tile in enumerate(parts, 2):
        painted = tile.view(painting)
        colors = tile.crop(color_map.map_tile(photo, tile))
        noise = torch.rand(1, 1, *spatial_size(painted), generator=generator, dtype=photo.dtype).sub_(0.5)
        colors.add_(noise.to(photo.device), alpha=DITHER).clamp_(0, 1)
        painted.copy_(torch.lerp(tile.view(photo), colors, strength))
        current = painting if step == total else draft
        task.report(step, total, partial(Tensor.detach, current))
    return painting


def fit_color_map(photo: Tensor, palette: Palette) -> LocalColorMap:
    """Fit the smooth map that gives `photo`, (1, 3, h, w), the colors of `palette`."""
    matched = to_oklab(PaletteTransfer.estimate(photo[0], palette)(photo[0]))
    lightness = _match_tones(to_oklab(photo[0])[0], palette.pixels[0])
    matched[0].lerp_(lightness, 1 - TRANSFER_SHARE)
    radius = max(1, round(RADIUS * max(spatial_size(photo))))
    return LocalColorMap.fit(photo, from_oklab(matched)[None], radius=radius, epsilon=EPSILON)


def _match_tones(lightness: Tensor, wanted: Tensor) -> Tensor:
    """Map `lightness` (h, w) toward the distribution of `wanted` (N,) by a monotone curve of slopes within `GAINS`."""
    source, target = quantiles(lightness.flatten()[None]), quantiles(wanted[None])
    tones = torch.linspace(0, 1, source.shape[1], dtype=lightness.dtype, device=lightness.device)
    ideal = map_monotone(tones, source[0], target[0])
    step = float(tones[1])
    slopes = (ideal.diff() / step).clamp(*GAINS)
    slopes = functional.pad(slopes[None, None], (SMOOTHING, SMOOTHING), mode="replicate")
    slopes = functional.avg_pool1d(slopes, 2 * SMOOTHING + 1, 1)[0, 0]
    curve = torch.cat((slopes.new_zeros(1), (slopes * step).cumsum(0)))
    flat = lightness.flatten()
    mapped = map_monotone(flat, tones, curve)
    return (mapped + (target.mean() - mapped.mean())).clamp(0, 1).view_as(lightness)
