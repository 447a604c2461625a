from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from stylizer.errors import CorruptImage, UnsupportedImage
from stylizer.images import decode
from tools.fuzz.chunks import segment

Save = Callable[..., bytes]
SETTINGS: tuple[dict[str, object], ...] = (
    {},
    {"progressive": True},
    {"subsampling": 2},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 1},
    {"quality": 100, "subsampling": 0},
)


def photo(width: int = 90, height: int = 70) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).resize((width, height))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_without_eoi_is_read(settings: dict[str, object], missing: int, mode: str, save: Save) -> None:
    data = save(photo().convert(mode), "JPEG", **settings)
    np.testing.assert_array_equal(decode(data[:-missing]).rgb, decode(data).rgb)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("missing", [8, 20, 300])
def test_jpeg_without_eoi_and_scan_data_is_corrupt(settings: dict[str, object], missing: int, save: Save) -> None:
    with pytest.raises(CorruptImage):
        decode(save(photo(), "JPEG", **settings)[:-missing])


def test_jpeg_cut_between_its_restart_intervals_is_corrupt(save: Save) -> None:
    data = save(photo(), "JPEG", restart_marker_rows=1)
    with pytest.raises(CorruptImage):
        decode(data[: data.rindex(b"\xff\xd3")])


def test_progressive_jpeg_cut_between_its_scans_is_corrupt(save: Save) -> None:
    for source in (photo(), Image.new("RGB", (64, 64), "teal")):
        data = save(source, "JPEG", progressive=True)
        for marker in (b"\xff\xda", b"\xff\xc4"):
            with pytest.raises(CorruptImage):
                decode(data[: data.rindex(marker)])


@pytest.mark.parametrize("stray", [b"\0", b"x", b"\x12\x34\x56", b"\xff\xff"])
def test_bytes_between_segments_are_skipped(stray: bytes, save: Save) -> None:
    data = save(photo(), "JPEG")
    expected = decode(data).rgb
    np.testing.assert_array_equal(decode(data[:2] + stray + data[2:]).rgb, expected)
    behind = 4 + int.from_bytes(data[4:6], "big")
    np.testing.assert_array_equal(decode(data[:behind] + stray + data[behind:]).rgb, expected)


@pytest.mark.parametrize(
    "damaged",
    [
        segment(0xE0, b"JFIF\0"),
        segment(0xE0, b""),
        segment(0xE1, b"Exif\0\0"),
        segment(0xE1, b"Exif"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"MPF\0"),
        segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\xff\xff\xff\xff"),
        segment(0xEE, b"Adobe"),
        segment(0xFE, b""),
    ],
)
def test_truncated_metadata_is_skipped(damaged: bytes, save: Save) -> None:
    data = save(photo(), "JPEG")
    behind = 4 + int.from_bytes(data[4:6], "big")
    for changed in (
        data[:2] + damaged + data[behind:],
        data[:2] + damaged + data[2:],
        data[:behind] + damaged + data[behind:],
    ):
        np.testing.assert_array_equal(decode(changed).rgb, decode(data).rgb)


def test_metadata_for_color_and_orientation_is_kept(wide_profile: bytes, save: Save) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    color = Image.new("RGB", (40, 24), (200, 100, 100))
    large = wide_profile + bytes(150_000)  # in three segments
    data = save(color, "JPEG", exif=exif.tobytes(), icc_profile=large, comment=b"hey", quality=100)
    rgb = decode(data).rgb
    assert rgb.shape == (40, 24, 3)
    assert rgb[5, 5, 0] > 210


@pytest.mark.parametrize(
    ("marker", "bits", "words"),
    [(0xC1, 12, "a JPEG of 12 bits a sample"), (0xC3, 8, "a lossless or hierarchical JPEG")],
)
def test_error_names_an_unsupported_kind_of_jpeg(marker: int, bits: int, words: str, save: Save) -> None:
    data = bytearray(save(photo(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    with pytest.raises(UnsupportedImage, match=f"the photo is {words}; accepted: "):
        decode(bytes(data))


def test_eoi_of_a_thumbnail_does_not_end_the_photo(save: Save) -> None:
    buffer = io.BytesIO()
    photo(16, 16).save(buffer, "JPEG")
    exif = Image.Exif()
    exif[0x010E] = buffer.getvalue().decode("latin-1")
    data = save(photo(), "JPEG", exif=exif.tobytes())
    with pytest.raises(CorruptImage):
        decode(data[: len(data) * 3 // 4])
    np.testing.assert_array_equal(decode(data[:-2]).rgb, decode(data).rgb)
