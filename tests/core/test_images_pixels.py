from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from pictures import png
from PIL import Image, ImageCms, ImageOps
from tiffs import tiff

from stylizer.errors import (
    MaskMismatch,
    TooManyPixels,
)
from stylizer.images import Limits, Picture, decode, decode_mask

Save = Callable[..., bytes]
AssertQuarters = Callable[[Picture, Image.Image, int], None]


@pytest.mark.parametrize(
    ("name", "orientation"),
    [
        *product(("JPEG",), range(1, 9)),
        *(
            (name, orientation)
            for name in ("PNG", "WEBP", "AVIF", "TIFF", "TIFF-LZW", "HEIF")
            for orientation in (5, 6)
        ),
    ],
)
def test_every_orientation_a_camera_writes_is_turned_upright(
    assert_quarters: AssertQuarters, name: str, orientation: int, quarters: Image.Image, save: Save
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # What the sensor saw: `quarters` turned such that this orientation turns it back.
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    tagged = Image.new("RGB", (1, 1))
    tagged.info["exif"] = exif.tobytes()
    backward = Image.Exif()
    backward[0x0112] = inverse
    sensor = quarters.copy()
    sensor.info["exif"] = backward.tobytes()
    sensor = ImageOps.exif_transpose(sensor)
    kind, _, compressed = name.partition("-")
    extra = {"compression": "tiff_lzw"} if compressed else {}
    data = save(sensor, kind, exif=exif.tobytes(), **extra)
    assert_quarters(decode(data), quarters, 6)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow warns of it, and goes on
def test_broken_exif_turns_nothing(assert_quarters: AssertQuarters, quarters: Image.Image, save: Save) -> None:
    data = save(quarters, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(9))
    assert_quarters(decode(data), quarters, 6)


def test_a_wide_gamut_profile_is_converted_to_srgb(wide_profile: bytes, save: Save) -> None:
    color = np.array([200, 100, 100])
    to_srgb = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    light = to_srgb @ (color / 255) ** 2.2
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    photo = Image.new("RGB", (32, 32), tuple(color.tolist()))
    for name in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "HEIF"):
        quality = {} if name in ("PNG", "TIFF") else {"quality": 100}
        rgb = decode(save(photo, name, icc_profile=wide_profile, **quality)).rgb
        np.testing.assert_allclose(rgb[16, 16], expected, atol=3, err_msg=name)


def test_alpha_survives_a_profile(wide_profile: bytes, save: Save) -> None:
    picture = decode(save(Image.new("RGBA", (32, 32), (200, 100, 100, 77)), "PNG", icc_profile=wide_profile))
    assert picture.alpha is not None
    assert (picture.alpha == 77).all()
    assert picture.rgb[0, 0, 0] > 210


def test_a_gray_profile_is_honored(linear_gray_profile: bytes, save: Save) -> None:
    picture = decode(save(Image.new("L", (32, 32), 128), "PNG", icc_profile=linear_gray_profile))
    assert (picture.rgb == 188).all()


def test_gray_with_an_rgb_profile_stays_gray(wide_profile: bytes, save: Save) -> None:
    rgb = decode(save(Image.new("L", (32, 32), 128), "JPEG", icc_profile=wide_profile)).rgb
    np.testing.assert_allclose(rgb, 129, atol=1)


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile_or_else_by_the_book(
    assert_quarters: AssertQuarters, name: str, quarters: Image.Image, black_ink_profile: bytes, save: Save
) -> None:
    assert_quarters(decode(save(quarters.convert("CMYK"), name)), quarters, 4)
    cyan = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    assert tuple(decode(save(cyan, name)).rgb[16, 16]) == (0, 255, 255)
    through = decode(save(cyan, name, icc_profile=black_ink_profile)).rgb[16, 16]
    np.testing.assert_allclose(through, 255, atol=1)


def test_lab_is_converted(assert_quarters: AssertQuarters, quarters: Image.Image, save: Save) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(quarters, srgb, lab, outputMode="LAB")
    assert converted is not None
    assert_quarters(decode(save(converted, "TIFF")), quarters, 9)
    del converted.info["icc_profile"]  # then it is taken for what most LAB is
    assert_quarters(decode(save(converted, "TIFF")), quarters, 9)


def test_a_profile_that_is_broken_or_does_not_fit_is_passed_over(
    assert_quarters: AssertQuarters,
    quarters: Image.Image,
    wide_profile: bytes,
    black_ink_profile: bytes,
    save: Save,
) -> None:
    for profile in (b"not a profile", wide_profile[:300], black_ink_profile):
        assert_quarters(decode(save(quarters, "PNG", icc_profile=profile)), quarters, 0)


def test_palette_gray_and_one_bit_are_expanded(
    assert_quarters: AssertQuarters, quarters: Image.Image, save: Save
) -> None:
    palette = quarters.convert("P", palette=Image.Palette.ADAPTIVE)
    assert_quarters(decode(save(palette, "PNG")), quarters, 0)
    for mode in ("1", "L"):
        gray = quarters.convert(mode)
        for name in ("PNG", "TIFF"):
            assert_quarters(decode(save(gray, name)), gray.convert("RGB"), 0)
    assert_quarters(decode(save(quarters.convert("YCbCr"), "TIFF")), quarters, 4)


def test_sixteen_bit_gray_is_scaled_and_not_clipped(save: Save) -> None:
    ramp = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    for name in ("PNG", "TIFF"):
        rgb = decode(save(Image.fromarray(ramp), name)).rgb
        np.testing.assert_allclose(rgb[..., 1], ramp / 257, atol=0.51)


def test_sixteen_bit_color_is_scaled(assert_quarters: AssertQuarters, quarters: Image.Image) -> None:
    deep = np.asarray(quarters).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    assert_quarters(decode(png((64, 32), 16, 2, zlib.compress(rows))), quarters, 0)


def test_float_pixels_outside_0_to_1_are_stretched(save: Save) -> None:
    ramp = np.linspace(0, 0.5, 64 * 32, dtype=np.float32).reshape(32, 64)
    assert decode(save(Image.fromarray(ramp), "TIFF")).rgb.max() == 128
    wild = ramp * 5000 - 70
    wild[0, 0], wild[0, 1] = np.nan, np.inf
    rgb = decode(save(Image.fromarray(wild), "TIFF")).rgb
    assert (rgb.min(), rgb.max()) == (0, 255)
    assert decode(save(Image.fromarray(wild[1:].astype(np.int32)), "TIFF")).rgb.max() == 255


def test_opened_image_of_many_bits_is_read_like_its_file(save: Save) -> None:
    ramp = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    unit = ramp.astype(np.float32) / 65535
    for data in (
        save(Image.fromarray(ramp), "PNG", transparency=int(ramp[3, 4])),
        tiff(ramp[..., None], 0),  # white is zero
        *(
            save(Image.fromarray(samples), "TIFF")
            for samples in (unit / 2, unit * 5000 - 70, ramp.astype(np.int32) * 9)
        ),
    ):
        expected, picture = decode(data), decode(Image.open(io.BytesIO(data)))
        np.testing.assert_allclose(picture.rgb, expected.rgb, atol=1)
        assert (picture.alpha is None) == (expected.alpha is None)
        assert picture.alpha is None or (picture.alpha == expected.alpha).all()


@pytest.mark.parametrize("name", ["PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_alpha_is_kept_apart(assert_quarters: AssertQuarters, name: str, quarters: Image.Image, save: Save) -> None:
    alpha = Image.linear_gradient("L").resize(quarters.size)
    photo = quarters.copy()
    photo.putalpha(alpha)
    picture = decode(save(photo, name))
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, np.asarray(alpha), atol=4)
    assert_quarters(picture, quarters, 8)


def test_premultiplied_gray_keeps_its_lightness(quarters: Image.Image) -> None:
    gray = quarters.convert("LA")
    gray.putalpha(128)
    picture = decode(gray.convert("La"))  # as other programs keep it in memory
    assert picture.alpha is not None
    assert (picture.alpha == 128).all()
    np.testing.assert_allclose(picture.rgb[..., 0], np.asarray(quarters.convert("L")), atol=2)


def test_a_transparent_color_becomes_alpha(quarters: Image.Image, save: Save) -> None:
    palette = quarters.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    red = palette.getpixel((0, 0))
    deep = Image.fromarray(np.where(np.arange(2048).reshape(32, 64) < 1024, 300, 301).astype(np.uint16))
    for data in (
        save(palette, "PNG", transparency=red),
        save(palette, "GIF", transparency=red),
        save(quarters, "PNG", transparency=(220, 30, 30)),
        save(deep, "PNG", transparency=300),
    ):
        picture = decode(data)
        assert picture.alpha is not None
        assert (picture.alpha[0, 0], picture.alpha[-1, -1]) == (0, 255)


def test_opaque_alpha_is_no_alpha(quarters: Image.Image, save: Save) -> None:
    assert decode(save(quarters.convert("RGBA"), "PNG")).alpha is None


def test_mask_is_stored_lightness_with_transparent_as_black(linear_gray_profile: bytes, save: Save) -> None:
    ramp = Image.linear_gradient("L").resize((64, 32))
    tagged = save(ramp, "PNG", icc_profile=linear_gray_profile)
    np.testing.assert_array_equal(decode_mask(tagged, shape=(32, 64)), np.asarray(ramp))
    clear = ramp.convert("LA")
    clear.putalpha(Image.new("L", (64, 32), 0))
    assert not decode_mask(save(clear, "PNG"), shape=(32, 64)).any()
    assert (decode_mask(save(Image.new("1", (64, 32), 1), "PNG"), shape=(32, 64)) == 255).all()


def test_mask_shape_is_checked_after_orientation(save: Save) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    mask = save(Image.new("L", (64, 32), 255), "JPEG", exif=exif.tobytes())
    assert decode_mask(mask, shape=(64, 32)).shape == (64, 32)
    with pytest.raises(MaskMismatch, match="the mask is 32 x 64 pixels; the photo it is for has 64 x 32 pixels"):
        decode_mask(mask, shape=(32, 64))
    with pytest.raises(TooManyPixels, match="the content mask"):
        decode_mask(mask, shape=(64, 32), limits=Limits(max_pixels=100), field="content_mask")
