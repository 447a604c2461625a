"""What a painting by optimization brings down: distance from the style, and roughness."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from stylizer.features.statistics import Statistics

# A style of one color has next to no covariance to be relative to, and its mean would not count beside that.
# Covariances of real pictures are some tenths of their mean's square.
LEAST_COVARIANCE = 0.03


def style_scales(style: Statistics) -> tuple[Tensor, Tensor]:
    """What squared errors of the mean and of the covariance are relative to, for one tap."""
    of_mean = style.mean.square().sum()
    return of_mean, style.covariance.square().sum() + (LEAST_COVARIANCE * of_mean).square()


def style_loss(
    ours: Sequence[Statistics],
    wanted: Sequence[Statistics],
    scales: Sequence[tuple[Tensor, Tensor]],
    weights: Sequence[float],
) -> Tensor:
    """Relative squared error of mean plus that of covariance, as the weighted mean over taps; 0 is the same style.

    Args:
        ours: Of the painting, one a tap.
        wanted: What they should be.
        scales: From `style_scales`, one pair a tap.
        weights: Of the taps, relative.
    """
    total = ours[0].mean.new_zeros(())
    for our, want, (of_mean, of_covariance), weight in zip(ours, wanted, scales, weights, strict=True):
        mean = (our.mean - want.mean).square().sum() / of_mean
        covariance = (our.covariance - want.covariance).square().sum() / of_covariance
        total = total + weight * (mean + covariance)
    return total / sum(weights)


def total_variation(image: Tensor) -> Tensor:
    """Mean absolute difference of neighboring pixels of `image` (1, 3, H, W), horizontal plus vertical."""
    horizontal = (image[..., :, 1:] - image[..., :, :-1]).abs()
    vertical = (image[..., 1:, :] - image[..., :-1, :]).abs()
    return sum((part.mean() for part in (horizontal, vertical) if part.numel()), image.new_zeros(()))
