"""Statistics of a picture's colors and of the compact encoder's taps, by which the network represents a style."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.features.statistics import Statistics

SAMPLES = 2**14  # approximate number of positions sampled per level


@dataclass(frozen=True, slots=True, eq=False)
class StyleStatistics:
    """Mean and covariance of the colors and of each tap of a picture.

    Attributes:
        levels: Statistics of the colors, then of the taps, fine to coarse.
    """

    levels: tuple[Statistics, ...]

    @classmethod
    def from_features(cls, image: Tensor, taps: Sequence[Tensor], weight: Tensor | None = None) -> StyleStatistics:
        """Compute from `image` (1, 3, H, W) and its `taps`, weighted by `weight` (1, 1, H, W) >= 0."""
        if weight is not None:
            return cls(
                tuple(
                    Statistics.from_features(level.float(), _resample_weight(weight, level)) for level in (image, *taps)
                )
            )
        return cls(tuple(Statistics.from_features(_subsample(level).float()) for level in (image, *taps)))

    @classmethod
    def unpack(cls, state: Mapping[str, Tensor]) -> StyleStatistics:
        """Restore statistics from the result of `pack`, in float32."""
        parts = ((state[f"{i}.mean"].float(), state[f"{i}.covariance"].float()) for i in range(len(state) // 2))
        return cls(tuple(Statistics(mean, _unpack_symmetric(covariance)) for mean, covariance in parts))

    def pack(self) -> dict[str, Tensor]:
        """Pack into float16 tensors, with only the lower triangle of each covariance."""
        state: dict[str, Tensor] = {}
        for i, level in enumerate(self.levels):
            rows, columns = torch.tril_indices(*level.covariance.shape)
            state |= {f"{i}.mean": level.mean, f"{i}.covariance": level.covariance[rows, columns]}
        return {key: value.half().contiguous() for key, value in state.items()}

    @classmethod
    def mix(cls, parts: Sequence[tuple[StyleStatistics, float]]) -> StyleStatistics:
        """Return the weighted mean of several statistics; weights sum to 1."""
        levels = zip(*(statistics.levels for statistics, _ in parts), strict=True)
        shares = [share for _, share in parts]
        return cls(tuple(Statistics.mix(list(zip(level, shares, strict=True))) for level in levels))

    @classmethod
    def pool(cls, parts: Sequence[tuple[StyleStatistics, float]]) -> StyleStatistics:
        """Pool the statistics of parts of a picture by their shares of it, which sum to 1."""
        levels = zip(*(statistics.levels for statistics, _ in parts), strict=True)
        shares = [share for _, share in parts]
        return cls(tuple(Statistics.pool(list(zip(level, shares, strict=True))) for level in levels))

    def lerp(self, other: StyleStatistics, amount: float) -> StyleStatistics:
        """Interpolate linearly: `self` at `amount` 0, `other` at 1."""
        return StyleStatistics.mix([(self, 1 - amount), (other, amount)])


def _subsample(level: Tensor) -> Tensor:
    """Subsample `level` (1, C, h, w) to about `SAMPLES` positions."""
    step = max(1, round(math.sqrt(level.shape[2] * level.shape[3] / SAMPLES)))
    return level[:, :, ::step, ::step]


def _unpack_symmetric(lower: Tensor) -> Tensor:
    """Restore a symmetric matrix (C, C) from its lower triangle in row-major order."""
    side = int((2 * len(lower)) ** 0.5)
    rows, columns = torch.tril_indices(side, side)
    square = lower.new_empty(side, side)
    square[rows, columns] = square[columns, rows] = lower
    return square


def _resample_weight(weight: Tensor, level: Tensor) -> Tensor:
    """Resample `weight` to the resolution of `level`."""
    if weight.shape[2:] == level.shape[2:]:
        return weight
    return functional.interpolate(weight, level.shape[2:], mode="area")
