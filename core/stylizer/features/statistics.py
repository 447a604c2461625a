"""What style is compared by: the mean and covariance of features over a picture.

Gatys et al. 2016 compare Gram matrices, which mix the two; kept apart, each can err without hiding the other.
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
    """Of one tap over one picture.

    Attributes:
        mean: (C,), float32 at least.
        covariance: (C, C), likewise.
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, tap: Tensor, weight: Tensor | None = None) -> Statistics:
        """Measure features `tap` (1, C, h, w); `weight` (1, 1, h, w) >= 0 says where they count (guidance).

        Guided statistics are those of Gatys et al. 2017 (arXiv 1611.07865), section 4.
        """
        positions = tap.permute(0, 2, 3, 1).flatten(0, 2)
        column = None if weight is None else weight.flatten()[:, None]
        mean, covariance = _Moments.apply(positions, column)  # type: ignore[no-untyped-call]
        return cls(mean, covariance)

    @classmethod
    def mix(cls, parts: Sequence[tuple[Statistics, float]]) -> Statistics:
        """The blend of several, each with its share; shares sum to 1."""
        return cls(
            torch.stack([share * part.mean for part, share in parts]).sum(0),
            torch.stack([share * part.covariance for part, share in parts]).sum(0),
        )

    @classmethod
    def pool(cls, parts: Sequence[tuple[Statistics, float]]) -> Statistics:
        """Of a whole picture, from those of its parts with their shares of it; shares sum to 1."""
        mixed = cls.mix(parts)
        off = torch.stack([share**0.5 * (part.mean - mixed.mean) for part, share in parts])
        return cls(mixed.mean, mixed.covariance + off.T @ off)

    def tensors(self) -> tuple[Tensor, ...]:
        """All that it consists of, in the order of the attributes."""
        return self.mean, self.covariance

    def toward(self, other: Statistics, amount: float) -> Statistics:
        """These moved toward `other`: not at all at `amount` 0, all the way at 1."""
        return Statistics.mix([(self, 1 - amount), (other, amount)])


class _Moments(Function):
    """Mean and covariance of positions (P, C), in one pass over them each way.

    Written out because the centered features have weighted mean 0: the gradient of the covariance then does not pass
    through the mean, and one matrix product does what the recorded operations would do in six passes over what is, at
    the finest tap, the largest tensor there is.
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
        of_mean, of_covariance = (gradient / total for gradient in gradients)
        both = (of_covariance + of_covariance.T).to(weighted.dtype)
        of_mean = of_mean.to(weighted.dtype)
        if weights:
            return torch.addmm(weights[0] * of_mean, weighted, both), None
        return torch.addmm(of_mean, weighted, both), None
