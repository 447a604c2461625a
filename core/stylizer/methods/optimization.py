"""Neural style transfer by optimization of the pixels.

Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016; the controls after Gatys
et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017 (arXiv 1611.07865). Differences from the
papers: style is compared by mean and covariance instead of Gram matrices; both losses are relative, so that one set of
weights fits every picture; the optimization runs coarse to fine, which gives large paintings large strokes and does
most steps on small pictures; and the default features are a small encoder shipped with this library instead of VGG-19.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from stylizer.methods import MemoryPolicy, PreviewFn, StyleInput, Task
from stylizer.options import SIZE_RANGE, FeaturesName
from stylizer.style_transfer_loss import CONTENT_WEIGHT, StyleTransferLoss
from stylizer.synthesis.pyramid import resize
from stylizer.tensors import spatial_size

DEFAULT_FEATURES: FeaturesName = "compact"
MAX_STYLE_SIDE = SIZE_RANGE[1]
MAX_UPSCALED_STYLE_SIDE = MAX_STYLE_SIDE
# Keeping freed blocks took 0.8 GiB more at 1562 x 1562 pixels.
MEMORY_POLICY = MemoryPolicy(min_pixels=1_500_000, block_bytes=32 * 2**20)

NOISE = 0.05  # standard deviation in the initial image
COARSEST_SIDE = 128  # approximate long side in pixels of the coarsest level

# Steps at levels of about 128, 256, 512, 1024 and 2048 pixels.
STEPS = {
    "draft": (50, 30, 15, 6, 3),
    "standard": (100, 80, 60, 25, 12),
    "high": (200, 200, 150, 80, 40),
}


def paint(task: Task) -> Tensor:
    """Paint `task.photo` in `task.styles`: (1, 3, H, W).

    Raises:
        MissingWeights: The weights of the requested features are not installed.
    """
    nothing_to_paint = task.mask is not None and not task.mask.any()
    if task.options.strength == 0 or nothing_to_paint:
        task.report(1, 1, lambda: task.photo)
        return task.photo
    return paint_with_steps(task, STEPS[task.options.quality])


def paint_with_steps(
    task: Task, steps: Sequence[int], content_weight: float = CONTENT_WEIGHT, initial: Tensor | None = None
) -> Tensor:
    """Paint `task` with a number of steps for each level: (1, 3, H, W).

    Args:
        task: The task; its quality is not used.
        steps: Maximum number of steps at each level, coarse to fine; the last applies to all finer levels.
        content_weight: Weight of the content loss, relative to 1 for the style loss.
        initial: Image to start from, (1, 3, H, W) in [0, 1], instead of the photo in the styles' palette.

    Raises:
        MissingWeights: The weights of the requested features are not installed.
    """
    with _level_inputs(task) as inputs:
        levels = count_levels(max(task.photo.shape[2:]))
        on_step = _ProgressTracker(task, _per_level(steps, levels))
        if initial is None:
            image = _initial_image(inputs.photo(levels - 1), list(inputs.style_pictures(levels - 1)), task)
        else:
            image = inputs.prepare(initial)
        for level in reversed(range(levels)):
            loss = inputs.loss(level, content_weight)
            optimizer = LBFGS(resize(image[0], spatial_size(inputs.photo(level)))[None])
            for step in _descend(optimizer, loss, on_step.steps[level]):
                on_step(level, step, partial(_preview, optimizer, inputs))
            image = optimizer.image
        return inputs.crop(image)


def refine(task: Task, image: Tensor, steps: int, content_weight: float = CONTENT_WEIGHT) -> Tensor:
    """Return the change of `image` (1, 3, H, W), a nearly finished painting, by `steps` steps at the output size.

    `content_weight` is relative to 1 for the style loss.
    With preserve_color "luminance" the change is in lightness only.
    """
    with _level_inputs(task) as inputs:
        start = inputs.prepare(image)
        loss = inputs.loss(0, content_weight)
        optimizer = LBFGS(start.clone())
        for step in _descend(optimizer, loss, steps):
            task.report(step, steps, partial(_preview, optimizer, inputs))
        return inputs.crop(optimizer.image - start)


@contextmanager
def _level_inputs(task: Task) -> Iterator[_LevelInputs]:
    """Prepare the inputs, and enable autograd: the caller may be in inference mode, whose tensors do not support it."""
    with torch.inference_mode(False), torch.enable_grad():
        yield _LevelInputs(task, features.load(task.options.features or DEFAULT_FEATURES, task.photo.device))


def _descend(optimizer: LBFGS, loss: StyleTransferLoss, steps: int) -> Iterator[int]:
    """Take up to `steps` steps and yield the count after each; on convergence yield `steps` and stop."""
    for step in range(1, steps + 1):
        optimizer.step(loss)
        if optimizer.converged:
            yield steps
            return
        yield step


def _preview(optimizer: LBFGS, inputs: _LevelInputs) -> Tensor:
    return inputs.crop(optimizer.image)


def count_levels(long_side: int) -> int:
    """Return the number of levels, each half the size of the next finer one."""
    return max(1, round(math.log2(long_side / COARSEST_SIDE)) + 1)


def _initial_image(photo: Tensor, styles: Sequence[tuple[Tensor, float]], task: Task) -> Tensor:
    """Return the photo in the styles' palette, with a little noise that breaks the symmetry of flat areas."""
    palette = Palette.mix([(style[0], share) for style, share in styles])
    recolored = match_distribution(photo[0], palette, task.options.strength)
    generator = torch.Generator().manual_seed(task.options.seed)
    noise = torch.randn(photo.shape, generator=generator, dtype=torch.float32).to(photo.device)
    return (recolored + task.options.strength * NOISE * noise).clamp(0, 1)


class _LevelInputs:
    """Photo, mask and styles of a task at each level: 0 is the output size, 1 half of it, and so on."""

    def __init__(self, task: Task, network: features.Features) -> None:
        """Prepare the inputs: padded to the coarsest stride of `network`, and gray for preserve_color "luminance"."""
        self._network, self._strength = network, task.options.strength
        self._min_side = network.strides[-1]
        # Only lightness is used then, so only lightness is compared (arXiv 1611.07865, section 5.2).
        self._gray = task.options.preserve_color == "luminance"
        self._output_size = spatial_size(task.photo)
        self._photo = self.prepare(task.photo)
        self._styles = [(self.prepare(style.picture), style) for style in task.styles]
        # Cached statistics are those of the compact encoder on the style's original colors.
        self._use_cached_statistics = not self._gray and (task.options.features or DEFAULT_FEATURES) == DEFAULT_FEATURES
        self._mask = None if task.mask is None else self.pad_to_minimum(task.mask)

    def photo(self, level: int) -> Tensor:
        """Return the photo at `level`, (1, 3, h, w)."""
        return self.at_level(self._photo, level)

    def style_pictures(self, level: int) -> Iterator[tuple[Tensor, float]]:
        """Yield each picture (1, 3, h, w) with its weight; lazily, since pictures can be large."""
        return ((self.at_level(picture, level), style.share) for picture, style in self._styles)

    def styles(self, level: int) -> Iterator[tuple[Tensor | Sequence[Statistics], float]]:
        """Yield the cached statistics of each style, or its picture if there are none, with its weight."""
        for picture, style in self._styles:
            cached = self._cached_statistics(style, level)
            yield self.at_level(picture, level) if cached is None else cached.levels[1:], style.share

    def _cached_statistics(self, style: StyleInput, level: int) -> StyleStatistics | None:
        return style.statistics(0.5**level) if self._use_cached_statistics else None

    def mask(self, level: int) -> Tensor | None:
        """Return the mask at `level`, (1, 1, h, w)."""
        return None if self._mask is None else self.at_level(self._mask, level)

    def loss(self, level: int, content_weight: float = CONTENT_WEIGHT) -> StyleTransferLoss:
        """Return the objective at `level`; `content_weight` is relative to 1 for the style loss."""
        return StyleTransferLoss(
            self._network,
            self.photo(level),
            self.styles(level),
            strength=self._strength,
            mask=self.mask(level),
            content_weight=content_weight,
        )

    def crop(self, image: Tensor) -> Tensor:
        """Crop the padding off `image`, of any level."""
        height, width = (
            round(side * whole / padded)
            for side, whole, padded in zip(
                spatial_size(image), self._output_size, spatial_size(self._photo), strict=True
            )
        )
        return image[:, :, :height, :width]

    def prepare(self, image: Tensor) -> Tensor:
        """Return a padded copy of `image` (1, 3, h, w), gray where only lightness is compared."""
        image = self.pad_to_minimum(image)
        return without_chroma(image[0])[None] if self._gray else image

    def pad_to_minimum(self, image: Tensor) -> Tensor:
        """Return a copy of `image` (1, C, h, w), replicate-padded to the right and below to the minimum side."""
        height, width = spatial_size(image)
        right, below = max(0, self._min_side - width), max(0, self._min_side - height)
        return functional.pad(image.clone(), (0, right, 0, below), mode="replicate")

    def at_level(self, image: Tensor, level: int) -> Tensor:
        """Resize `image` (1, C, H, W), padded, to `level`."""
        height, width = (max(self._min_side, round(side / 2**level)) for side in spatial_size(image))
        return resize(image[0], (height, width))[None].contiguous(memory_format=torch.channels_last)


def _per_level(steps: Sequence[int], levels: int) -> list[int]:
    """Return the steps of each level, finest first, of `steps` that begin with the coarsest."""
    return [steps[min(levels - 1 - level, len(steps) - 1)] for level in range(levels)]


def _units(steps: Sequence[int]) -> list[int]:
    """Return the cost of `steps` (per level, finest first) up to each level, coarsest first, weighted by their pixels.

    In units of a step at the coarsest level; each finer level has four times the pixels.
    """
    return list(accumulate(4**depth * count for depth, count in enumerate(reversed(steps))))


class _ProgressTracker:
    """Progress weighted by the cost of the steps of each level."""

    def __init__(self, task: Task, steps: Sequence[int]) -> None:
        """Track the task's progress; `steps` per level, finest first."""
        self._report, self.steps = task.report, steps
        done = _units(steps)
        self._total, self._before = done[-1], [0, *done[:-1]][::-1]

    def __call__(self, level: int, step: int, current: PreviewFn) -> None:
        cost = 4 ** (len(self.steps) - 1 - level)
        self._report(self._before[level] + cost * step, self._total, current)
