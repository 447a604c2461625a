"""How a call of `stylize` runs: chance, progress, cancellation, errors, and the oddest of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures import encoded
from PIL import Image

from stylizer import (
    DEFAULT_METHOD,
    METHOD_NAMES,
    Canceled,
    CorruptImage,
    EmptyImage,
    ExtremeAspectRatio,
    ImageTooSmall,
    MaskMismatch,
    OptionError,
    Options,
    OutOfMemory,
    Painting,
    Progress,
    StylizerError,
    TooManyPixels,
    UnknownStyle,
    UnreadableImage,
    UnsupportedImage,
    stylize,
)
from stylizer.images import Limits
from stylizer.methods import neighbor_reduced, optimization
from stylizer.options import MethodName

TEXTURE: dict[str, Any] = {"method": "texture"}
FINE_IN_PALETTE: dict[str, Any] = {"preserve_color": "histogram", "style_scale": 0.25}

by_every_method = pytest.mark.parametrize("method", METHOD_NAMES)


def _photo(width: int = 96, height: int = 72) -> Image.Image:
    """A ball of light before a shaded wall."""
    fade = Image.linear_gradient("L").resize((width, height))
    ball = Image.radial_gradient("L").resize((width, height))
    return Image.merge("RGB", (ball, fade, fade.transpose(Image.Transpose.FLIP_TOP_BOTTOM)))


def _stripes(width: int = 90, height: int = 90) -> Image.Image:
    """Slanted ink on paper."""
    down, across = np.mgrid[0:height, 0:width]
    inked = (across + down // 3) % 7 < 3
    ink, paper = Image.new("RGB", (width, height), (40, 20, 60)), Image.new("RGB", (width, height), (240, 225, 190))
    return Image.composite(ink, paper, Image.fromarray(inked))


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is about how near the optimization comes to the style."""
    monkeypatch.setattr(optimization, "STEPS", {"draft": (20,), "standard": (30,), "high": (40,)})
    monkeypatch.setitem(neighbor_reduced.PLANS, "high", neighbor_reduced.PLANS["high"]._replace(coarse_steps=(6, 3)))


def _small(method: MethodName = DEFAULT_METHOD, **options: Any) -> Options:
    """A painting of 64 pixels: a draft, unless the method enlarges its drafts from 32 pixels."""
    small: dict[str, Any] = {"size": 64, "quality": "standard" if method in ("neighbor", "feedforward") else "draft"}
    return Options(**(small | options))


@cache
def _paint(method: MethodName = DEFAULT_METHOD, **options: Any) -> Painting:
    """The photo in stripes; painted once for each set of options."""
    return stylize(_photo(), _stripes(), method=method, options=_small(method, **options))


def _distance(a: Image.Image, b: Image.Image) -> float:
    """Mean difference of two pictures, 0-255."""
    return float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).mean())


@by_every_method
def test_seeds_repeat_and_differ_and_torch_stays_as_it_was(method: MethodName) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    again = stylize(_photo(), _stripes(), method=method, options=_small(method))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not torch.is_inference_mode_enabled()
    assert again.image.tobytes() == _paint(method).image.tobytes()
    assert _paint(method, seed=2**32 - 1).image.tobytes() != _paint(method).image.tobytes()


def _work(method: MethodName, quality: str, size: int) -> tuple[int, bytes]:
    """Return how many pixels were painted, one after the other or again and again, and the painting."""
    last: list[Progress] = []
    pixels: list[int] = []

    def count(progress: Progress) -> None:
        last[:] = [progress]
        pixels.append(math.prod(progress.preview().size))

    options = _small(method, quality=quality, size=size)
    painting = stylize(_photo(), _stripes(), method=method, options=options, on_progress=count)
    # A method that finds itself done early leaves steps out; they count as the last one.
    return sum(pixels) + (last[0].total - len(pixels)) * pixels[-1], painting.image.tobytes()


@by_every_method
def test_better_quality_is_more_work(method: MethodName) -> None:
    # Feedforward paints nothing below 128 pixels; color fits its map at up to 1,024 pixels.
    size = {"feedforward": 320, "color": 1100}.get(method, 64)
    (draft, drafted), (standard, painted), (high, _) = (
        _work(method, quality, size) for quality in ("draft", "standard", "high")
    )
    assert draft < standard < high
    assert drafted != painted  # "high" may find that "standard" had arrived already


@by_every_method
def test_progress_rises_to_its_total_with_a_preview_each_step(method: MethodName) -> None:
    seen: list[tuple[int, int, Image.Image]] = []

    def watch(progress: Progress) -> None:
        seen.append((progress.step, progress.total, progress.preview()))
        assert progress.fraction == progress.step / progress.total

    painting = stylize(_photo(), _stripes(), method=method, options=_small(method), on_progress=watch)
    steps = [step for step, _, _ in seen]
    assert steps == sorted(set(steps))
    assert steps[0] > 0
    assert {total for _, total, _ in seen} == {steps[-1]}
    for _, _, preview in seen:
        assert preview.mode == "RGB"
        assert abs(preview.width / preview.height - 64 / 48) < 0.1
    assert seen[-1][2].size == (64, 48)
    assert _distance(seen[-1][2], painting.image) < _distance(_photo().resize((64, 48)), painting.image) / 2
    assert painting.image.tobytes() == _paint(method).image.tobytes()  # looking changes nothing


@pytest.mark.parametrize("method", ["neighbor", "feedforward", "texture"])
def test_previews_honor_mask_and_preserved_color(method: MethodName) -> None:
    mask = Image.new("L", (96, 72), 0)
    mask.paste(255, (0, 0, 48, 72))
    previews: list[Image.Image] = []
    stylize(
        _photo(),
        _stripes(),
        method=method,
        options=_small(method, preserve_color="luminance"),
        mask=mask,
        on_progress=lambda progress: previews.append(progress.preview()),
    )
    photo = _photo().resize((64, 48), Image.Resampling.LANCZOS)
    unpainted, painted = (34, 0, 64, 48), (0, 0, 30, 48)
    assert _distance(previews[-1].crop(unpainted), photo.crop(unpainted)) == 0
    assert _distance(previews[-1].crop(painted), photo.crop(painted)) > 5
    for preview in previews:  # smaller ones too
        small = photo.resize(preview.size)
        right = (preview.width * 5 // 8, 0, preview.width, preview.height)
        assert _distance(preview.crop(right), small.crop(right)) < 5
        chroma = [
            np.asarray(picture.convert("YCbCr"), np.float64)[..., 1:].mean(axis=(0, 1)) for picture in (preview, small)
        ]
        assert np.abs(chroma[0] - chroma[1]).max() < 5


@pytest.mark.parametrize(
    ("method", "error"),
    [
        *((method, Canceled("enough")) for method in METHOD_NAMES),
        ("feedforward", KeyboardInterrupt()),
        ("feedforward", RuntimeError("CUDA error")),
    ],
)
def test_exception_of_the_callback_propagates_and_stops(error: BaseException, method: MethodName) -> None:
    calls = 0
    wanted = 0

    def stop(progress: Progress) -> None:
        nonlocal calls, wanted
        calls += 1
        wanted = min(3, progress.total)
        if calls == wanted:
            raise error

    with pytest.raises(type(error)) as caught:
        stylize(_photo(), _stripes(), method=method, options=_small(method), on_progress=stop)
    assert caught.value is error
    assert calls == wanted


def _too_much() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def _too_much_for_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def _too_much_for_python() -> None:
    bytearray(2**60)


@pytest.mark.parametrize("happen", [_too_much, _too_much_for_a_gpu, _too_much_for_python])
def test_out_of_memory_names_the_size_and_frees_the_painting(happen: Callable[[], None]) -> None:
    with pytest.raises(OutOfMemory) as caught:
        stylize(_photo(), _stripes(), options=_small(), on_progress=lambda _: happen())
    error = caught.value
    assert (error.code, error.field, error.allowed) == ("out-of-memory", "size", "a size below 64")
    assert "size is 64" in error.detail
    assert error.__cause__ is None
    assert error.__context__ is None  # whose frames would hold on to the painting


def test_transparent_photo_keeps_alpha_and_hides_its_colors() -> None:
    photo = _photo()
    alpha = Image.radial_gradient("L").resize(photo.size)
    photo.putalpha(alpha)
    painting = stylize(photo, _stripes(), options=_small())
    assert painting.image.mode == "RGBA"
    expected = alpha.resize((64, 48), Image.Resampling.LANCZOS)
    np.testing.assert_allclose(np.asarray(painting.image)[..., 3], np.asarray(expected), atol=1)
    photo.paste("white", mask=alpha.point(lambda value: 255 * (value == 0)))
    photo.putalpha(alpha)
    other = stylize(photo, _stripes(), options=_small())
    assert _distance(painting.image.convert("RGB"), other.image.convert("RGB")) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "field", "allowed"),
    [
        ({"method": "neural"}, OptionError, "method", ["neighbor", "feedforward", "optimization", "texture"]),
        (TEXTURE | {"options": Options(size=8192)}, OptionError, "size", "64 to 2048 pixels with method texture"),
        (
            {"method": "optimization", "content_mask": Image.new("L", (96, 72))},
            OptionError,
            "content_mask",
            "nothing with this method",
        ),
        ({"style": []}, OptionError, "style", "1 to 4 styles"),
        ({"style": [(_stripes(), 1.0)] * 5}, OptionError, "style", "1 to 4 styles"),
        ({"style": [(_stripes(), 0.0)]}, OptionError, "weight", "a number above 0"),
        ({"style": ["woodcut", "mosaic"]}, OptionError, "style", "pairs of a style and its weight"),
        ({"style": ("woodcut", 1.0)}, OptionError, "style", "pairs of a style and its weight"),
        ({"style": "no-such-style"}, UnknownStyle, "style", ["woodcut"]),
        ({"style": Path("no-such-file.png")}, UnreadableImage, "style", ""),
        ({"style": b"not a picture"}, UnsupportedImage, "style", ""),
        ({"style": Image.new("RGB", (15, 40))}, ImageTooSmall, "style", "16"),
        ({"content": b""}, EmptyImage, "content", ""),
        ({"content": encoded(_photo(), "PNG")[:-60]}, CorruptImage, "content", ""),
        ({"content": Image.new("RGB", (400, 20))}, ExtremeAspectRatio, "content", "16"),
        ({"limits": Limits(max_pixels=6000)}, TooManyPixels, "content", "0.006 megapixels"),
        ({"mask": b"not a picture"}, UnsupportedImage, "mask", ""),
        ({"mask": Image.new("L", (72, 96))}, MaskMismatch, "mask", "96 x 72"),
        (TEXTURE | {"content_mask": Image.new("L", (48, 36))}, MaskMismatch, "content_mask", "96 x 72"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(
    arguments: dict[str, Any], error: type[StylizerError], field: str, allowed: str | Sequence[str]
) -> None:
    given: dict[str, Any] = {"content": _photo(), "style": _stripes(), "options": _small()} | arguments
    steps: list[Progress] = []
    with pytest.raises(error) as caught:
        stylize(given.pop("content"), given.pop("style"), on_progress=steps.append, **given)
    assert type(caught.value) is error
    assert caught.value.field == field
    said = caught.value.allowed or ""
    if isinstance(allowed, str):
        assert allowed in str(said)
    else:
        assert set(allowed) <= set(said)
    assert not steps


@pytest.mark.parametrize(
    ("photo", "style", "options"),
    [
        (Image.new("RGB", (64, 64), "black"), _stripes(), {}),
        (Image.new("RGB", (64, 64), "white"), _stripes(), FINE_IN_PALETTE),
        (_photo(), Image.new("RGB", (64, 64), (200, 30, 30)), {}),
        (Image.new("RGB", (30, 30), "gray"), Image.new("RGB", (30, 30), "gray"), FINE_IN_PALETTE),
        (_photo(), _stripes(16, 16), FINE_IN_PALETTE),
        (_photo(16, 16), _stripes(), {}),
        (_photo(320, 20), _stripes(20, 320), FINE_IN_PALETTE),
        (_photo(20, 160), _stripes(128, 16), {}),
    ],
    ids=["black", "white", "one-color style", "gray on gray", "tiny style", "tiny photo", "wide", "tall"],
)
@by_every_method
def test_the_plainest_and_the_oddest_pictures_are_painted_too(
    photo: Image.Image, style: Image.Image, options: dict[str, Any], method: MethodName
) -> None:
    if options and method == "color":  # which has no strokes, and only the style's palette to give
        options = {"preserve_color": "luminance"}
    painting = stylize(photo, style, method=method, options=_small(method, **options))
    assert max(painting.image.size) == 64
    if not options:  # in the style's colors: nothing went out of bounds on the way
        mean = np.asarray(painting.image, np.float64).mean(axis=(0, 1))
        colors = np.asarray(style, np.float64).reshape(-1, 3)
        slack = 16 if method == "feedforward" else 8  # which goes 0.93 of the way to the style's colors
        assert np.all(mean > colors.min(axis=0) - slack)
        assert np.all(mean < colors.max(axis=0) + slack)
