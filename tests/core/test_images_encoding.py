from __future__ import annotations

import io
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from PIL import Image

from stylizer.errors import (
    OptionError,
)
from stylizer.images import Picture, decode, encode
from stylizer.options import FORMATS, LOSSY, Format

Save = Callable[..., bytes]
AssertQuarters = Callable[[Picture, Image.Image, int], None]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_reads_back(assert_quarters: AssertQuarters, name: Format, quarters: Image.Image) -> None:
    picture = decode(encode(quarters, format=name))
    assert picture.format == name
    assert_quarters(picture, quarters, 6 if name in LOSSY else 0)


@pytest.mark.parametrize("name", FORMATS)
def test_alpha_is_written_or_flattened_on_white_by_format(name: Format) -> None:
    picture = decode(encode(Image.new("RGBA", (32, 32), (200, 0, 0, 51)), format=name))
    if name == "jpeg":
        np.testing.assert_allclose(picture.rgb[16, 16], (244, 204, 204), atol=3)
    else:
        assert picture.alpha is not None
        np.testing.assert_allclose(picture.alpha, 51, atol=2)


@pytest.mark.parametrize("name", FORMATS)
def test_no_metadata_is_written(name: Format, quarters: Image.Image, save: Save, wide_profile: bytes) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    source = Image.open(io.BytesIO(save(quarters, "JPEG", exif=exif, icc_profile=wide_profile, comment=b"hey")))
    written = encode(source, format=name)
    for secret in (b"where I live", b"hey", b"acsp"):
        assert secret not in written
    assert written == encode(source, format=name), "the same picture gives the same bytes"


def test_quality_is_worth_its_bytes() -> None:
    noise = Image.effect_noise((256, 256), 40).convert("RGB")
    for name in LOSSY:
        sizes = [len(encode(noise, format=name, quality=quality)) for quality in (1, 50, 90, 100)]
        assert sizes == sorted(set(sizes)), name


def test_full_color_resolution_from_quality_90() -> None:
    red_lines = np.zeros((32, 32, 3), np.uint8)
    red_lines[:, ::2, 0] = 255
    photo = Image.fromarray(red_lines)

    def contrast(name: Format, quality: int) -> float:
        rgb = decode(encode(photo, format=name, quality=quality)).rgb.astype(float)
        return float((rgb[:, ::2, 0] - rgb[:, 1::2, 0]).mean())

    assert contrast("jpeg", 90) > 220 > contrast("jpeg", 89)
    assert contrast("avif", 90) > 220 > contrast("avif", 89)


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"format": "bmp"}, "format", "format is 'bmp'; it must be one of jpeg, png, webp, avif, tiff"),
        ({"format": "jpeg", "quality": 0}, "format_quality", "is 0; it must be a whole number from 1 to 100"),
        ({"format": "jpeg", "quality": 101}, "format_quality", "1 to 100"),
        ({"format": "webp", "size": (16_384, 16)}, "format", "at most 16,383 pixels a side"),
    ],
)
def test_what_cannot_be_written_is_an_option_error(settings: dict[str, object], field: str, words: str) -> None:
    photo = Image.new("RGB", cast("tuple[int, int]", settings.pop("size", (32, 32))))
    with pytest.raises(OptionError, match=words) as caught:
        encode(photo, **settings)  # type: ignore[arg-type]
    assert caught.value.field == field
