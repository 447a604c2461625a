"""The palette step of the feed-forward method: painted colors move to the palette of the style."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from numerics import CAT, read_tensor
from torch import Tensor

from stylizer import Options, stylize
from stylizer.color import Palette
from stylizer.methods import StyleInput, Task, feedforward
from stylizer.style_cache import read_palette
from stylizer.styles import catalog
from stylizer.tensors import to_tensor

Paint = Callable[..., Tensor]


@pytest.fixture(scope="module")
def cat() -> Tensor:
    return read_tensor(CAT, 160)


def _swatch(style: str) -> Tensor:
    return read_tensor(catalog()[style].swatch, 160)


def _unlikeness(image: Tensor, wanted: Tensor) -> float:
    """Mean difference of the quantiles of two pictures (1, 3, H, W) along the axes of Oklab."""
    at = torch.linspace(0.01, 0.99, 50)
    ours, theirs = (Palette.from_image(picture[0]).pixels.quantile(at, dim=1) for picture in (image, wanted))
    return float((ours - theirs).abs().mean())


def _without_step(monkeypatch: pytest.MonkeyPatch, paint: Callable[[], Tensor]) -> Tensor:
    with monkeypatch.context() as patch:
        patch.setattr(feedforward, "PALETTE_AMOUNT", 0.0)
        return paint()


@pytest.mark.parametrize(("name", "quality"), [("pen-hatching", "draft"), ("great-wave", "standard")])
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


def test_stored_palette_serves_instead_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "great-wave"
    stored = read_palette(catalog()[name].statistics or Path()).T[None, :, None].float() / 255

    def painted() -> Tensor:
        return to_tensor(stylize(CAT, name, method="feedforward", options=Options(size=256)).image)

    def refuse(*_: object) -> Tensor:
        raise AssertionError

    monkeypatch.setattr("stylizer.style_inputs.load_style", refuse)
    assert _unlikeness(painted(), stored) < 0.6 * _unlikeness(_without_step(monkeypatch, painted), stored)


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
