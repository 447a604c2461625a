"""Blurring, resampling and pyramids."""

from __future__ import annotations

import math

import pytest
import torch
from numerics import noise
from torch import Tensor

from stylizer.synthesis.pyramid import gaussian_blur, gaussian_pyramid, level_sizes, resize


@pytest.mark.parametrize(("height", "width", "sigma"), [(12, 17, 1.5), (9, 9, 0.5), (20, 14, 2.0)])
def test_a_blur_is_the_gaussian_sum_over_mirrored_neighbors(height: int, width: int, sigma: float) -> None:
    image = noise(2, height, width)
    radius = max(1, round(3 * sigma))
    offsets = range(-radius, radius + 1)
    kernel = {k: math.exp(-k * k / (2 * sigma**2)) for k in offsets}
    total = sum(kernel.values())

    def mirrored(n: int, size: int) -> int:
        n = abs(n)
        return n if n < size else 2 * (size - 1) - n

    rows = [sum(kernel[k] / total * image[:, mirrored(y + k, height)].double() for k in offsets) for y in range(height)]
    once = torch.stack([row for row in rows if isinstance(row, Tensor)], 1)
    columns = [sum(kernel[k] / total * once[:, :, mirrored(x + k, width)] for k in offsets) for x in range(width)]
    twice = torch.stack([column for column in columns if isinstance(column, Tensor)], 2)
    torch.testing.assert_close(gaussian_blur(image, sigma).double(), twice, atol=1e-5, rtol=0)


def test_resizing_keeps_colors_within_range_and_the_mean() -> None:
    checks = torch.zeros(3, 40, 40)
    checks[:, ::2, 1::2] = checks[:, 1::2, ::2] = 1
    for size in ((17, 23), (90, 70)):
        resized = resize(checks, size)
        assert resized.shape == (3, *size)
        assert resized.min() >= 0
        assert resized.max() <= 1
        torch.testing.assert_close(resized.mean(), checks.mean(), atol=0.02, rtol=0)
    assert resize(checks, (20, 20)).std() < 0.05  # detail that a smaller picture cannot carry does not alias


def test_pyramid_halves_the_picture_down_to_one_pixel() -> None:
    image = noise(3, 41, 6)
    pyramid = gaussian_pyramid(image, 4)
    assert torch.equal(pyramid[0], image)
    assert [tuple(level.shape[1:]) for level in pyramid] == level_sizes(41, 6, 4) == [(41, 6), (20, 3), (10, 2), (5, 1)]
    for level in pyramid[1:]:
        torch.testing.assert_close(level.mean(), image.mean(), atol=0.05, rtol=0)
