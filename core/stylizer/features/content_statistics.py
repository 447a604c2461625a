"""What content is compared by: how features vary over a picture, and how much they vary as the photo's do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FLOOR = 1e-3  # of the deviation of all channels: one that hardly varies beside the others is not blown up


@dataclass(frozen=True, slots=True, eq=False)
class ContentStatistics:
    """Of some features over one picture or a part of it; all (C,), float32 at least.

    Attributes:
        mean: Of each channel.
        variance: Of each channel.
        likeness: Covariance of each channel with the same one of the photo's normalized features.
        wanted_mean: Of those, over the same part.
    """

    mean: Tensor
    variance: Tensor
    likeness: Tensor
    wanted_mean: Tensor

    @classmethod
    def of(cls, features: Tensor, wanted: Tensor, weight: Tensor | None = None) -> ContentStatistics:
        """Compare `features` (1, C, h, w) with `wanted` of the same shape, where `weight` (1, 1, h, w) >= 0 says."""
        positions, goal = _positions(features), _positions(wanted)
        share = _share(positions, weight)
        mean, wanted_mean = share @ positions, share @ goal
        off = positions - mean
        return cls(mean, share @ off.square(), share @ (off * (goal - wanted_mean)), wanted_mean)

    @classmethod
    def pool(cls, parts: Sequence[tuple[ContentStatistics, float]]) -> ContentStatistics:
        """Of the whole, from those of its parts with their shares of it; shares sum to 1."""
        mean = _total((part.mean, share) for part, share in parts)
        wanted_mean = _total((part.wanted_mean, share) for part, share in parts)
        return cls(
            mean,
            _total((part.variance + (part.mean - mean).square(), share) for part, share in parts),
            _total(
                (part.likeness + (part.mean - mean) * (part.wanted_mean - wanted_mean), share) for part, share in parts
            ),
            wanted_mean,
        )

    def tensors(self) -> tuple[Tensor, ...]:
        """All that depends on the features, in the order of the attributes."""
        return self.mean, self.variance, self.likeness

    @property
    def deviation(self) -> Tensor:
        """What the features are divided by to be normalized, (C,)."""
        overall = self.variance.mean() + self.mean.var(correction=0)
        # The root of a variance of zero has no gradient, and channels that see nothing do occur.
        return (self.variance + 1e-12).sqrt() + FLOOR * (overall + 1e-12).sqrt()

    @property
    def distance(self) -> Tensor:
        """Mean squared difference of the normalized features from those of the photo: 0 the same, 2 unrelated.

        The photo's are taken to have variance 1, which they have but for the floor.
        """
        deviation = self.deviation
        return (self.variance / deviation.square() - 2 * self.likeness / deviation + 1).mean()

    def normalized(self, features: Tensor) -> Tensor:
        """`features` (1, C, h, w) with mean 0 and deviation 1 in each channel, in their own precision.

        Structure without color and contrast: the normalization that AdaIN (arXiv 1703.06868) calls removing style.
        """
        mean, deviation = (values.view(1, -1, 1, 1) for values in (self.mean, self.deviation))
        return ((features - mean) / deviation).to(features.dtype)


def _positions(features: Tensor) -> Tensor:
    """(P, C) of (1, C, h, w), in full precision."""
    positions = features.permute(0, 2, 3, 1).flatten(0, 2)
    return positions.to(torch.promote_types(positions.dtype, torch.float32))


def _share(positions: Tensor, weight: Tensor | None) -> Tensor:
    share = positions.new_ones(len(positions)) if weight is None else weight.flatten().to(positions.dtype)
    return share / share.sum()


def _total(parts: Iterable[tuple[Tensor, float]]) -> Tensor:
    return torch.stack([share * value for value, share in parts]).sum(0)
