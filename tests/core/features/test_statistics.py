from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stylizer.features.statistics import Statistics


def _noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def _plainly(tap: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean and covariance of (1, C, h, w), position by position."""
    weights = torch.ones(tap.shape[2:], dtype=tap.dtype) if weight is None else weight[0, 0]
    mean = torch.zeros(tap.shape[1], dtype=tap.dtype)
    covariance = torch.zeros(tap.shape[1], tap.shape[1], dtype=tap.dtype)
    places = [(y, x) for y in range(tap.shape[2]) for x in range(tap.shape[3])]
    for y, x in places:
        mean = mean + weights[y, x] * tap[0, :, y, x]
    mean = mean / weights.sum()
    for y, x in places:
        off = tap[0, :, y, x] - mean
        covariance = covariance + weights[y, x] * off.outer(off)
    return mean, covariance / weights.sum()


@pytest.mark.parametrize("weight", [None, _noise(1, 1, 4, 5, seed=1)])
def test_statistics_and_gradients_match_plain_formulas(weight: Tensor | None) -> None:
    tap = _noise(1, 3, 4, 5).requires_grad_()
    of_mean, of_covariance = _noise(3, seed=2), _noise(3, 3, seed=3)  # not symmetric: a gradient need not be
    gradients = []
    for mean, covariance in (
        (lambda found: (found.mean, found.covariance))(Statistics.from_features(tap, weight)),
        _plainly(tap, weight),
    ):
        (gradient,) = torch.autograd.grad((mean * of_mean).sum() + (covariance * of_covariance).sum(), tap)
        gradients.append((mean.detach(), covariance.detach(), gradient))
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)


def test_unweighted_statistics_are_numpys() -> None:
    tap = _noise(1, 4, 6, 7)
    found = Statistics.from_features(tap)
    positions = tap[0].flatten(1).numpy()
    np.testing.assert_allclose(found.mean, positions.mean(1))
    np.testing.assert_allclose(found.covariance, np.cov(positions, bias=True))


def test_statistics_of_bfloat16_are_close_and_kept_in_float32() -> None:
    tap = _noise(1, 8, 40, 50, dtype=torch.float32).requires_grad_()
    exact, coarse = Statistics.from_features(tap), Statistics.from_features(tap.bfloat16())
    assert coarse.mean.dtype == coarse.covariance.dtype == torch.float32
    torch.testing.assert_close(coarse.mean, exact.mean, rtol=5e-3, atol=0)
    largest = float(exact.covariance.detach().max())
    torch.testing.assert_close(coarse.covariance, exact.covariance, rtol=0, atol=2e-2 * largest)
    gradients = [torch.autograd.grad(s.covariance.square().sum() + s.mean.sum(), tap)[0] for s in (exact, coarse)]
    assert torch.corrcoef(torch.stack([gradient.flatten() for gradient in gradients]))[0, 1] > 0.999


def test_a_mixture_lies_between_its_parts() -> None:
    a, b = Statistics.from_features(_noise(1, 3, 4, 5)), Statistics.from_features(3 * _noise(1, 3, 4, 5, seed=1))
    third = Statistics.mix([(a, 2 / 3), (b, 1 / 3)])
    torch.testing.assert_close(third.mean, (2 * a.mean + b.mean) / 3)
    torch.testing.assert_close(third.covariance, (2 * a.covariance + b.covariance) / 3)
    torch.testing.assert_close(a.lerp(b, 1 / 3).covariance, third.covariance)
    torch.testing.assert_close(a.lerp(b, 0.0).mean, a.mean)


def test_statistics_of_parts_pool_to_those_of_the_whole() -> None:
    whole, weight = _noise(1, 3, 6, 8), _noise(1, 1, 6, 8, seed=4)
    for weights in (torch.ones_like(weight), weight):
        rows = [slice(0, 2), slice(2, 6)]
        shares = [float(weights[:, :, part].sum() / weights.sum()) for part in rows]
        parts = [Statistics.from_features(whole[:, :, part], weights[:, :, part]) for part in rows]
        pooled, expected = (
            Statistics.pool(list(zip(parts, shares, strict=True))),
            Statistics.from_features(whole, weights),
        )
        torch.testing.assert_close(pooled.mean, expected.mean)
        torch.testing.assert_close(pooled.covariance, expected.covariance)
