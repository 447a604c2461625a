"""The palette step of the feed-forward method: painted colors move to the palette of the style."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from stylizer import Options, stylize
from stylizer.color import Palette
from stylizer.methods import StyleInput, Task, feedforward
from stylizer.style_cache import read_palette
from stylizer.styles import catalog
from stylizer.tensors import to_tensor

Paint = Callable[..., Tensor]
PHOTO = Path(__file__).parents[3] / "docs" / "pictures" / "cat.jpg"


def _picture(path: Path, side: int) -> Tensor:
    with Image.open(path) as file:
        file.thumbnail((side, side))
        return to_tensor(file.convert("RGB"))


@pytest.fixture(scope="module")
def cat() -> Tensor:
    return _picture(PHOTO, 160)


def _swatch(style: str) -> Tensor:
    return _picture(catalog()[style].swatch, 160)


def _unlikeness(image: Tensor, wanted: Tensor) -> float:
    """Mean difference of the quantiles of two pictures (1, 3, H, W) along the axes of Oklab."""
    at = torch.linspace(0.01, 0.99, 50)
    ours, theirs = (Palette.from_image(picture[0]).pixels.quantile(at, dim=1) for picture in (image, wanted))
    return float((ours - theirs).abs().mean())


def _without_step(monkeypatch: pytest.MonkeyPatch, paint: Callable[[], Tensor]) -> Tensor:
    with monkeypatch.context() as patch:
        patch.setattr(feedforward, "PALETTE_AMOUNT", 0.0)
        return paint()


@pytest.mark.parametrize("quality", ["draft", "standard"])
@pytest.mark.parametrize("name", ["pen-hatching", "great-wave", "stained-glass"])
def test_painting_is_nearer_to_the_palette_with_the_step(
    paint: Paint, cat: Tensor, monkeypatch: pytest.MonkeyPatch, name: str, quality: str
) -> None:
    style = _swatch(name)

    def painted() -> Tensor:
        return paint("feedforward", cat, (style, 1.0), size=160, quality=quality)

    with_step, without = painted(), _without_step(monkeypatch, painted)
    assert _unlikeness(with_step, style) < 0.6 * _unlikeness(without, style)


def test_large_painting_keeps_the_palette_at_every_level(
    paint: Paint, cat: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pass above the first level would dilute it."""
    style = _swatch("pen-hatching")
    monkeypatch.setattr(feedforward, "MAX_STYLE_SIDE", 40)
    assert len(feedforward.coarse_to_fine_sizes(*cat.shape[2:])) == 3

    def painted() -> Tensor:
        return paint("feedforward", cat, (style, 1.0), size=160, quality="standard")

    with_step, without = painted(), _without_step(monkeypatch, painted)
    assert _unlikeness(with_step, style) < 0.5 * _unlikeness(without, style)


def test_blend_takes_the_mixed_palette(paint: Paint, cat: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = _swatch("woodcut"), _swatch("water-lilies")
    mixed = Palette.mix([(one[0], 0.5), (other[0], 0.5)])
    at = torch.linspace(0.01, 0.99, 50)

    def away(image: Tensor) -> float:
        return float((Palette.from_image(image[0]).pixels.quantile(at, 1) - mixed.pixels.quantile(at, 1)).abs().mean())

    def painted() -> Tensor:
        return paint("feedforward", cat, (one, 0.5), (other, 0.5), size=160, quality="standard")

    assert away(painted()) < 0.6 * away(_without_step(monkeypatch, painted))


def test_strength_scales_the_palette_step(cat: Tensor, paint: Paint) -> None:
    style = _swatch("pen-hatching")
    away = [
        _unlikeness(paint("feedforward", cat, (style, 1.0), size=160, quality="standard", strength=strength), style)
        for strength in (0.0, 0.1, 0.4, 0.7, 1.0)
    ]
    assert away == sorted(away, reverse=True)
    assert torch.equal(paint("feedforward", cat, (style, 1.0), size=160, strength=0.0), cat)


def test_stored_palette_serves_instead_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "great-wave"
    stored = read_palette(catalog()[name].statistics or Path()).T[None, :, None].float() / 255

    def painted() -> Tensor:
        return to_tensor(stylize(PHOTO, name, method="feedforward", options=Options(size=256)).image)

    def refuse(*_: object) -> Tensor:
        raise AssertionError

    monkeypatch.setattr("stylizer.style_inputs.load_style", refuse)
    assert _unlikeness(painted(), stored) < 0.6 * _unlikeness(_without_step(monkeypatch, painted), stored)


def test_kept_histogram_is_the_palette_of_the_photo() -> None:
    photo = _picture(PHOTO, 192)

    def painted(kept: Any) -> Tensor:
        options = Options(size=192, preserve_color=kept)
        return to_tensor(stylize(PHOTO, "great-wave", method="feedforward", options=options).image)

    assert _unlikeness(painted("histogram"), photo) < 0.25 * _unlikeness(painted("none"), photo)


def test_outside_of_the_mask_no_color_counts(paint: Paint, cat: Tensor) -> None:
    """Were the whole picture's colors counted, a white right half would make the left half too dark."""
    style, mask = _swatch("mosaic"), torch.zeros_like(cat[:, :1])
    mask[..., :80] = 1
    bright = torch.where(mask > 0, cat, torch.ones(()))
    left = slice(0, 72)
    inside = paint("feedforward", bright, (style, 1.0), mask=mask, size=160, quality="standard")[..., left]
    whole = paint("feedforward", bright, (style, 1.0), size=160, quality="standard")[..., left]
    assert _unlikeness(inside, style) < 0.5 * _unlikeness(whole, style)


def test_preview_is_in_the_palette_of_the_painting(cat: Tensor) -> None:
    style, previews = _swatch("pen-hatching"), []
    task = Task(
        cat,
        (StyleInput(lambda: style),),
        Options(size=160),
        None,
        None,
        lambda _step, _total, current: previews.append(current().clone()),
    )
    painting = feedforward.paint(task)
    torch.testing.assert_close(previews[-1], painting, atol=0.01, rtol=0)


def test_painting_with_the_palette_step_is_deterministic(paint: Paint, cat: Tensor) -> None:
    style = _swatch("watercolor")
    one, same = (paint("feedforward", cat, (style, 1.0), size=160, quality="standard") for _ in range(2))
    assert torch.equal(one, same)
