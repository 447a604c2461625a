"""Style banks: descriptors against cosine and color distance, pieces against slices, tiles against the whole."""

from __future__ import annotations

import pytest
import torch
from numerics import noise
from torch import Tensor
from torch.nn import functional

from stylizer.color import to_oklab
from stylizer.synthesis import hypercolumns as hypercolumns_module
from stylizer.synthesis import style_bank
from stylizer.synthesis.hypercolumns import CELL
from stylizer.synthesis.style_bank import (
    COLOR_COST,
    COLOR_SCALE,
    PATCH_SIDE,
    Encoding,
    StyleBank,
    cell_colors,
)

CHANNELS = sum(hypercolumns_module.CHANNELS_OF_TAPS)


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hypercolumns_module, "autocast_dtype", lambda _: torch.float32)


def _waves(height: int, width: int) -> Tensor:
    """Colored waves, (1, 3, height, width): smooth, and different everywhere."""
    down, across = torch.meshgrid(torch.arange(height) / 9, torch.arange(width) / 7, indexing="ij")
    waves = torch.stack((torch.sin(down * across / 3), torch.sin(down + across), torch.cos(down - 2 * across)))
    return (0.5 + 0.4 * waves)[None]


def _fitted(count: int = 400) -> tuple[Encoding, Tensor, Tensor]:
    columns, colors = noise(count, CHANNELS), noise(count, 3, seed=1)
    return Encoding.fit(columns, colors, torch.Generator().manual_seed(0)), columns, colors


def test_cell_colors_equal_mean_oklab_colors_of_a_plain_loop() -> None:
    picture = noise(1, 3, 8, 12)
    lab = to_oklab(picture[0])
    for row in range(2):
        for column in range(3):
            cell = lab[:, row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
            expected = cell.mean((1, 2)) * torch.tensor(COLOR_SCALE)
            torch.testing.assert_close(cell_colors(picture)[:, row, column], expected)


def test_products_equal_cosine_less_color_cost_up_to_a_constant() -> None:
    encoding, columns, colors = _fitted()
    photo, photo_colors = noise(20, CHANNELS, seed=2) * 2, noise(20, 3, seed=3)
    deviation, mean = torch.std_mean(photo, 0, correction=0)
    keys, queries = encoding.keys(columns, colors), encoding.queries(photo, photo_colors, (mean, deviation))
    adapted = (encoding.deviation / (deviation * encoding.scale)).clamp(*style_bank.ADAPTATION).sqrt()
    for query, color, product in zip(photo, photo_colors, queries @ keys.T, strict=True):
        short = encoding.axes @ ((query - mean) * encoding.scale * adapted)
        expected = []
        for key, own in zip(columns, colors, strict=True):
            described = encoding.axes @ (key * encoding.scale - encoding.mean)
            cosine = functional.cosine_similarity(short, described, dim=0)
            expected.append(cosine - COLOR_COST * (color - own).square().sum())
        difference = product - torch.stack(expected)
        torch.testing.assert_close(difference, difference[:1].expand_as(difference), atol=2e-3, rtol=0)


def test_a_photo_equal_to_the_style_finds_itself() -> None:
    encoding, columns, colors = _fitted()
    deviation, mean = torch.std_mean(columns, 0, correction=0)
    products = encoding.queries(columns, colors, (mean, deviation)) @ encoding.keys(columns, colors).T
    assert torch.equal(products.argmax(1), torch.arange(len(columns)))


@pytest.mark.parametrize("size", [(40, 56), (37, 50), (5, 9)])
@torch.inference_mode()
def test_pieces_equal_slices_of_the_mirrored_style(size: tuple[int, int]) -> None:
    style = noise(1, 3, *size)
    rows, columns = -(-size[0] // CELL), -(-size[1] // CELL)
    bank = StyleBank.build(style)
    assert bank.keys.shape == (rows, columns, len(bank.encoding.axes) + 4)
    matches = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")).flip(2)
    pieces = bank.patches(matches)
    assert pieces.shape == (3, rows, columns, PATCH_SIDE, PATCH_SIDE)

    def mirrored(index: int, length: int) -> int:
        while not 0 <= index < length:
            index = -index if index < 0 else 2 * (length - 1) - index
        return index

    for row in range(rows):
        for column in range(columns):
            top, left = matches[:, row, column].tolist()
            down = [mirrored(CELL * top - CELL + y, size[0]) for y in range(PATCH_SIDE)]
            across = [mirrored(CELL * left - CELL + x, size[1]) for x in range(PATCH_SIDE)]
            assert torch.equal(pieces[:, row, column], style[0][:, down][:, :, across])


@pytest.mark.usefixtures("in_float32")
@torch.inference_mode()
def test_a_bank_made_by_tiles_equals_one_made_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    style = _waves(150, 203)
    whole = StyleBank.build(style)
    monkeypatch.setattr(style_bank, "TILE", 64)
    tiled = StyleBank.build(style, whole.encoding)
    assert tiled.keys.dtype == torch.float16
    torch.testing.assert_close(tiled.keys.float(), whole.keys, atol=4e-3, rtol=2e-3)
    assert torch.equal(tiled.pixels, whole.pixels)
    fitted = StyleBank.build(style).encoding  # from samples of other cells, but of the same style
    torch.testing.assert_close(fitted.scale, whole.encoding.scale, atol=0, rtol=0.02)
    torch.testing.assert_close(fitted.color, whole.encoding.color, atol=0.01, rtol=0)


@pytest.mark.parametrize("size", [(16, 16), (1, 16), (16, 3)])
@torch.inference_mode()
def test_the_smallest_styles_have_finite_keys(size: tuple[int, int]) -> None:
    bank = StyleBank.build(noise(1, 3, *size))
    assert bank.keys.isfinite().all()
    assert bank.pixels.shape == (3, CELL * (bank.keys.shape[0] + 2), CELL * (bank.keys.shape[1] + 2))


@torch.inference_mode()
def test_a_style_of_one_color_has_finite_keys_and_no_detail() -> None:
    bank = StyleBank.build(torch.full((1, 3, 40, 40), 0.3))
    assert bank.keys.isfinite().all()
    assert bank.detail == pytest.approx(0, abs=1e-5)


@torch.inference_mode()
def test_detail_grows_with_the_contrast_of_fine_structure() -> None:
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    faint, strong = (StyleBank.build(0.5 + contrast * (stripes - 0.5)).detail for contrast in (0.2, 0.8))
    assert strong == pytest.approx(4 * faint, rel=0.05)
    assert strong == pytest.approx(0.4, rel=0.1)  # all of its deviation is lost at half the resolution
    assert StyleBank.build(_waves(64, 64)).detail < strong / 4
