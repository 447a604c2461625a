"""Synthesize the swatch of a style from the statistics of a work alone.

Texture synthesis after Gatys, Ecker & Bethge 2015 (arXiv 1505.07376), from noise in the colors of the work. Unlike in
the paper, mean and covariance are matched instead of Gram matrices, and at several image sizes at once (Snelgrove 2017,
"High-Resolution Multi-Scale Neural Texture Synthesis"), so that large forms match too. Positions are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stylizer import features
from stylizer.color import Palette, from_oklab, match_distribution
from stylizer.compute import autocast, autocast_dtype
from stylizer.features.statistics import Statistics
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.lbfgs import LBFGS
from stylizer.losses import style_loss, style_scales, total_variation
from stylizer.style_transfer_loss import add_margin
from stylizer.synthesis.pyramid import resize

SIZE = (384, 512)  # height and width of a swatch in pixels
# Pooling treats every other pixel differently, which leaves a grid in the image unless its origin varies. So the image
# is optimized from several origins in turn.
CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1), (3, 2), (2, 5))
STEPS = (40, 25, 14)  # per corner: at the smallest size, the next one, and all others
SMOOTHNESS_WEIGHT = 0.05
BOUNDS_WEIGHT = 10.0  # weight of squared values outside [0, 1]
GRAIN = 0.1  # standard deviation of the noise in the initial image
PATCH = 4  # side of a patch of one color in the initial image, pixels


def synthesize(
    by_side: Mapping[int, StyleStatistics],
    palette: Tensor,
    size: tuple[int, int] = SIZE,
    *,
    steps: Sequence[int] = STEPS,
    seed: int = 0,
) -> Tensor:
    """Synthesize an image (1, 3, *size) with the statistics of a work.

    Args:
        by_side: Statistics of the work by long side in pixels.
        palette: Colors of the work, (N, 3) in sRGB, uint8.
        size: Height and width of the image.
        steps: Steps per corner by size; the last one applies to all remaining sizes.
        seed: Seed of the initial noise.
    """
    colors = Palette.from_image(palette.T[:, None].float() / 255)
    sides = sorted(by_side)
    sizes = [_at_side(size, side) for side in sides]
    image = _noise(colors, sizes[0], seed)
    for level, here in enumerate(sizes):
        image = match_distribution(resize(image[0], here), colors)[None]
        wanted = [(reduced, by_side[side]) for reduced, side in zip(sizes, sides, strict=True)][: level + 1]
        for corner in CORNERS:
            loss, descent = _loss(wanted, corner), LBFGS(image)
            for _ in range(steps[min(level, len(steps) - 1)]):
                descent.step(loss)
            image = descent.image
    return match_distribution(resize(image[0], size), colors)[None]


def distance(image: Tensor, statistics: StyleStatistics) -> float:
    """Return the style distance of an image (1, 3, H, W): 0 identical, about 1 another style."""
    with torch.no_grad():
        return float(_style_loss(image, statistics))


def _loss(wanted: list[tuple[tuple[int, int], StyleStatistics]], corner: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    def loss(image: Tensor) -> Tensor:
        seen = image[:, :, corner[0] :, corner[1] :]
        errors = [
            _style_loss(_reduced(image, size) if size != image.shape[2:] else seen, statistics)
            for size, statistics in wanted
        ]
        bounds = (image - image.clamp(0, 1)).square().mean()
        return torch.stack(errors).mean() + SMOOTHNESS_WEIGHT * total_variation(image) + BOUNDS_WEIGHT * bounds

    return loss


def _style_loss(image: Tensor, statistics: StyleStatistics) -> Tensor:
    network, wanted = features.load("compact"), statistics.levels[1:]
    with autocast(autocast_dtype("cpu"), "cpu"):
        taps = network(add_margin(image))
    ours = [Statistics.from_features(tap) for tap in taps]
    return style_loss(ours, wanted, [style_scales(tap) for tap in wanted], list(network.style_taps.values()))


def _at_side(size: tuple[int, int], side: int) -> tuple[int, int]:
    height, width = size
    scale = side / max(size)
    return round(height * scale), round(width * scale)


def _reduced(image: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(image, size, mode="bicubic", align_corners=False, antialias=True)


def _noise(colors: Palette, size: tuple[int, int], seed: int) -> Tensor:
    """Return an initial image (1, 3, *size) of small noisy patches in the colors of a work."""
    random = torch.Generator().manual_seed(seed)
    height, width = (-(-side // PATCH) for side in size)
    chosen = torch.randint(colors.pixels.shape[1], (height * width,), generator=random)
    patches = from_oklab(colors.pixels[:, chosen].view(3, height, width))
    image = resize(patches, size)[None]
    return (image + GRAIN * torch.randn(image.shape, generator=random)).clamp(0, 1)
