"""The edge-aware filter against a plain one written from the paper, pixel after pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numerics import noise
from numpy.typing import NDArray

from stylizer.synthesis.domain_transform import domain_transform


def _filter_line(line: NDArray[np.float64], distance: NDArray[np.float64], a: float) -> None:
    """Eq. 21 of Gastal & Oliveira 2011, J[n] = (1 - a^d) I[n] + a^d J[n - 1], to the right and then to the left."""
    for n in range(1, len(line)):
        line[n] += a ** distance[n - 1] * (line[n - 1] - line[n])
    for n in range(len(line) - 2, -1, -1):
        line[n] += a ** distance[n] * (line[n + 1] - line[n])


def _distances(line: NDArray[np.float64], sigma_space: float, sigma_range: float) -> NDArray[np.float64]:
    """Eq. 11: ct'(x) = 1 + sigma_s / sigma_r * sum of |I_k'(x)| over channels, of (N, C)."""
    return np.array([1 + sigma_space / sigma_range * np.abs(line[n + 1] - line[n]).sum() for n in range(len(line) - 1)])


def _recursive_filter(
    image: NDArray[np.float64], sigma_space: float, sigma_range: float, iterations: int
) -> NDArray[np.float64]:
    """The RF filter (section 4.3) with the extents of eq. 14: rows, then columns, `iterations` times."""
    _, height, width = image.shape
    result = image.copy()
    across = [_distances(image[:, y].T, sigma_space, sigma_range) for y in range(height)]
    down = [_distances(image[:, :, x].T, sigma_space, sigma_range) for x in range(width)]
    for i in range(1, iterations + 1):
        sigma = sigma_space * math.sqrt(3) * 2 ** (iterations - i) / math.sqrt(4**iterations - 1)
        a = math.exp(-math.sqrt(2) / sigma)
        for y in range(height):
            _filter_line(result[:, y].T, across[y], a)
        for x in range(width):
            _filter_line(result[:, :, x].T, down[x], a)
    return result


@pytest.mark.parametrize("shape", [(3, 13, 18), (1, 7, 5), (3, 1, 9), (3, 9, 1), (3, 1, 1), (1, 1, 9), (1, 9, 1)])
@pytest.mark.parametrize(("sigma_space", "sigma_range", "iterations"), [(5.0, 0.3, 3), (12.0, 2.0, 1), (3.0, 0.05, 2)])
def test_the_filter_is_the_published_one(
    shape: tuple[int, int, int], sigma_space: float, sigma_range: float, iterations: int
) -> None:
    image = noise(*shape)
    given = image.clone()
    smooth = domain_transform(image, sigma_space=sigma_space, sigma_range=sigma_range, iterations=iterations)
    expected = _recursive_filter(given.double().numpy(), sigma_space, sigma_range, iterations)
    np.testing.assert_allclose(smooth.numpy(), expected, atol=1e-5)
    assert torch.equal(image, given)  # and what it was given stays as it was


def test_noise_goes_and_a_strong_edge_stays() -> None:
    clean = torch.zeros(3, 40, 40)
    clean[:, :, 20:] = 0.8
    noisy = clean + 0.02 * (noise(3, 40, 40) - 0.5)
    smooth = domain_transform(noisy, sigma_space=8, sigma_range=0.2)
    assert (smooth - clean).std() < (noisy - clean).std() / 3
    step = smooth[:, :, 20].mean() - smooth[:, :, 19].mean()
    assert step > 0.97 * 0.8
