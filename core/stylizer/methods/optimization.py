"""Neural style transfer by optimization: the pixels themselves are changed until a network sees the style in them.

Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016; the controls after Gatys
et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017 (arXiv 1611.07865). Where this leaves the
papers: style is compared by mean and covariance rather than by Gram matrices; both losses are relative, so that one
set of weights serves every picture; the picture is painted coarse to fine, which gives large strokes to large
paintings and most of the work to small ones; and the features are, unless asked for otherwise, a small encoder that
ships with this library instead of VGG-19.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from stylizer import features
from stylizer.color import Palette, match_distribution, without_chroma
from stylizer.features.statistics import Statistics
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.lbfgs import LBFGS
from stylizer.methods import Current, MemoryPolicy, Style, Task
from stylizer.options import SIZE_RANGE, FeaturesName
from stylizer.style_transfer_loss import StyleTransferLoss
from stylizer.synthesis.pyramid import resize

DEFAULT_FEATURES: FeaturesName = "compact"
MAX_STYLE_SIDE = SIZE_RANGE[1]
MAX_UPSCALED_STYLE_SIDE = MAX_STYLE_SIDE
# At 1562 x 1562 pixels keeping memory took 0.8 GiB more.
MEMORY_POLICY = MemoryPolicy(pixels=1_500_000, piece=32 * 2**20)

NOISE = 0.05  # standard deviation, at the start
COARSEST = 128  # long side in pixels of the coarsest level, about

# Steps on the levels of about 128, 256, 512, 1024 and 2048 pixels.
STEPS = {
    "draft": (50, 30, 15, 6, 3),
    "standard": (100, 80, 60, 25, 12),
    "high": (200, 200, 150, 80, 40),
}


def paint(task: Task) -> Tensor:
    """Paint `task.photo` by the features of `task.styles`: (1, 3, H, W).

    Raises:
        MissingWeights: Those of the features asked for are not on this machine.
    """
    nothing_to_paint = task.mask is not None and not task.mask.any()
    if task.options.strength == 0 or nothing_to_paint:
        task.report(1, 1, lambda: task.photo)
        return task.photo
    # The caller may be in inference mode, whose tensors take no part in gradients.
    with torch.inference_mode(False), torch.enable_grad():
        network = features.load(task.options.features or DEFAULT_FEATURES, task.photo.device)
        pictures = _Pictures(task, network)
        return pictures.trimmed(_paint_coarse_to_fine(task, pictures, network))


def _paint_coarse_to_fine(task: Task, pictures: _Pictures, network: features.Features) -> Tensor:
    levels = levels_for(max(task.photo.shape[2:]))
    on_step = _Steps(task, levels)
    image = _start(pictures.photo(levels - 1), list(pictures.style_pictures(levels - 1)), task)
    for level in reversed(range(levels)):
        photo = pictures.photo(level)
        objective = StyleTransferLoss(
            network, photo, pictures.styles(level), strength=task.options.strength, mask=pictures.mask(level)
        )
        descent = LBFGS(resize(image[0], _size(photo))[None])
        for step in _steps_down(descent, objective, on_step.steps[level]):
            on_step(level, step, partial(_present, descent, pictures))
        image = descent.image
    return image


def refine(task: Task, image: Tensor, steps: int) -> Tensor:
    """What so many steps at the scale of the output change in `image` (1, 3, H, W), a painting that is nearly done.

    Where the photo's colors will be laid over, only in its light and dark.
    """
    with torch.inference_mode(False), torch.enable_grad():
        network = features.load(task.options.features or DEFAULT_FEATURES, task.photo.device)
        pictures = _Pictures(task, network)
        start = pictures.prepared(image)
        objective = StyleTransferLoss(
            network, pictures.photo(0), pictures.styles(0), strength=task.options.strength, mask=pictures.mask(0)
        )
        descent = LBFGS(start.clone())
        for step in _steps_down(descent, objective, steps):
            task.report(step, steps, partial(_present, descent, pictures))
        return pictures.trimmed(descent.image - start)


def _steps_down(descent: LBFGS, objective: StyleTransferLoss, steps: int) -> Iterator[int]:
    """Go down in so many steps, or fewer where they bring nothing any more; after each on_step how many that makes."""
    for step in range(1, steps + 1):
        descent.step(objective)
        if descent.converged:
            yield steps
            return
        yield step


def _present(descent: LBFGS, pictures: _Pictures) -> Tensor:
    return pictures.trimmed(descent.image)


def levels_for(long_side: int) -> int:
    """How many scales to paint at, each twice the one before."""
    return max(1, round(math.log2(long_side / COARSEST)) + 1)


def _start(photo: Tensor, styles: Sequence[tuple[Tensor, float]], task: Task) -> Tensor:
    """The photo in the styles' palette, with a little noise from which flat areas can go different ways."""
    generator = torch.Generator().manual_seed(task.options.seed)
    noise = torch.randn(photo.shape, generator=generator, dtype=torch.float32).to(photo.device)
    palette = Palette.mix([(style[0], share) for style, share in styles])
    recolored = match_distribution(photo[0], palette, task.options.strength)
    return (recolored + task.options.strength * NOISE * noise).clamp(0, 1)


class _Pictures:
    """What a task is about, at any level: 0 is the size of the output, 1 half of it, and so on."""

    def __init__(self, task: Task, network: features.Features) -> None:
        """Take the pictures over: no smaller than `network` can see, and gray where only gray is used."""
        self._smallest = network.strides[-1]
        # Light and dark are all that is used then, so they are all that is compared (1611.07865, section 5.2).
        self._gray = task.options.preserve_color == "luminance"
        self._size = _size(task.photo)
        self._photo = self.prepared(task.photo)
        self._styles = [(self.prepared(style.picture), style) for style in task.styles]
        # What is stored of a style is how its own colors known to the compact encoder.
        self._as_stored = not self._gray and (task.options.features or DEFAULT_FEATURES) == DEFAULT_FEATURES
        self._mask = None if task.mask is None else self._large_enough(task.mask)

    def photo(self, level: int) -> Tensor:
        """(1, 3, h, w)."""
        return self._reduced(self._photo, level)

    def style_pictures(self, level: int) -> Iterator[tuple[Tensor, float]]:
        """Each (1, 3, h, w) with its share; one at a time, since they can be large."""
        return ((self._reduced(picture, level), style.share) for picture, style in self._styles)

    def styles(self, level: int) -> Iterator[tuple[Tensor | Sequence[Statistics], float]]:
        """The same, or in the place of a picture what is stored of the style."""
        for picture, style in self._styles:
            known = self._cached_statistics(style, level)
            yield self._reduced(picture, level) if known is None else known.levels[1:], style.share

    def _cached_statistics(self, style: Style, level: int) -> StyleStatistics | None:
        return style.statistics(0.5**level) if self._as_stored else None

    def mask(self, level: int) -> Tensor | None:
        """(1, 1, h, w)."""
        return None if self._mask is None else self._reduced(self._mask, level)

    def trimmed(self, image: Tensor) -> Tensor:
        """`image` of any level without what the photo was continued by."""
        height, width = (
            round(side * whole / padded)
            for side, whole, padded in zip(_size(image), self._size, _size(self._photo), strict=True)
        )
        return image[:, :, :height, :width]

    def prepared(self, image: Tensor) -> Tensor:
        """A copy of `image` (1, 3, h, w) as it is compared."""
        image = self._large_enough(image)
        return without_chroma(image[0])[None] if self._gray else image

    def _large_enough(self, image: Tensor) -> Tensor:
        """A copy of `image`, continued to the right and below by its last pixels where it is too small."""
        height, width = _size(image)
        right, below = max(0, self._smallest - width), max(0, self._smallest - height)
        return functional.pad(image.clone(), (0, right, 0, below), mode="replicate")

    def _reduced(self, image: Tensor, level: int) -> Tensor:
        height, width = (max(self._smallest, round(side / 2**level)) for side in _size(image))
        return resize(image[0], (height, width))[None].contiguous(memory_format=torch.channels_last)


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[2], image.shape[3]


class _Steps:
    """How many steps each level gets, and how much of the whole work they are."""

    def __init__(self, task: Task, levels: int) -> None:
        self._report = task.report
        budget = STEPS[task.options.quality]
        self.steps = [budget[min(levels - 1 - level, len(budget) - 1)] for level in range(levels)]
        # In units of a step at the coarsest level: each next one has four times the pixels.
        self._costs = [4 ** (levels - 1 - level) for level in range(levels)]
        done = list(accumulate(cost * steps for cost, steps in zip(self._costs[::-1], self.steps[::-1], strict=True)))
        self._total, self._before = done[-1], [0, *done[:-1]][::-1]

    def __call__(self, level: int, step: int, current: Current) -> None:
        self._report(self._before[level] + self._costs[level] * step, self._total, current)
