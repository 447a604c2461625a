"""Content statistics: the moments that determine the distance of a picture's normalized features from the photo's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FLOOR = 1e-3  # share of the overall deviation added to each channel's, so that near-constant channels are not amplified


@dataclass(frozen=True, slots=True, eq=False)
class ContentStatistics:
    """Moments of features over one picture or a part of it; all (C,), float32 or float64.

    Attributes:
        mean: Mean of each channel.
        variance: Variance of each channel.
        photo_covariance: Covariance of each channel with the same channel of the photo's normalized features.
        target_mean: Mean of each channel of the photo's normalized features.
    """

    mean: Tensor
    variance: Tensor
    photo_covariance: Tensor
    target_mean: Tensor

    @classmethod
    def from_features(cls, features: Tensor, target: Tensor, weight: Tensor | None = None) -> ContentStatistics:
        """Compute the moments of `features` and `target`, both (1, C, h, w), weighted by `weight` (1, 1, h, w) >= 0."""
        positions, target_positions = _positions(features), _positions(target)
        share = _normalize_weight(positions, weight)
        mean, target_mean = share @ positions, share @ target_positions
        centered = positions - mean
        return cls(mean, share @ centered.square(), share @ (centered * (target_positions - target_mean)), target_mean)

    @classmethod
    def pool(cls, parts: Sequence[tuple[ContentStatistics, float]]) -> ContentStatistics:
        """Pool the moments of the parts of a picture by their shares of it, which sum to 1."""
        mean = _weighted_sum((part.mean, share) for part, share in parts)
        target_mean = _weighted_sum((part.target_mean, share) for part, share in parts)
        return cls(
            mean,
            _weighted_sum((part.variance + (part.mean - mean).square(), share) for part, share in parts),
            _weighted_sum(
                (part.photo_covariance + (part.mean - mean) * (part.target_mean - target_mean), share)
                for part, share in parts
            ),
            target_mean,
        )

    def tensors(self) -> tuple[Tensor, ...]:
        """Return the tensors that depend on the features, in the order of the attributes."""
        return self.mean, self.variance, self.photo_covariance

    @property
    def deviation(self) -> Tensor:
        """Divisor of the normalization: standard deviation plus the floor, (C,)."""
        overall = self.variance.mean() + self.mean.var(correction=0)
        # The square root has no gradient at 0, and dead channels do occur.
        return (self.variance + 1e-12).sqrt() + FLOOR * (overall + 1e-12).sqrt()

    @property
    def distance(self) -> Tensor:
        """Mean squared difference of the normalized features from the photo's: 0 for equal, 2 for uncorrelated ones.

        Assumes variance 1 of the photo's normalized features, which holds up to the floor.
        """
        deviation = self.deviation
        return (self.variance / deviation.square() - 2 * self.photo_covariance / deviation + 1).mean()

    def normalize(self, features: Tensor) -> Tensor:
        """Normalize `features` (1, C, h, w) to mean 0 and deviation 1 in each channel, in their dtype.

        Keeps structure without color and contrast: the instance normalization of AdaIN (arXiv 1703.06868).
        """
        mean, deviation = (values.view(1, -1, 1, 1) for values in (self.mean, self.deviation))
        return ((features - mean) / deviation).to(features.dtype)


def _positions(features: Tensor) -> Tensor:
    """Reshape (1, C, h, w) to (P, C), float32 or float64."""
    positions = features.permute(0, 2, 3, 1).flatten(0, 2)
    return positions.to(torch.promote_types(positions.dtype, torch.float32))


def _normalize_weight(positions: Tensor, weight: Tensor | None) -> Tensor:
    share = positions.new_ones(len(positions)) if weight is None else weight.flatten().to(positions.dtype)
    return share / share.sum()


def _weighted_sum(parts: Iterable[tuple[Tensor, float]]) -> Tensor:
    return torch.stack([share * value for value, share in parts]).sum(0)
