from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from heifs import box, clap, with_general_brand, with_property, without_alpha_size
from PIL import Image

from stylizer.errors import CorruptImage, UnsupportedImage
from stylizer.images import decode
from stylizer.images.boxes import read_properties

Save = Callable[..., bytes]
COLOR = (200, 100, 50)
ISPE = box(b"ispe", bytes(4) + struct.pack(">II", 64, 48))
IPCO, IPMA = box(b"ipco", ISPE), box(b"ipma", bytes(4) + struct.pack(">IHBB", 1, 1, 1, 1))
META = bytes(4) + box(b"pitm", bytes(5) + b"\1") + box(b"iprp", IPCO + box(b"free", b"") + IPMA)


def heic(image: Image.Image, **settings: object) -> bytes:
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=95, chroma=444, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("primaries", "transfer", "expected"),
    [(12, 13, (215, 93, 31)), (9, 13, (241, 76, 29)), (1, 13, COLOR), (1, 1, COLOR), (2, 2, COLOR), (200, 99, COLOR)],
)
def test_nclx_of_heic_is_converted_to_srgb(
    primaries: int, transfer: int, expected: tuple[int, int, int], save: Save
) -> None:
    data = save(Image.new("RGB", (64, 64), COLOR), "AVIF", quality=95, subsampling="4:4:4")
    at = data.index(b"colrnclx") + 8
    changed = data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]
    np.testing.assert_allclose(decode(changed).rgb[30, 30], expected, atol=5)
    if primaries < 200:
        nclx = {"color_primaries": primaries, "transfer_characteristics": transfer, "matrix_coefficients": 6}
        data = heic(Image.new("RGB", (64, 64), COLOR), save_nclx_profile=True, **nclx)
        np.testing.assert_allclose(decode(data).rgb[30, 30], expected, atol=5)


def test_icc_profile_comes_before_nclx(wide_profile: bytes, save: Save) -> None:
    data = save(Image.new("RGB", (64, 64), COLOR), "AVIF", quality=95, subsampling="4:4:4", icc_profile=wide_profile)
    at = data.index(b"colrnclx") + 8
    changed = data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :]
    np.testing.assert_array_equal(decode(changed).rgb, decode(data).rgb)


def test_general_brand_is_told_by_the_coding_of_items(save: Save) -> None:
    image = Image.new("RGB", (64, 64), COLOR)
    for name, data in (("heic", heic(image)), ("avif", save(image, "AVIF", quality=95))):
        picture = decode(with_general_brand(data))
        assert picture.format == name
        np.testing.assert_allclose(picture.rgb[30, 30], COLOR, atol=5)
    with pytest.raises(UnsupportedImage, match="HEIF picture of an unknown coding"):
        decode(with_general_brand(heic(image)).replace(b"hvc1", b"vvc1"))


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_clean_aperture_of_avif_crops_before_turning(orientation: int, save: Save) -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(64) * 4, (np.arange(48) * 5)[:, None]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(Image.fromarray(pixels), "AVIF", quality=100, subsampling="4:4:4", exif=exif.tobytes())
    whole = decode(data).rgb
    cropped = decode(with_property(data, clap(32, 20, 6, -4))).rgb
    # The center is 3 pixels right of and 2 above that of the coded picture: columns 19-50, rows 12-31.
    stored = {1: whole, 6: np.rot90(whole), 7: np.rot90(whole.swapaxes(0, 1), 2)}[orientation]
    expected = stored[12:32, 19:51]
    expected = {1: expected, 6: np.rot90(expected, -1), 7: np.rot90(expected, 2).swapaxes(0, 1)}[orientation]
    np.testing.assert_array_equal(cropped, expected)


@pytest.mark.parametrize("wrong", [clap(80, 20), clap(20, 20, 60, 0), clap(0, 0), box(b"clap", bytes(32))])
def test_clean_aperture_beyond_the_picture_crops_nothing(wrong: bytes, save: Save) -> None:
    data = save(Image.new("RGB", (64, 48), COLOR), "AVIF")
    assert decode(with_property(data, wrong)).rgb.shape == (48, 64, 3)


def test_heic_with_a_crop_beyond_the_picture_is_corrupt() -> None:
    data = heic(Image.new("RGB", (48, 40), COLOR))  # coded as 64x64, with a clean aperture
    at = data.index(b"clap") + 4 + 16
    assert decode(data).rgb.shape == (40, 48, 3)
    with pytest.raises(CorruptImage, match="crop exceeds the image"):
        decode(data[:at] + struct.pack(">2i", 30, 2) + data[at + 8 :])


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (box(b"meta", META), (64, 48)),
        (struct.pack(">I4sQ", 1, b"meta", 16 + len(META)) + META, (64, 48)),
        (struct.pack(">I4s", 0, b"meta") + META, (64, 48)),
        (struct.pack(">I4s", 2**31, b"free") + box(b"meta", META), None),
        (box(b"free", b"") * 20_000 + box(b"meta", META), None),
    ],
    ids=["plain", "64-bit length", "to the end", "beyond the end", "too many"],
)
def test_boxes_of_any_length_are_walked(data: bytes, size: tuple[int, int] | None) -> None:
    assert read_properties(data).size == size


@pytest.mark.parametrize(("name", "damaged"), [(b"meta", b"free"), (b"ipma\0\0\0\0\0\0", b"ipma\0\0\0\0\xff\xff")])
def test_avif_with_damaged_boxes_is_corrupt(name: bytes, damaged: bytes, save: Save) -> None:
    data = save(Image.new("RGB", (64, 48), COLOR), "AVIF")
    assert data.count(name) == 1
    with pytest.raises(CorruptImage):
        decode(data.replace(name, damaged))


def test_clean_aperture_of_another_size_crops_no_sequence(save: Save) -> None:
    frames = [Image.new("RGB", (64, 48), color) for color in (COLOR, "teal")]
    data = with_property(save(frames[0], "AVIF", save_all=True, append_images=frames[1:]), clap(20, 20))
    changed = data.replace(ISPE, ISPE[:-8] + struct.pack(">II", 60, 40))
    assert changed != data
    assert decode(changed).rgb.shape == (48, 64, 3)


def test_avif_whose_alpha_lacks_its_size_is_read(save: Save) -> None:
    image = Image.new("RGBA", (64, 48), (*COLOR, 0))
    image.paste((*COLOR, 255), (0, 0, 32, 48))
    data = save(image, "AVIF", quality=95)
    picture, expected = decode(without_alpha_size(data)), decode(data)
    assert picture.alpha is not None
    assert expected.alpha is not None
    np.testing.assert_array_equal(picture.alpha, expected.alpha)
    np.testing.assert_array_equal(picture.rgb, expected.rgb)
