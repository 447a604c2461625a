"""Files of more parts than pictures have are refused at once; before, each of these took minutes, or gigabytes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pictures import chunk

from stylizer.errors import CorruptImage, TooManyPixels
from stylizer.images import decode
from stylizer.images.complexity import check_complexity
from tools.fuzz import seeds
from tools.fuzz.chunks import segment
from tools.fuzz.corpus import WEAPONS


@pytest.mark.parametrize(
    ("weapon", "words"),
    [
        ("jpeg a million EXIF segments", "more than 100 EXIF segments"),
        ("jpeg empty comments to the limit", "more than 1,000 segments"),
        ("jpeg padding to the limit", "more than 65,536 bytes between its segments"),
        ("jpeg junk to the limit", "more than 65,536 bytes between its segments"),
        ("jpeg a scan bomb", "more than 100 scans"),
        ("png empty chunks to the limit", "more than 1,000 chunks"),
        ("png profiles to unpack, to the limit", "more than 10 profiles"),
        ("png empty data to the limit", "more than 100,000 chunks of image data"),
        ("gif empty extensions to the limit", "more than 100,000 blocks"),
        ("gif a comment in bytes, to the limit", "more than 100,000 blocks"),
        ("tiff a table of 8 million strips", "more than 250,000 strips or tiles"),
        ("tiff tiles of a pixel", "more than 250,000 strips or tiles"),
        ("avif 65535 items", "more than 5,000 items"),
        ("heic sizes to the limit", "more than 5,000 sizes"),
    ],
)
def test_file_with_too_many_parts_is_refused_by_their_count(weapon: str, words: str) -> None:
    with pytest.raises(CorruptImage, match=f"^the style picture is broken: it is made of {words}$") as caught:
        decode(WEAPONS[weapon](), field="style")
    assert caught.value.field == "style"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_big", [False, True])
def test_the_tags_of_every_kind_of_tiff_are_counted(order: str, is_big: bool) -> None:
    mark = b"II" if order == "<" else b"MM"
    if is_big:
        data = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16) + struct.pack(f"{order}QHHQQ", 1, 273, 4, 10**7, 0)
    else:
        data = mark + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}HHHII", 1, 273, 4, 10**7, 0)

    with pytest.raises(CorruptImage, match="strips or tiles"):
        decode(data)


def test_pictures_with_many_legitimate_parts_are_read() -> None:
    jpeg = seeds.make("jpeg progressive")
    many_segments = jpeg[:2] + segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60)) * 900 + jpeg[2:]
    padded = jpeg[:2] + b"\xff" * 60_000 + jpeg[2:]
    with_film = jpeg + b"\xff\xda" * 1000
    png = seeds.make("png rgb")
    many_texts = png[:33] + chunk(b"tEXt", b"a\0b") * 900 + png[33:]
    gif = seeds.make("gif plain")
    at = 13 + (3 << (gif[10] & 7) + 1)
    commented = gif[:at] + b"!\xfe" + b"\x01x" * 90_000 + b"\0" + gif[at:]

    for plain, full in ((jpeg, many_segments), (jpeg, padded), (jpeg, with_film), (png, many_texts), (gif, commented)):
        np.testing.assert_array_equal(decode(full).rgb, decode(plain).rgb)


def test_a_header_that_was_looked_at_is_the_one_that_counts() -> None:
    with pytest.raises(TooManyPixels):
        decode(WEAPONS["png a second header that fits"]())


def test_jpeg_of_megabytes_without_a_marker_is_walked_once() -> None:
    # Once quadratic: 40 KB took half a minute, and these would take days.
    check_complexity(b"\xff\xd8" + bytes(4 * 2**20), "jpeg", "content")
