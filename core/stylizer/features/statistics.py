"""Style statistics: mean and covariance of features over a picture.

Gatys et al. 2016 compare Gram matrices, which mix the two; compared separately, an error in one cannot mask the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, FunctionCtx


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Mean and covariance of one tap over one picture.

    Attributes:
        mean: (C,), float32 or float64.
        covariance: (C, C), likewise.
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def from_features(cls, tap: Tensor, weight: Tensor | None = None) -> Statistics:
        """Compute the statistics of features `tap` (1, C, h, w), weighted by `weight` (1, 1, h, w) >= 0.

        With weights they are the guided statistics of Gatys et al. 2017 (arXiv 1611.07865), section 4.
        """
        positions = tap.permute(0, 2, 3, 1).flatten(0, 2)
        column = None if weight is None else weight.flatten()[:, None]
        mean, covariance = _Moments.apply(positions, column)  # type: ignore[no-untyped-call]
        return cls(mean, covariance)

    @classmethod
    def mix(cls, parts: Sequence[tuple[Statistics, float]]) -> Statistics:
        """Return the weighted mean of several statistics; weights sum to 1."""
        return cls(
            torch.stack([share * part.mean for part, share in parts]).sum(0),
            torch.stack([share * part.covariance for part, share in parts]).sum(0),
        )

    @classmethod
    def pool(cls, parts: Sequence[tuple[Statistics, float]]) -> Statistics:
        """Pool the statistics of the parts of a picture by their shares of it, which sum to 1."""
        mixed = cls.mix(parts)
        offsets = torch.stack([share**0.5 * (part.mean - mixed.mean) for part, share in parts])
        return cls(mixed.mean, mixed.covariance + offsets.T @ offsets)

    def tensors(self) -> tuple[Tensor, ...]:
        """Return all tensors, in the order of the attributes."""
        return self.mean, self.covariance

    def lerp(self, other: Statistics, amount: float) -> Statistics:
        """Interpolate linearly: `self` at `amount` 0, `other` at 1."""
        return Statistics.mix([(self, 1 - amount), (other, amount)])


class _Moments(Function):
    """Mean and covariance of positions (P, C), with one pass over them forward and one backward.

    Derived by hand: the centered features have weighted mean 0, so the gradient of the covariance does not flow through
    the mean, and one matrix product replaces six passes of autograd over the largest tensor of the network.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, positions: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(positions.dtype, torch.float32)
        if weight is None:
            total = positions.new_full((), len(positions), dtype=exact)
            mean = positions.mean(0, dtype=exact)
        else:
            weight = weight.to(positions.dtype)
            total = weight.sum(dtype=exact)
            mean = (positions.T @ weight)[:, 0].to(exact) / total
        centered = positions - mean.to(positions.dtype)
        weighted = centered if weight is None else centered * weight
        covariance = (weighted.T @ centered).to(exact) / total
        ctx.save_for_backward(weighted, total, *(() if weight is None else (weight,)))
        return mean, covariance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        weighted, total, *weights = ctx.saved_tensors
        mean_gradient, covariance_gradient = (gradient / total for gradient in gradients)
        symmetric = (covariance_gradient + covariance_gradient.T).to(weighted.dtype)
        mean_gradient = mean_gradient.to(weighted.dtype)
        if weights:
            return torch.addmm(weights[0] * mean_gradient, weighted, symmetric), None
        return torch.addmm(mean_gradient, weighted, symmetric), None
