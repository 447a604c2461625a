"""JPEG photos above the pixel limit are decoded at reduced size, if the painting is not larger than that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pictures import encoded, slope
from PIL import Image
from PIL.ExifTags import Base

from stylizer import Options, stylize
from stylizer.errors import ExtremeAspectRatio, ImageError, MaskMismatch, TooManyPixels
from stylizer.images import Limits, decode, decode_mask
from stylizer.images.jpeg_reduction import check_photo
from stylizer.options import Size

LIMITS = Limits(max_pixels=100_000, max_jpeg_pixels=800_000)
WHOLE = Limits()


def photo(size: tuple[int, int] = (601, 401), **settings: Any) -> bytes:
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    return encoded(image, "JPEG", **{"quality": 95, **settings})


@pytest.mark.parametrize(
    ("size", "reduced"),
    [((300, 300), (300, 300)), ((601, 401), (301, 201)), ((401, 601), (201, 301)), ((1200, 600), (300, 150))],
)
def test_divisor_is_the_smallest_that_fits(size: tuple[int, int], reduced: tuple[int, int]) -> None:
    picture = decode(photo(size), limits=LIMITS, painted_size=64)

    assert picture.rgb.shape == (reduced[1], reduced[0], 3)
    assert picture.source_size == size
    whole = Image.fromarray(decode(photo(size), limits=WHOLE).rgb).resize(reduced, Image.Resampling.BOX)
    difference = picture.rgb.astype(np.int16) - np.asarray(whole)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("orientation", [2, 3, 5, 6])
def test_reduced_photo_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    data = photo(exif=exif)

    picture = decode(data, limits=LIMITS, painted_size=64)

    whole = decode(data, limits=WHOLE)
    assert picture.source_size == whole.source_size == whole.rgb.shape[1::-1]
    small = Image.fromarray(whole.rgb).resize(picture.rgb.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(picture.rgb.astype(np.int16) - np.asarray(small)).mean() < 3


@pytest.mark.parametrize("orientation", [1, 6])
def test_near_square_reduced_photo_has_its_upright_source_size(orientation: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation  # both sides become 200 pixels
    expected = (399, 400) if orientation == 1 else (400, 399)

    assert decode(photo((399, 400), exif=exif), limits=LIMITS, painted_size=64).source_size == expected


@pytest.mark.parametrize("settings", [{"progressive": True}, {"optimize": True}, {"subsampling": 2}])
def test_kinds_of_jpeg_are_reduced(settings: dict[str, Any]) -> None:
    assert decode(photo(**settings), limits=LIMITS, painted_size=301).rgb.shape == (201, 301, 3)
    for mode in ("L", "CMYK"):
        data = encoded(Image.new(mode, (600, 400)), "JPEG", **settings)
        assert decode(data, limits=LIMITS, painted_size=64).rgb.shape == (200, 300, 3)


@pytest.mark.parametrize("painted", [302, "original"])
def test_larger_painting_than_the_reduced_photo_is_refused(painted: Size) -> None:
    with pytest.raises(TooManyPixels) as caught:
        decode(photo(), limits=LIMITS, painted_size=painted)

    assert caught.value.field == "content"
    assert caught.value.allowed == "size up to 301, or a photo of at most 0.1 megapixels"
    assert caught.value.detail == (
        f"the photo is 601 x 401 = 0.2 megapixels, and size is {painted}; allowed: {caught.value.allowed}"
    )


@pytest.mark.parametrize(
    ("size", "settings", "is_accepted"),
    [
        ((1000, 800), {}, True),
        ((1000, 801), {}, False),
        ((800, 500), {"progressive": True}, True),
        ((801, 500), {"progressive": True}, False),
    ],
)
def test_progressive_jpeg_may_have_half_the_pixels(
    size: tuple[int, int], settings: dict[str, Any], is_accepted: bool
) -> None:
    data = photo(size, **settings)
    if is_accepted:
        assert max(decode(data, limits=LIMITS, painted_size=64).rgb.shape) < max(size)
        return
    with pytest.raises(TooManyPixels, match=r"allowed: at most 0\.[48] megapixels"):
        decode(data, limits=LIMITS, painted_size=64)


def test_other_formats_and_inputs_are_never_reduced() -> None:
    large = Image.new("RGB", (601, 401))
    for kind in ("PNG", "WEBP", "TIFF"):
        with pytest.raises(TooManyPixels, match=r"at most 0\.1 megapixels, or 0\.8 as a JPEG"):
            decode(encoded(large, kind), limits=LIMITS, painted_size=64)
    with pytest.raises(TooManyPixels, match=r"the style picture is .* at most 0\.1 megapixels$"):
        decode(photo(), limits=LIMITS, field="style")
    with pytest.raises(TooManyPixels, match=r"the mask is .* at most 0\.1 megapixels$"):
        decode_mask(photo(), shape=(401, 601), limits=LIMITS)


def test_other_limits_hold_for_the_whole_photo() -> None:
    with pytest.raises(ExtremeAspectRatio):
        decode(photo((5000, 100)), limits=LIMITS, painted_size=64)


def test_size_is_judged_before_a_missing_scan() -> None:
    cut = photo()[: photo().index(b"\xff\xda")]
    assert check_photo((601, 401), LIMITS, "content", jpeg=cut, painted_size=64) == 2


def test_large_photo_without_eoi_is_read() -> None:
    data = photo()
    whole = decode(data, limits=LIMITS, painted_size=64)
    np.testing.assert_array_equal(decode(data[:-2], limits=LIMITS, painted_size=64).rgb, whole.rgb)
    with pytest.raises(ImageError):
        decode(data[:-200], limits=LIMITS, painted_size=64)


def test_painting_of_108_megapixels_is_that_of_the_photo() -> None:
    data = encoded(Image.new("RGB", (12_000, 9_000), "teal"), "JPEG")
    options = Options(size=64, quality="draft", strength=0)

    painting = stylize(data, "woodcut", options=options)

    assert painting.image.size == (64, 48)
    assert stylize(data[:-2], "woodcut", options=options).image == painting.image, "only its end marker is missing"
    np.testing.assert_allclose(np.asarray(painting.image)[0, 0], (0, 128, 128), atol=4)
    with pytest.raises(TooManyPixels, match=r"12,000 x 9,000 = 108\.0 megapixels, and size is 8192"):
        stylize(data, "woodcut", options=Options(size=8192))


def test_mask_has_the_shape_of_the_whole_photo() -> None:
    arguments: dict[str, Any] = {"options": Options(size=64, strength=0), "limits": LIMITS}
    with pytest.raises(MaskMismatch, match="the photo it is for has 601 x 401 pixels"):
        stylize(photo(), "woodcut", mask=slope(301, 201), **arguments)
