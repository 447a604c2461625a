"""The cache of banks: what is reused, what is made again, and how much is kept."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from stylizer.synthesis import bank_cache, style_bank
from stylizer.synthesis.bank_cache import ScaledStyle
from stylizer.synthesis.style_bank import Encoding, StyleBank

Size = tuple[int, int]


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_cache, "_cache", OrderedDict())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Size]:
    """Sizes of the banks made so far; those of the cache are made as ever."""
    sizes: list[Size] = []
    make = StyleBank.build

    def count(style: Tensor, encoding: Encoding | None = None, **options: Any) -> StyleBank:
        sizes.append((style.shape[2], style.shape[3]))
        return make(style, encoding, **options)

    monkeypatch.setattr(StyleBank, "build", count)
    return sizes


def _noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_the_bank_of_an_equal_picture_is_reused(made: list[Size]) -> None:
    first = ScaledStyle(_noise(32, 40)).bank(24)
    assert ScaledStyle(_noise(32, 40)).bank(24) is first
    assert made == [(19, 24)]


def test_another_picture_scale_or_shape_has_a_bank_of_its_own(made: list[Size]) -> None:
    flat = torch.full((1, 3, 8, 128), 0.5)
    for style, side in ((_noise(32, 40), 24), (_noise(32, 40, 1), 24), (_noise(32, 40), 32)):
        ScaledStyle(style).bank(side)
    assert made == [(19, 24), (19, 24), (26, 32)]
    banks = [ScaledStyle(picture).bank(128) for picture in (flat, flat.reshape(1, 3, 32, 32))]
    assert [tuple(bank.keys.shape[:2]) for bank in banks] == [(2, 32), (8, 8)]


def test_pictures_of_equal_bytes_and_other_shape_are_told_apart() -> None:
    ramp = torch.linspace(0, 1, 3 * 4096).round(decimals=2)
    thin, thinner = ramp.view(1, 3, 2, 2048), ramp.view(1, 3, 1, 4096)
    banks = [ScaledStyle(picture).bank(16) for picture in (thin, thinner)]
    assert not torch.equal(banks[0].pixels, banks[1].pixels)


def test_pictures_that_differ_by_less_than_a_byte_are_told_apart(made: list[Size]) -> None:
    for picture in (torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.5 + 0.2 / 255)):
        ScaledStyle(picture).bank(16)
    assert made == [(16, 16), (16, 16)]


def test_a_style_is_reduced_and_never_enlarged(made: list[Size], monkeypatch: pytest.MonkeyPatch) -> None:
    style = ScaledStyle(_noise(60, 30))
    for side in (1, 20.4, 60, 200):
        style.bank(side)
    monkeypatch.setattr(bank_cache, "MAX_BANK_SIDE", 48)
    style.bank(200)
    assert made == [(1, 1), (20, 10), (60, 30), (48, 24)]  # at 60 and at 200 it is the same


def test_bank_is_its_own_finer_one_without_more_detail(made: list[Size]) -> None:
    style = ScaledStyle(_noise(32, 32))
    whole = style.bank(32)
    assert style.bank(64, whole) is whole
    assert made == [(32, 32)]


def test_bank_reports_each_tile_and_can_be_canceled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_bank, "TILE", 16)
    monkeypatch.setattr(bank_cache, "MAX_CACHED_BANK_PIXELS", 0)
    tiles: list[int] = []
    ScaledStyle(_noise(32, 48)).bank(48, on_tile=lambda: tiles.append(1))
    assert len(tiles) == 2 * 3
    with pytest.raises(ZeroDivisionError):
        ScaledStyle(_noise(32, 48)).bank(48, on_tile=lambda: 1 // 0)  # type: ignore[arg-type]


def test_finer_bank_is_cached_with_the_encoding_it_reuses(made: list[Size]) -> None:
    style = ScaledStyle(_noise(32, 32))
    coarse = style.bank(16)
    fine = style.bank(32, coarse)
    assert fine.encoding is coarse.encoding
    assert style.bank(32, coarse) is fine
    assert style.bank(32) is not fine
    assert made == [(16, 16), (32, 32), (32, 32)]


def test_large_bank_is_not_cached(made: list[Size], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_cache, "MAX_CACHED_BANK_PIXELS", 32 * 32 - 1)
    style = ScaledStyle(_noise(32, 32))
    for coarse in (None, style.bank(16)):
        assert style.bank(32, coarse) is not style.bank(32, coarse)
    assert made == [(16, 16), *[(32, 32)] * 4]
    assert len(bank_cache._cache) == 1


def test_the_bank_used_least_recently_is_evicted(made: list[Size], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_cache, "CACHE_PIXELS", 2 * 16 * 16)
    a, b, c = (ScaledStyle(_noise(16, 16, seed)) for seed in range(3))
    for style in (a, b, a, c):
        style.bank(16)
    assert len(made) == len((a, b, c))
    a.bank(16)
    assert len(made) == 3
    b.bank(16)
    assert len(made) == 4
    assert len(bank_cache._cache) == 2


def test_many_threads_get_equal_banks_and_respect_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_cache, "CACHE_PIXELS", 2 * 16 * 16)
    pictures = [_noise(16, 16, seed) for seed in range(3)]
    expected = [StyleBank.build(picture).keys for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: ScaledStyle(pictures[index % 3]).bank(16).keys, range(48)))
    for index, keys in enumerate(found):
        torch.testing.assert_close(keys, expected[index % 3])
    assert len(bank_cache._cache) == 2
