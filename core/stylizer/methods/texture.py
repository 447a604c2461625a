"""Style transfer via texture synthesis: patches of the style, without a network or weights.

Elad & Milanfar, "Style Transfer via Texture Synthesis", IEEE TIP 2017 (arXiv 1609.03057), which builds on Kwatra
et al., "Texture Optimization for Example-based Synthesis", SIGGRAPH 2005. The paper's parameters are the defaults.
Differences from the paper: patch sizes scale with the picture, so that a large painting has strokes and is not a mere
recoloring; each grid has a random origin and patches are windowed, which hides seams; and overused parts of the style
are penalized and queries are dithered (`patch_source`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from stylizer.color import Palette, match_distribution, match_moments
from stylizer.methods import MemoryPolicy, Task
from stylizer.options import SIZE_RANGE
from stylizer.regions import Regions
from stylizer.synthesis.content_mask import estimate_content_mask
from stylizer.synthesis.domain_transform import domain_transform
from stylizer.synthesis.patch_grid import PatchGrid, random_origin
from stylizer.synthesis.patch_source import (
    PatchSource,
    UsageMap,
    assign_patches,
    assign_patches_by_region,
    select_patches,
)
from stylizer.synthesis.pyramid import gaussian_pyramid, resize
from stylizer.synthesis.robust_aggregation import aggregate

MAX_STYLE_SIDE = SIZE_RANGE[1]
MAX_UPSCALED_STYLE_SIDE = MAX_STYLE_SIDE
# Keeping freed blocks took up to 1.5 GiB more at 2048 x 2048 pixels.
MEMORY_POLICY = MemoryPolicy(min_pixels=1_500_000, block_bytes=32 * 2**20)

REFERENCE_SIDE = 400  # long side in pixels for which the paper's patch sizes are meant
PATCHES = ((33, 28), (21, 18), (13, 8), (9, 5))  # side and gap, in pixels at the reference side
LEVELS = 3
NOISE = 50 / 255  # standard deviation in the initial image
EXPONENT = 0.8  # r of the robust aggregation
CONTENT_WEIGHT = 0.75  # weight of the photo where the content mask is 1, relative to 1 for the style
MIN_CONTENT_WEIGHT = 0.01  # the same where the mask is 0
MAX_PHOTO_WEIGHT = 1e30  # weight of the photo as the strength approaches 0; its products stay finite in float32
SMOOTHING_SPACE = 5.0  # pixels at the reference side
SMOOTHING_RANGE = 0.03


@dataclass(frozen=True, slots=True)
class Budget:
    """Computation budget of a quality.

    Attributes:
        stride: Distance in pixels between candidate patches of the style; 1 for all.
        passes: Synthesis passes per patch size.
        rounds: Rounds of the robust aggregation.
    """

    stride: int
    passes: int
    rounds: int


BUDGETS = {
    "draft": Budget(stride=3, passes=1, rounds=4),
    "standard": Budget(stride=2, passes=3, rounds=10),
    "high": Budget(stride=1, passes=5, rounds=10),
}


@dataclass(frozen=True, slots=True)
class _PyramidLevel:
    """One level of the pyramid; tensors are (C, h, w).

    Attributes:
        photo: The photo in the style's palette.
        weight: Weight of the photo relative to the style's patches, (1, h, w).
        styles: Picture, usage map and blend weight of each style.
    """

    photo: Tensor
    weight: Tensor
    styles: tuple[tuple[Tensor, UsageMap, float], ...]


def paint(task: Task) -> Tensor:
    """Paint `task.photo` with patches of `task.styles`: (1, 3, H, W)."""
    options = task.options
    if options.strength == 0:
        task.report(1, 1, lambda: task.photo)
        return task.photo
    generator = torch.Generator().manual_seed(options.seed)
    budget = BUDGETS[options.quality]
    long_side = max(task.photo.shape[-2:])
    smoothing = SMOOTHING_SPACE * max(1.0, long_side / REFERENCE_SIDE)
    # Upscaling a style adds no candidates: keep their number by a larger stride.
    stride = budget.stride * max(1, round(options.style_scale))

    palettes = _Palettes(task)
    photo = palettes.recolored_photo
    levels = _build_levels(task, photo)
    report = _ProgressTracker(task, budget.passes)

    picture = levels[-1].photo
    noise = torch.randn(picture.shape, generator=generator, dtype=torch.float32).to(picture.device)
    picture = picture + options.strength * NOISE * noise
    for depth, level in reversed(list(enumerate(levels))):
        picture = resize(picture, (level.photo.shape[1], level.photo.shape[2]))
        for patch, gap in patch_sizes(long_side, [level.photo, *(style for style, _, _ in level.styles)]):
            sources = [
                (PatchSource(style, usage, patch=patch, stride=stride, generator=generator), share)
                for style, usage, share in level.styles
            ]
            for _ in range(budget.passes):
                grid = PatchGrid(picture.shape[1], picture.shape[2], patch, gap, *random_origin(gap, generator))
                picture = _synthesize(picture, sources, grid, budget.rounds, task.regions)
                picture = (picture + level.weight * level.photo) / (1 + level.weight)
                picture = palettes.apply(match_moments, picture)
                picture = domain_transform(picture, sigma_space=smoothing, sigma_range=SMOOTHING_RANGE)
                report(depth, picture)
    return palettes.apply(match_distribution, picture)[None]


class _Palettes:
    """Palettes of the regions; a single one if there are no regions.

    Attributes:
        recolored_photo: The photo in the styles' palettes, (3, H, W).
    """

    def __init__(self, task: Task) -> None:
        strength, regions = task.options.strength, task.regions
        self._regions = regions
        self._palettes = [Palette.mix([(style.picture[0], style.share) for style in group]) for group in task.groups()]
        self.recolored_photo = self.apply(partial(match_distribution, amount=strength), task.photo[0])
        if strength < 1:
            self._palettes = [
                Palette.from_image(self._pixels_of(region, self.recolored_photo))
                for region in range(len(self._palettes))
            ]

    def apply(self, match: Callable[..., Tensor], picture: Tensor) -> Tensor:
        """Match the pixels of each region of `picture` (3, h, w) to its palette by a function of `stylizer.color`."""
        if self._regions is None:
            return match(picture, self._palettes[0])
        transforms = [
            partial(match, palette=palette, source=self._pixels_of(region, picture))
            for region, palette in enumerate(self._palettes)
        ]
        return self._regions.mix(picture, transforms)

    def _pixels_of(self, region: int, picture: Tensor) -> Tensor:
        return picture if self._regions is None else self._regions.pixels_of(region, picture)


def _build_levels(task: Task, photo: Tensor) -> list[_PyramidLevel]:
    """Build the pyramid of the photo, its weight and the styles, finest first."""
    mask = estimate_content_mask(task.photo[0]) if task.content_mask is None else task.content_mask[0]
    masks = gaussian_pyramid(mask, LEVELS)
    photos = gaussian_pyramid(photo, LEVELS)
    styles = [(gaussian_pyramid(style[0], LEVELS), UsageMap(), share) for style, share in task.pictures()]
    # The weight of the photo grows without bound as the strength goes to 0, where the result is the photo itself.
    weight = MIN_CONTENT_WEIGHT + min(MAX_PHOTO_WEIGHT, (1 - task.options.strength) / task.options.strength)
    return [
        _PyramidLevel(
            photos[depth],
            weight + CONTENT_WEIGHT * masks[depth],
            tuple((pyramid[depth], usage, share) for pyramid, usage, share in styles),
        )
        for depth in range(LEVELS)
    ]


def patch_sizes(long_side: int, pictures: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Return side and gap of the patches in pixels for an output with this long side, largest first.

    Sizes scale with the output, and are limited to half the shortest side of `pictures` (3, h, w).
    """
    scale = max(1.0, long_side / REFERENCE_SIDE)
    largest = min(side for picture in pictures for side in picture.shape[1:]) // 2
    fitted = []
    for nominal, gap in PATCHES:
        patch = max(1, (min(round(nominal * scale), largest) - 1) | 1)  # odd
        fitted.append((patch, max(1, round(gap * patch / nominal))))
    return fitted


def _synthesize(
    picture: Tensor,
    sources: list[tuple[PatchSource, float]],
    grid: PatchGrid,
    rounds: int,
    regions: Regions | None,
) -> Tensor:
    """Rebuild the picture from the nearest patches of the styles."""
    padded = grid.pad(picture)
    shares = [share for _, share in sources]
    if regions is None:
        patches = [source.match(padded, grid) for source, _ in sources]
        owner = assign_patches(padded, grid, patches, shares)
    else:
        places = grid.centers(regions.owners(picture.shape[1], picture.shape[2]))
        inside = {style: places == region for region, group in enumerate(regions.groups) for style in group}
        patches = [source.match(padded, grid, inside[style]) for style, (source, _) in enumerate(sources)]
        owner = assign_patches_by_region(padded, grid, patches, shares, regions.groups, places)
    return aggregate(picture, select_patches(patches, owner), grid, exponent=EXPONENT, rounds=rounds)


class _ProgressTracker:
    """Progress weighted by cost: each finer level has 4 times the pixels."""

    def __init__(self, task: Task, passes: int):
        self._report = task.report
        self._done = 0
        self._total = sum(4**k for k in range(LEVELS)) * len(PATCHES) * passes

    def __call__(self, depth: int, picture: Tensor) -> None:
        self._done += 4 ** (LEVELS - 1 - depth)
        self._report(self._done, self._total, lambda: picture[None])
