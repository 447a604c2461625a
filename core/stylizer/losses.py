"""What a painting by optimization brings down: distance from the style, distance from the photo, roughness.

Each is relative, so that one set of weights serves every picture and every set of features: 0 is "the same", and about
1 "nothing in common".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
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


def normalized(features: Tensor, weight: Tensor | None = None) -> Tensor:
    """Features (P, C) of `features` (1, C, h, w), each channel with mean 0 and deviation 1.

    Structure without color and contrast: the normalization that AdaIN (arXiv 1703.06868) calls removing style. Channels
    that hardly vary, beside all others, are not blown up to deviation 1.

    Args:
        features: Any precision; full precision comes back.
        weight: Where mean and deviation are taken, (1, 1, h, w), >= 0; None for everywhere.
    """
    positions = features.permute(0, 2, 3, 1).flatten(0, 2)
    positions = positions.to(torch.promote_types(positions.dtype, torch.float32))
    share = positions.new_ones(len(positions)) if weight is None else weight.flatten()
    share = share / share.sum()
    mean = share @ positions
    centered = positions - mean
    variance = share @ centered.square()
    overall = variance.mean() + mean.var(correction=0)
    # The root of a variance of zero has no gradient, and channels that see nothing do occur.
    deviation = (variance + 1e-12).sqrt() + 1e-3 * (overall + 1e-12).sqrt()
    return centered / deviation


def content_loss(
    ours: Sequence[Tensor], wanted: Sequence[Tensor], weights: Sequence[Tensor | None] | None = None
) -> Tensor:
    """Mean squared difference of normalized features, averaged over taps: 0 is the same structure, 2 unrelated.

    Args:
        ours: Of the painting, (P, C) a tap, as `normalized` answers them.
        wanted: The same of the photo.
        weights: Where it counts, (1, 1, h, w) a tap with h w = P, >= 0; None for everywhere.
    """
    total = ours[0].new_zeros(())
    for our, want, weight in zip(ours, wanted, weights or [None] * len(ours), strict=True):
        error = (our - want).square()
        total = total + (error.mean() if weight is None else (error.mean(1) * weight.flatten()).sum() / weight.sum())
    return total / len(ours)


def total_variation(image: Tensor) -> Tensor:
    """Mean absolute difference of neighboring pixels of `image` (1, 3, H, W), horizontal plus vertical."""
    horizontal = (image[..., :, 1:] - image[..., :, :-1]).abs()
    vertical = (image[..., 1:, :] - image[..., :-1, :]).abs()
    return sum((part.mean() for part in (horizontal, vertical) if part.numel()), image.new_zeros(()))
