from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylizer import Options, stylize
from stylizer.capabilities import long_side_to, validate, validate_output_pixels
from stylizer.errors import OptionError
from stylizer.images import Limits
from stylizer.options import MethodName


def check(method: MethodName, options: dict[str, Any]) -> object:
    plain: dict[str, Any] = {"size": 1024, "style_scale": 1.0, "preserve_color": "none", "features": None}
    return validate(method, **plain | {"has_content_mask": False} | options)


@pytest.mark.parametrize(
    ("method", "options", "field", "allowed"),
    [
        ("neighbor", {"features": "vgg19"}, "features", ["compact"]),
        ("texture", {"features": "compact"}, "features", "nothing with this method"),
        ("texture", {"size": 2049}, "size", "64 to 2048 pixels with method texture"),
        ("texture", {"size": 2048, "style_scale": 2.5}, "style_scale", "at most 2 at size 2048 with method texture"),
        ("optimization", {"size": 2049}, "size", "64 to 2048 pixels with method optimization and features compact"),
        (
            "optimization",
            {"size": 1025, "features": "vgg19"},
            "size",
            "64 to 1024 pixels with method optimization and features vgg19",
        ),
        ("optimization", {"has_content_mask": True}, "content_mask", "nothing with this method"),
        ("color", {"has_content_mask": True}, "content_mask", "nothing with this method"),
        ("color", {"features": "compact"}, "features", "nothing with this method"),
        ("color", {"style_scale": 2.0}, "style_scale", "1 with this method"),
        ("color", {"preserve_color": "histogram"}, "preserve_color", ["none", "luminance"]),
    ],
)
def test_validate_beyond_limits_names_field_and_allowed(
    method: MethodName, options: dict[str, Any], field: str, allowed: object
) -> None:
    with pytest.raises(OptionError) as caught:
        check(method, options)
    assert (caught.value.field, caught.value.allowed) == (field, allowed)


@pytest.mark.parametrize(
    ("method", "options", "features"),
    [
        ("neighbor", {"size": 8192, "style_scale": 4.0, "has_content_mask": True}, "compact"),
        ("feedforward", {"size": 8192, "style_scale": 4.0, "features": "compact"}, "compact"),
        ("texture", {"size": 2048, "style_scale": 2.0, "has_content_mask": True}, None),
        ("optimization", {"size": 2048, "style_scale": 2.0}, "compact"),
        ("color", {"size": 8192, "preserve_color": "luminance"}, None),
        ("optimization", {"size": 1024, "style_scale": 2.0, "features": "vgg19"}, "vgg19"),
    ],
)
def test_validate_at_limits_returns_features(method: MethodName, options: dict[str, Any], features: object) -> None:
    assert check(method, options) == features


@pytest.mark.parametrize(
    ("method", "photo_size", "style_scale", "field", "detail"),
    [
        ("texture", (2100, 300), 1.0, "size", "size is original, and the photo is 2100 x 300 pixels; it must be 64 to"),
        ("neighbor", (50, 40), 1.0, "size", "size is original, and the photo is 50 x 40 pixels; it must be 64 to 8192"),
        ("texture", (300, 2000), 3.0, "style_scale", "allowed: at most 2.048 at size 2000"),
    ],
)
def test_original_size_beyond_limits_names_photo_and_limit(
    method: MethodName, photo_size: tuple[int, int], style_scale: float, field: str, detail: str
) -> None:
    options = {"size": "original", "style_scale": style_scale}
    assert check(method, options) == check(method, {})  # as long as the photo is unknown

    with pytest.raises(OptionError, match=detail) as caught:
        check(method, options | {"photo_size": photo_size})

    assert caught.value.field == field


@pytest.mark.parametrize("method", ["neighbor", "feedforward", "texture"])
def test_original_size_paints_as_the_photos_size_does(method: MethodName) -> None:
    generator = np.random.default_rng(0)
    photo, style = (Image.fromarray(generator.integers(0, 256, (70, 90, 3), np.uint8)) for _ in range(2))

    original, named = (
        stylize(photo, style, method=method, options=Options(size=size, quality="draft")) for size in ("original", 90)
    )

    assert original.image.size == (90, 70)
    assert original.image.tobytes() == named.image.tobytes()
    assert original.options.size == "original"


def test_original_size_is_refused_with_the_photos_own() -> None:
    photo = Image.new("RGB", (30, 20))
    with pytest.raises(OptionError, match="the photo is 30 x 20 pixels"):
        stylize(photo, photo, options=Options(size="original"))


def test_stylize_refuses_options_before_reading_the_photo() -> None:
    with pytest.raises(OptionError, match="64 to 2048 pixels"):
        stylize(b"", b"", method="texture", options=Options(size=2049))


@pytest.mark.parametrize("shape", [(40, 40), (17, 90)])
def test_output_pixels_over_limit_names_largest_size(shape: tuple[int, int]) -> None:
    photo, limit = Image.new("RGB", shape), 20_000
    largest = max(size for size in range(64, 1000) if math.prod(long_side_to(size, *shape)) <= limit)

    with pytest.raises(OptionError) as caught:
        stylize(photo, photo, options=Options(size=largest + 12), limits=Limits(max_pixels=limit))

    named = int(str(caught.value.allowed).split()[2])
    assert largest - 1 <= named <= largest
    assert validate_output_pixels(named, shape, limit) == long_side_to(named, *shape)
