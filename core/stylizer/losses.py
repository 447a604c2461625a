"""Style loss and total variation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from stylizer.features.statistics import Statistics

# Floor of the covariance scale relative to the squared mean: a style of one color has almost no covariance, and its
# relative error would dominate that of the mean. In real pictures the ratio is some tenths.
MIN_COVARIANCE = 0.03


def style_scales(style: Statistics) -> tuple[Tensor, Tensor]:
    """Return the scales of the squared errors of mean and covariance for one tap of a style."""
    mean_scale = style.mean.square().sum()
    return mean_scale, style.covariance.square().sum() + (MIN_COVARIANCE * mean_scale).square()


def style_loss(
    sources: Sequence[Statistics],
    targets: Sequence[Statistics],
    scales: Sequence[tuple[Tensor, Tensor]],
    weights: Sequence[float],
) -> Tensor:
    """Return the style loss: relative squared error of mean plus covariance, as the weighted mean over taps.

    Args:
        sources: Statistics of the painting, one for each tap.
        targets: Target statistics, one for each tap.
        scales: Results of `style_scales`, one pair for each tap.
        weights: Relative weights of the taps.
    """
    total = sources[0].mean.new_zeros(())
    for source, target, (mean_scale, covariance_scale), weight in zip(sources, targets, scales, weights, strict=True):
        mean = (source.mean - target.mean).square().sum() / mean_scale
        covariance = (source.covariance - target.covariance).square().sum() / covariance_scale
        total = total + weight * (mean + covariance)
    return total / sum(weights)


def total_variation(image: Tensor) -> Tensor:
    """Return the mean absolute difference of neighboring pixels of `image` (1, 3, H, W), horizontal plus vertical."""
    horizontal = (image[..., :, 1:] - image[..., :, :-1]).abs()
    vertical = (image[..., 1:, :] - image[..., :-1, :]).abs()
    return sum((part.mean() for part in (horizontal, vertical) if part.numel()), image.new_zeros(()))
