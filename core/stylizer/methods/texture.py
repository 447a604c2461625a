"""Style transfer via texture synthesis: no network, no weights, real pieces of the style painted over the photo.

Elad & Milanfar, "Style Transfer via Texture Synthesis", IEEE TIP 2017 (arXiv 1609.03057), which builds on Kwatra
et al., "Texture Optimization for Example-based Synthesis", SIGGRAPH 2005. The paper's parameters are the defaults.
Where this leaves the paper: patches grow with the picture, so that a large painting shows strokes and not a mere
recoloring; every grid is shifted at random and every patch fades toward its borders, so that no seams show; and
parts of the style that were used too often are held back, and what is searched for is dithered (`patch_source`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylizer.color import Palette, match_distribution, match_moments
from stylizer.methods import MemoryPolicy, Task
from stylizer.options import SIZE_RANGE
from stylizer.synthesis.content_mask import find_content
from stylizer.synthesis.domain_transform import domain_transform
from stylizer.synthesis.patch_grid import PatchGrid, random_origin
from stylizer.synthesis.patch_source import PatchSource, UsageMap, assign_patches, select_patches
from stylizer.synthesis.pyramid import gaussian_pyramid, resize
from stylizer.synthesis.robust_aggregation import aggregate

MAX_STYLE_SIDE = SIZE_RANGE[1]
MAX_UPSCALED_STYLE_SIDE = MAX_STYLE_SIDE
# At 2048 x 2048 pixels keeping memory took up to 1.5 GiB more.
MEMORY_POLICY = MemoryPolicy(pixels=1_500_000, piece=32 * 2**20)

REFERENCE_SIDE = 400  # long side in pixels for which the paper's patches are meant
PATCHES = ((33, 28), (21, 18), (13, 8), (9, 5))  # side and gap, in pixels at the reference side
LEVELS = 3
NOISE = 50 / 255  # standard deviation, at the start
EXPONENT = 0.8  # r of the robust aggregation
CONTENT_WEIGHT = 0.75  # of the photo where the content mask is white, against 1 for the style
LEAST_CONTENT = 0.01  # the same where it is black
MOST_WEIGHT = 1e30  # of the photo, for lack of strength: a multiple of the photo that floats can hold
SMOOTHING_SPACE = 5.0  # pixels at the reference side
SMOOTHING_RANGE = 0.03


@dataclass(frozen=True, slots=True)
class Budget:
    """What a quality spends.

    Attributes:
        stride: Distance in pixels between the style's patches that are looked at; 1 for all.
        passes: How often a picture is made anew with each patch size.
        rounds: Of the robust aggregation.
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
class _Level:
    """One scale of the pyramid: all (C, h, w).

    Attributes:
        photo: In the style's palette.
        weight: Of the photo against the style's patches, (1, h, w).
        styles: Style pictures with how often their parts were used and their shares of the whole.
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
    # An enlarged style has no more to offer than its original: as many candidates, farther apart.
    stride = budget.stride * max(1, round(options.style_scale))

    style_palette = Palette.mix([(style[0], share) for style, share in task.pictures()])
    photo = match_distribution(task.photo[0], style_palette, options.strength)
    palette = Palette.of(photo) if options.strength < 1 else style_palette
    levels = _levels(task, photo)
    on_step = _Steps(task, budget.passes)

    picture = levels[-1].photo
    noise = torch.randn(picture.shape, generator=generator, dtype=torch.float32).to(picture.device)
    picture = picture + options.strength * NOISE * noise
    for depth, level in reversed(list(enumerate(levels))):
        picture = resize(picture, (level.photo.shape[1], level.photo.shape[2]))
        for patch, gap in patches_for(long_side, [level.photo, *(style for style, _, _ in level.styles)]):
            sources = [
                (PatchSource(style, usage, patch=patch, stride=stride, generator=generator), share)
                for style, usage, share in level.styles
            ]
            for _ in range(budget.passes):
                grid = PatchGrid(picture.shape[1], picture.shape[2], patch, gap, *random_origin(gap, generator))
                picture = _paste(picture, sources, grid, budget.rounds)
                picture = (picture + level.weight * level.photo) / (1 + level.weight)
                picture = match_moments(picture, palette)
                picture = domain_transform(picture, sigma_space=smoothing, sigma_range=SMOOTHING_RANGE)
                on_step(depth, picture)
    return match_distribution(picture, palette)[None]


def _levels(task: Task, photo: Tensor) -> list[_Level]:
    """Pyramids of the photo, of its weight and of the styles, finest first."""
    mask = find_content(task.photo[0]) if task.content_mask is None else task.content_mask[0]
    masks = gaussian_pyramid(mask, LEVELS)
    photos = gaussian_pyramid(photo, LEVELS)
    styles = [(gaussian_pyramid(style[0], LEVELS), UsageMap(), share) for style, share in task.pictures()]
    # Less strength is more weight for the photo, so much at last that the dial ends at the photo itself.
    weight = LEAST_CONTENT + min(MOST_WEIGHT, (1 - task.options.strength) / task.options.strength)
    return [
        _Level(
            photos[depth],
            weight + CONTENT_WEIGHT * masks[depth],
            tuple((pyramid[depth], usage, share) for pyramid, usage, share in styles),
        )
        for depth in range(LEVELS)
    ]


def patches_for(long_side: int, pictures: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Side and gap, in pixels, of the patches for an output with this long side, largest first.

    They grow with the output, and are cut down where `pictures` (3, h, w) have less than two of them to a side.
    """
    scale = max(1.0, long_side / REFERENCE_SIDE)
    largest = min(side for picture in pictures for side in picture.shape[1:]) // 2
    fitted = []
    for nominal, gap in PATCHES:
        patch = max(1, (min(round(nominal * scale), largest) - 1) | 1)  # odd
        fitted.append((patch, max(1, round(gap * patch / nominal))))
    return fitted


def _paste(picture: Tensor, sources: list[tuple[PatchSource, float]], grid: PatchGrid, rounds: int) -> Tensor:
    """The picture made anew from patches of the styles that are nearest to its own."""
    padded = grid.pad(picture)
    patches = [source.match(padded, grid) for source, _ in sources]
    owner = assign_patches(padded, grid, patches, [share for _, share in sources])
    return aggregate(picture, select_patches(patches, owner), grid, exponent=EXPONENT, rounds=rounds)


class _Steps:
    """Counts the work: a pass costs in proportion to its pixels, 4 times as much a level."""

    def __init__(self, task: Task, passes: int):
        self._report = task.report
        self._done = 0
        self._total = sum(4**k for k in range(LEVELS)) * len(PATCHES) * passes

    def __call__(self, depth: int, picture: Tensor) -> None:
        self._done += 4 ** (LEVELS - 1 - depth)
        self._report(self._done, self._total, lambda: picture[None])
