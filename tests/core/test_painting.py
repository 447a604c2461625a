"""What the controls of `stylize` do to a painting: size, strength, color, masks, styles and blends."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

import stylizer
from stylizer import (
    DEFAULT_METHOD,
    METHOD_NAMES,
    OptionError,
    Options,
    Painting,
    stylize,
)
from stylizer.capabilities import STROKE_METHODS
from stylizer.images import DEFAULT_LIMITS
from stylizer.options import MethodName
from stylizer.style_inputs import load_style

Pixels = NDArray[np.float64]

by_every_method = pytest.mark.parametrize("method", METHOD_NAMES)
by_every_stroke_method = pytest.mark.parametrize("method", STROKE_METHODS)


def _photo(width: int = 96, height: int = 72) -> Image.Image:
    """A hill, a sun and a house under a fading sky."""
    down, across = np.mgrid[0:height, 0:width] / max(width, height)
    pixels = np.stack((0.4 + 0.4 * down, 0.5 + 0.2 * across, 0.9 - 0.5 * down), -1)
    image = Image.fromarray(np.uint8(pixels * 255))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.1, height * 0.1, width * 0.3, height * 0.4), fill=(250, 220, 90))
    draw.polygon([(0, height), (width * 0.5, height * 0.5), (width, height)], fill=(60, 110, 50))
    draw.rectangle((width * 0.6, height * 0.4, width * 0.85, height * 0.8), fill=(150, 60, 50))
    return image


def _stripes(width: int = 90, height: int = 90) -> Image.Image:
    """Wavy ink on paper: strong structure, few colors, none of them the photo's."""
    down, across = np.mgrid[0:height, 0:width]
    wave = np.sin((across + 4 * np.sin(down / 7)) * 1.1)
    ink, paper = np.array([40, 20, 60.0]), np.array([240, 225, 190.0])
    return Image.fromarray(np.uint8(np.where(wave[..., None] > 0, paper, ink)))


def _dots(side: int = 90) -> Image.Image:
    """Orange dots on teal."""
    image = Image.new("RGB", (side, side), (10, 120, 120))
    for y in range(0, side, 9):
        for x in range(0, side, 9):
            ImageDraw.Draw(image).ellipse((x, y, x + 5, y + 5), fill=(240, 140, 20))
    return image


def _small(method: MethodName = DEFAULT_METHOD, **options: Any) -> Options:
    """A painting of 64 pixels: a draft, unless the method enlarges its drafts from 32 pixels."""
    small: dict[str, Any] = {"size": 64, "quality": "standard" if method in ("neighbor", "feedforward") else "draft"}
    return Options(**(small | options))


@cache
def _paint(method: MethodName = DEFAULT_METHOD, **options: Any) -> Painting:
    """The photo in stripes; painted once for each set of options."""
    return stylize(_photo(), _stripes(), method=method, options=_small(method, **options))


def _pixels(image: Image.Image | Painting) -> Pixels:
    image = image.image if isinstance(image, Painting) else image
    return np.asarray(image, np.float64) / 255


def _resized(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """The photo as a painting of that size begins with it."""
    return _photo().resize(size, Image.Resampling.LANCZOS)


def _distance(a: Image.Image | Painting, b: Image.Image | Painting) -> float:
    return float(np.abs(_pixels(a) - _pixels(b)).mean())


def _statistics(image: Image.Image | Painting) -> Pixels:
    """Colors and strengths of edges, sorted: what a picture is made of, wherever it is."""
    pixels = _pixels(image)
    gray = pixels.mean(-1)
    edges = np.concatenate((np.abs(np.diff(gray, axis=0)).ravel(), np.abs(np.diff(gray, axis=1)).ravel()))
    at = np.linspace(0.02, 0.98, 25)
    return np.concatenate([np.quantile(values, at) for values in (*np.moveaxis(pixels, -1, 0), edges)])


def _unlikeness(image: Image.Image | Painting, style: Image.Image) -> float:
    """How far the statistics of a painting are from those of its style."""
    return float(np.abs(_statistics(image) - _statistics(style)).mean())


def _chroma(image: Image.Image | Painting) -> Pixels:
    """Differences between the channels of a picture, without its lightness."""
    image = image.image if isinstance(image, Painting) else image
    return np.asarray(image.convert("YCbCr"), np.float64)[..., 1:] / 255


@pytest.mark.parametrize(
    ("photo", "size", "expected"),
    [
        ((71, 97), 101, (74, 101)),
        ((320, 20), 64, (64, 4)),  # the longest there may be
        ((1000, 333), 64, (64, 21)),
    ],
)
def test_painting_has_the_requested_long_side_and_photos_ratio(
    photo: tuple[int, int], size: int, expected: tuple[int, int]
) -> None:
    painting = stylize(_photo(*photo), _stripes(), options=Options(size=size, quality="draft"))
    assert painting.image.size == expected
    assert painting.image.mode == "RGB"


def test_a_painting_tells_how_it_came_about() -> None:
    painting = _paint()
    assert painting.method == DEFAULT_METHOD == "neighbor"
    assert painting.options == Options(size=64)
    assert painting.features == "compact"
    assert painting.seconds > 0
    assert _paint("texture").features is None


def test_a_painting_is_written_in_the_format_of_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "painted.PNG"
    _paint().save(path)
    with Image.open(path) as written:
        assert written.format == "PNG"
        assert _distance(written, _paint()) == 0
    with Image.open(io.BytesIO(_paint().encode())) as encoded:
        assert encoded.format == "JPEG"
    with pytest.raises(OptionError) as caught:
        _paint().save(tmp_path / "painted.bmp")
    assert ".png" in (caught.value.allowed or ())
    assert [file.name for file in tmp_path.iterdir()] == ["painted.PNG"]


@by_every_method
def test_strength_0_gives_the_photo_back(method: MethodName) -> None:
    assert _distance(_paint(method, strength=0.0), _resized()) == 0
    assert (
        np.abs(_pixels(_paint(method, strength=0.0, preserve_color="luminance")) - _pixels(_resized())).max()
        <= 1.01 / 255
    )


# Feedforward draws strokes of several pixels, whatever the size: in 64 pixels it has no room for them.
ROOM: dict[MethodName, int] = {"neighbor": 192, "feedforward": 192, "optimization": 64, "texture": 64, "color": 64}


@by_every_method
def test_more_strength_is_nearer_to_style_farther_from_photo(method: MethodName) -> None:
    size = ROOM[method]
    photo = _resized((size, size * 3 // 4))
    paintings = [_paint(method, strength=strength, size=size) for strength in (0.0, 0.02, 0.3, 0.65, 1.0)]
    to_photo = [_distance(painting, photo) for painting in paintings]
    to_style = [_unlikeness(painting, _stripes()) for painting in paintings]
    assert to_photo == sorted(to_photo)
    assert to_style == sorted(to_style, reverse=True)
    assert to_style[-1] < (0.75 if method in STROKE_METHODS else 0.85) * to_style[0]  # which is ink lines
    assert to_photo[1] < 0.02  # no jump where the dial begins


@by_every_method
def test_luminance_keeps_the_color_of_every_pixel(method: MethodName) -> None:
    kept = np.abs(_chroma(_paint(method, preserve_color="luminance")) - _chroma(_resized()))
    free = np.abs(_chroma(_paint(method)) - _chroma(_resized()))
    assert kept.mean() < 0.35 * free.mean()
    grays = [
        picture.convert("L").convert("RGB")
        for picture in (_paint(method, preserve_color="luminance").image, _resized())
    ]
    assert _unlikeness(grays[0], _stripes().convert("L").convert("RGB")) < _unlikeness(
        grays[1], _stripes().convert("L").convert("RGB")
    )


@by_every_stroke_method
def test_histogram_paints_in_the_photos_palette(method: MethodName) -> None:
    palette, free = _paint(method, preserve_color="histogram"), _paint(method)
    for quantile in (0.1, 0.5, 0.9):
        wanted, kept, lost = (np.quantile(_pixels(p), quantile, axis=(0, 1)) for p in (_resized(), palette, free))
        assert np.abs(kept - wanted).mean() < 0.5 * np.abs(lost - wanted).mean()
    assert _distance(palette, _resized()) > 0.02  # painted all the same


def _left_half(width: int = 96, height: int = 72) -> Image.Image:
    mask = Image.new("L", (width, height), 0)
    mask.paste(255, (0, 0, width // 2, height))
    return mask


@by_every_method
def test_outside_the_mask_the_photo_is_unchanged(method: MethodName) -> None:
    painting = _pixels(stylize(_photo(), _stripes(), method=method, options=_small(method), mask=_left_half()))
    whole, photo = _pixels(_paint(method)), _pixels(_resized())
    np.testing.assert_array_equal(painting[:, 34:], photo[:, 34:])
    if method == "texture":  # the others fit the style to what is painted
        np.testing.assert_array_equal(painting[:, :30], whole[:, :30])
    assert np.abs(painting - photo)[:, :30].mean() > 0.5 * np.abs(whole - photo)[:, :30].mean()


def test_the_gray_of_a_mask_mixes() -> None:
    gray = Image.new("L", (96, 72), 51)
    painting = _pixels(stylize(_photo(), _stripes(), method="texture", options=_small("texture"), mask=gray))
    np.testing.assert_allclose(painting, 0.8 * _pixels(_resized()) + 0.2 * _pixels(_paint("texture")), atol=1.01 / 255)


def test_content_mask_keeps_the_photo_where_it_is_white() -> None:
    options = _small("texture", preserve_color="histogram")
    white, black, split = (
        stylize(_photo(), _stripes(), method="texture", options=options, content_mask=mask)
        for mask in (Image.new("L", (96, 72), 255), Image.new("L", (96, 72), 0), _left_half())
    )
    assert _distance(white, _resized()) < 0.8 * _distance(black, _resized())
    away = np.abs(_pixels(split) - _pixels(_resized())).mean(axis=(0, 2))
    assert away[:28].mean() < away[36:].mean()


def _coarseness(image: Image.Image | Painting) -> float:
    """Contrast over several pixels, relative to that between neighbors."""
    gray = _pixels(image).mean(-1)
    return float(np.abs(gray[:, 3:] - gray[:, :-3]).mean() / np.abs(gray[:, 1:] - gray[:, :-1]).mean())


@by_every_stroke_method
def test_a_larger_style_scale_paints_coarser_strokes(method: MethodName) -> None:
    fine, coarse = (
        stylize(_photo(), _dots(), method=method, options=_small(method, size=96, style_scale=scale))
        for scale in (0.5, 3.0)
    )
    assert _coarseness(coarse) > 1.1 * _coarseness(fine)


@by_every_method
def test_blend_lies_between_its_styles_nearer_to_the_heavier(method: MethodName) -> None:
    options = _small(method, size=ROOM[method])

    def unlikeness(*styles: tuple[Image.Image, float]) -> tuple[float, float]:
        painting = stylize(_photo(), styles, method=method, options=options)
        return _unlikeness(painting, _stripes()), _unlikeness(painting, _dots())

    stripes, dots = unlikeness((_stripes(), 1.0)), unlikeness((_dots(), 1.0))
    more_stripes = unlikeness((_stripes(), 3.0), (_dots(), 1.0))
    more_dots = unlikeness((_stripes(), 0.1), (_dots(), 0.3))
    assert stripes[0] < more_stripes[0] < more_dots[0] < dots[0]
    assert dots[1] < more_dots[1] < more_stripes[1] < stripes[1]


@pytest.mark.parametrize("method", ["neighbor", "feedforward"])
def test_a_blend_of_one_style_with_itself_is_that_style(method: MethodName) -> None:
    once = stylize(_photo(), [(_stripes(), 7.0)], method=method, options=_small(method))
    assert _distance(once, _paint(method)) == 0
    heavy = stylize(_photo(), [(_stripes(), 1e308), (_stripes(), 1e308)], method=method, options=_small(method))
    light = stylize(_photo(), [(_stripes(), 1.0), (_stripes(), 1.0)], method=method, options=_small(method))
    assert _distance(heavy, light) == 0  # only their proportion counts
    four = stylize(_photo(), [(_stripes(), 1.0)] * 4, method=method, options=_small(method))
    assert _unlikeness(four, _stripes()) < 1.5 * _unlikeness(_paint(method), _stripes()) + 0.02


def test_style_is_given_by_id_path_bytes_or_stream(tmp_path: Path) -> None:
    path = tmp_path / "stripes.png"
    _stripes().save(path)
    for style in (str(path), path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        assert _distance(stylize(_photo(), style, options=_small()), _paint()) == 0
    known = stylizer.catalog()["woodcut"]
    by_id, by_file = (stylize(_photo(), style, options=_small()) for style in ("woodcut", known.swatch))
    assert _distance(by_id, by_file) == 0


def test_the_transparent_parts_of_a_style_are_paper() -> None:
    style = _stripes().convert("RGBA")
    hole = Image.new("L", style.size, 255)
    hole.paste(0, (0, 0, 90, 45))
    style.putalpha(hole)
    papered = Image.new("RGB", style.size, "white")
    papered.paste(_stripes(), mask=hole)
    see_through, opaque = (stylize(_photo(), picture, options=_small()) for picture in (style, papered))
    assert _distance(see_through, opaque) == 0


@by_every_method
def test_a_painting_shows_the_photo(method: MethodName) -> None:
    def shapes(image: Image.Image) -> Pixels:
        gray = _pixels(image.convert("L").filter(ImageFilter.GaussianBlur(4)))
        return np.asarray((gray - gray.mean()) / gray.std())

    painted = shapes(_paint(method, quality="standard").image)
    assert (painted * shapes(_resized())).mean() > 0.6


@pytest.mark.parametrize(
    ("side", "enlarged", "expected"),
    [(40, 80, 40), (400, None, 400), (400, 80, 90), (400, 120, 120), (400, 800, 400)],
)
def test_a_small_style_is_enlarged_no_more_than_asked(side: int, enlarged: int | None, expected: int) -> None:
    style = load_style(_stripes(90, 45), side, None, DEFAULT_LIMITS, torch.device("cpu"), max_upscaled_side=enlarged)
    assert style.shape[3] == expected
