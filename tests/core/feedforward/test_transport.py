"""The map between statistics is that of optimal transport: it arrives, and moves features no more than it must."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylizer.features.statistics import Statistics
from stylizer.feedforward.transport import transport, transport_lightness_first

LEAST = 0.03


def _features(seed: int, channels: int = 6, spread: float = 1.0) -> Tensor:
    """Correlated features (1, C, 40, 50)."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    plain = torch.randn(channels, 2000, generator=generator, dtype=torch.float64)
    return (spread * mixing @ plain + torch.randn(channels, 1, generator=generator)).view(1, channels, 40, 50)


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors @ values.sqrt().diag() @ vectors.T
    return root


def _moved(x: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    return (matrix @ x[0].flatten(1) + offset[:, None]).view(x.shape)


def test_features_arrive_at_the_statistics_wanted() -> None:
    ours, wanted = _features(0), _features(1)
    matrix, offset = transport(Statistics.from_features(ours), Statistics.from_features(wanted), LEAST)
    arrived = Statistics.from_features(_moved(ours, matrix, offset))
    torch.testing.assert_close(arrived.mean, Statistics.from_features(wanted).mean)
    # Both as they would be with a little noise added, which is what keeps flat photos from being blown up.
    noise, moved_noise = LEAST * torch.eye(6), LEAST * matrix @ matrix.T
    torch.testing.assert_close(arrived.covariance + moved_noise, Statistics.from_features(wanted).covariance + noise)


def test_no_map_to_the_same_statistics_moves_them_less() -> None:
    ours, wanted = _features(2), _features(3)
    least = LEAST * torch.eye(6, dtype=torch.float64)
    start, end = Statistics.from_features(ours), Statistics.from_features(wanted)
    matrix, _ = transport(start, end, LEAST)
    a, b = start.covariance + least, end.covariance + least
    plain = _root(torch.linalg.inv(a)) @ _root(_root(a) @ b @ _root(a)) @ _root(torch.linalg.inv(a))
    torch.testing.assert_close(matrix, plain)

    def cost(matrix: Tensor) -> float:
        return float(torch.trace((matrix - torch.eye(6)) @ a @ (matrix - torch.eye(6)).T))

    coloring = torch.linalg.cholesky(b) @ torch.linalg.inv(torch.linalg.cholesky(a))
    torch.testing.assert_close(coloring @ a @ coloring.T, matrix @ a @ matrix.T)
    assert cost(matrix) < 0.9 * cost(coloring)
    assert cost(matrix) < 0.98 * cost(_root(b) @ torch.linalg.inv(_root(a)))


def test_lightness_first_transport_moves_lightness_separately() -> None:
    ours, wanted = Statistics.from_features(_features(7)), Statistics.from_features(_features(8))
    matrix, offset = transport_lightness_first(ours, wanted, LEAST)
    noise = LEAST * torch.eye(6)
    torch.testing.assert_close(matrix @ (ours.covariance + noise) @ matrix.T, wanted.covariance + noise)
    torch.testing.assert_close(matrix @ ours.mean + offset, wanted.mean)
    assert matrix[0, 0] > 0
    assert matrix[0, 1:].tolist() == [0] * 5
    # Of a style in two shades of one color all colors become lighter or darker with the lightness of the photo alone.
    ink = Statistics(wanted.mean, torch.outer(wanted.covariance[0], wanted.covariance[0]))
    matrix, _ = transport_lightness_first(ours, ink, 0.0)
    assert matrix[:, 1:].abs().max() < 1e-3 * matrix[:, 0].abs().max()


@pytest.mark.parametrize("spread", [0.0, 1e-4])
def test_what_hardly_varies_is_not_blown_up_into_texture(spread: float) -> None:
    flat, lively = Statistics.from_features(_features(5, spread=spread)), Statistics.from_features(_features(6))
    matrix, offset = transport(flat, lively, LEAST)
    assert matrix.isfinite().all()
    assert offset.isfinite().all()
    strongest = torch.linalg.eigvalsh(lively.covariance + LEAST * torch.eye(6))[-1]
    assert torch.linalg.matrix_norm(matrix, 2) <= 1.001 * (strongest / LEAST).sqrt()
