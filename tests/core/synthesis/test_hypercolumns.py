"""Hypercolumns against the encoder's taps, pooled and interpolated by plain loops."""

from __future__ import annotations

import pytest
import torch
from numerics import noise
from torch import Tensor

from stylizer.features.compact import encoder_on
from stylizer.synthesis import hypercolumns as module
from stylizer.synthesis.hypercolumns import CHANNELS_OF_TAPS, TAPS, WEIGHTS, hypercolumns, tap_scales


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "autocast_dtype", lambda _: torch.float32)


def _linear(tap: Tensor, row: int, column: int) -> Tensor:
    """`tap` (C, h, w) at a cell of twice its resolution: bilinear between cell centers, constant beyond the border."""
    value = torch.zeros(len(tap))
    for i, down in _two_nearest(row, tap.shape[1]):
        for j, across in _two_nearest(column, tap.shape[2]):
            value += down * across * tap[:, i, j]
    return value


def _two_nearest(index: int, length: int) -> list[tuple[int, float]]:
    near, far = index // 2, index // 2 + (1 if index % 2 else -1)
    return [(near, 0.75), (min(max(far, 0), length - 1), 0.25)]


@pytest.mark.usefixtures("in_float32")
@torch.inference_mode()
def test_hypercolumns_equal_taps_resampled_by_a_plain_loop() -> None:
    picture = noise(1, 3, 24, 40)
    two, four, eight = (encoder_on(picture.device)(picture)[tap][0] for tap in TAPS)
    columns = hypercolumns(picture)
    assert columns.shape == (sum(CHANNELS_OF_TAPS), 6, 10)
    for row in range(6):
        for column in range(10):
            block = two[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            mean = (block[:, 0, 0] + block[:, 0, 1] + block[:, 1, 0] + block[:, 1, 1]) / 4
            expected = torch.cat((mean, four[:, row, column], _linear(eight, row, column)))
            torch.testing.assert_close(columns[:, row, column], expected, atol=1e-4, rtol=1e-4)


def test_tap_scales_give_each_tap_its_weight_in_the_variance() -> None:
    spread = torch.cat([torch.full((channels,), 10.0**k) for k, channels in enumerate(CHANNELS_OF_TAPS)])
    columns = noise(500, len(spread)) * spread
    scaled = torch.split(columns * tap_scales(columns), list(CHANNELS_OF_TAPS), dim=1)
    for part, weight in zip(scaled, WEIGHTS, strict=True):
        assert part.var(0, correction=0).sum().item() == pytest.approx(weight, rel=1e-3)


def test_tap_scales_do_not_amplify_the_rounding_of_one_color() -> None:
    columns = 3 + 1e-6 * noise(200, sum(CHANNELS_OF_TAPS))
    scaled = columns * tap_scales(columns)
    assert scaled.isfinite().all()
    assert scaled.var(0, correction=0).sum() < 1e-6
