from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
from pictures import bomb, encoded
from PIL import Image

from stylizer.errors import (
    CorruptImage,
    EmptyImage,
    ExtremeAspectRatio,
    ImageError,
    ImageTooLarge,
    ImageTooSmall,
    TooManyPixels,
    UnreadableImage,
    UnsupportedImage,
)
from stylizer.images import ImageSource, Limits, Picture, decode

Save = Callable[..., bytes]
AssertQuarters = Callable[[Picture, Image.Image, int], None]
NAMES = {
    "JPEG": "jpeg",
    "PNG": "png",
    "WEBP": "webp",
    "AVIF": "avif",
    "TIFF": "tiff",
    "GIF": "gif",
    "HEIF": "heic",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_accepted_format_decodes_to_the_same_picture(
    assert_quarters: AssertQuarters, name: str, quarters: Image.Image, save: Save
) -> None:
    picture = decode(save(quarters, name))
    assert_quarters(picture, quarters, 6)
    assert picture.format == NAMES[name]
    assert picture.alpha is None


@pytest.mark.parametrize("name", ["AVIF", "HEIF"])
def test_a_size_that_a_file_promises_where_it_ends_is_none(
    assert_quarters: AssertQuarters, name: str, quarters: Image.Image, save: Save
) -> None:
    cut_short = b"\0\0\0\x14ispe" + bytes(4) + b"\xff" * 4  # a width without a height
    unused = struct.pack(">I", 8 + len(cut_short)) + b"free" + cut_short
    assert_quarters(decode(save(quarters, name) + unused), quarters, 6)


def test_of_an_animation_the_first_frame_counts(
    assert_quarters: AssertQuarters, quarters: Image.Image, save: Save
) -> None:
    later = Image.new("RGB", quarters.size, "black")
    for name in ("GIF", "PNG", "WEBP"):
        data = save(quarters, name, save_all=True, append_images=[later], duration=50)
        assert_quarters(decode(data), quarters, 6)


def test_paths_files_streams_and_pillow_images_are_read(tmp_path: Path, quarters: Image.Image, save: Save) -> None:
    data = save(quarters, "PNG")
    path = tmp_path / "photo"
    path.write_bytes(data)
    with path.open("rb") as file:
        sources = (data, bytearray(data), str(path), path, file, io.BytesIO(data), Image.open(path), quarters)
        pictures = [decode(source) for source in sources]  # type: ignore[arg-type]
    assert [picture.format for picture in pictures] == ["png"] * 7 + ["memory"]
    assert all(np.array_equal(picture.rgb, np.asarray(quarters)) for picture in pictures)


def test_png_bomb_is_refused_before_decompression() -> None:
    data = bomb()
    assert 100_000 < len(data) < 120_000
    with pytest.raises(TooManyPixels) as caught:
        decode(data)
    assert caught.value.detail == ("the photo is 30,000 x 30,000 = 900.0 megapixels; allowed: at most 50 megapixels")
    assert caught.value.field == "content"
    assert caught.value.allowed == "at most 50 megapixels"


def test_too_large_headers_are_refused_in_every_format(quarters: Image.Image, save: Save) -> None:
    def patched(name: str, mark: bytes, offset: int, new: bytes, **settings: object) -> bytes:
        data = bytearray(save(quarters, name, **settings))
        at = data.index(mark) + offset
        data[at : at + len(new)] = new
        return bytes(data)

    both = struct.pack(">HH", 60_000, 60_000)
    tags = struct.pack("<HHII", 256, 4, 1, 60_000) + struct.pack("<HHII", 257, 4, 1, 60_000)
    for data in (
        patched("JPEG", b"\xff\xc0", 5, both),
        patched("GIF", b"GIF87a", 6, both),
        patched("GIF", b"\x2c\0\0\0\0\x40\0", 5, both),  # the frame, larger than its screen
        patched("TIFF", struct.pack("<HHI", 256, 4, 1), 0, tags),
        patched("WEBP", b"VP8 ", 14, struct.pack("<HH", 9_999, 9_999)),
        patched("WEBP", b"VP8L", 9, struct.pack("<I", 16_382 | 16_382 << 14), lossless=True),
        patched("AVIF", b"ispe", 8, struct.pack(">II", 60_000, 60_000)),
        patched("HEIF", b"ispe", 8, struct.pack(">II", 60_000, 60_000)),
    ):
        with pytest.raises(TooManyPixels, match="allowed: at most 50 megapixels"):
            decode(data)


@pytest.mark.parametrize(
    ("size", "limits", "error", "words"),
    [
        ((64, 15), Limits(), ImageTooSmall, "64 x 15 pixels; it must have at least 16 pixels a side"),
        ((17, 300), Limits(), ExtremeAspectRatio, "17 x 300 pixels, 17.6 times .* at most 16 times"),
        ((64, 64), Limits(max_pixels=4095), TooManyPixels, "64 x 64 = 0.0 megapixels"),
        ((64, 64), Limits(max_bytes=50), ImageTooLarge, "bytes; allowed: at most 50 bytes"),
    ],
)
def test_each_limit_is_named(
    size: tuple[int, int], limits: Limits, error: type[ImageError], words: str, save: Save
) -> None:
    photo = Image.new("RGB", size)
    data = save(photo, "PNG")
    sources: list[ImageSource] = [data, io.BytesIO(data)]
    if error is not ImageTooLarge:  # a picture in memory has no bytes to count
        sources.append(photo)
    for source in sources:
        with pytest.raises(error, match=words) as caught:
            decode(source, limits=limits, field="style")
        assert caught.value.field == "style"
        assert caught.value.detail.startswith("the style picture ")


def test_a_picture_at_the_limits_passes(save: Save) -> None:
    data = save(Image.new("RGB", (256, 16)), "PNG")
    limits = Limits(max_bytes=len(data), max_pixels=4096)
    assert decode(io.BytesIO(data), limits=limits).rgb.shape == (16, 256, 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello, I am no photo\n", "the photo is text; accepted: jpeg, png,"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "text"),
        (b"BM" + bytes(60), "a BMP picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a video"),
        (bytes(range(256)), "not a picture"),
    ],
)
def test_what_is_no_accepted_picture_is_called_by_its_name(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImage, match=words) as caught:
        decode(data)
    assert caught.value.allowed == [f"image/{name}" for name in NAMES.values()]


def test_no_bytes_and_no_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(EmptyImage, match="0 bytes"):
        decode(b"")
    with pytest.raises(UnreadableImage, match=r"cat\.jpg' cannot be read: No such file"):
        decode(tmp_path / "cat.jpg")
    with pytest.raises(UnreadableImage, match="cannot be read: Is a directory"):
        decode(str(tmp_path))


def test_a_stream_without_end_is_read_only_to_the_limit() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert size > 0
            self.given += size
            return b"\xff" * size

    stream = Endless()
    with pytest.raises(ImageTooLarge):
        decode(cast("BinaryIO", stream), limits=Limits(max_bytes=3_000_000))
    assert stream.given == 3_000_001


@pytest.mark.parametrize("color", [0, 3])
def test_partial_first_gif_frame_leaves_the_rest_transparent(color: int) -> None:
    frame = Image.new("P", (20, 10), color)
    frame.putpalette(bytes(range(48)))
    data = bytearray(encoded(frame, "GIF"))
    data[6:10] = struct.pack("<HH", 40, 30)
    at = data.index(b"\x2c\0\0\0\0\x14\0\x0a\0")
    data[at + 1 : at + 5] = struct.pack("<HH", 15, 12)
    picture = decode(bytes(data))
    expected = np.zeros((30, 40), np.uint8)
    expected[12:22, 15:35] = 255
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, expected)
    assert (picture.rgb[12:22, 15:35] == range(3 * color, 3 * color + 3)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_short_is_corrupt_and_never_half_a_picture(name: str, save: Save) -> None:
    noise = Image.effect_noise((200, 120), 80).convert("RGB")
    data = save(noise, name)
    for part in (0.1, 0.5, 0.9):
        with pytest.raises(CorruptImage, match="damaged or truncated"):
            decode(data[: int(len(data) * part)])


def test_heic_without_its_library_names_what_is_accepted(
    quarters: Image.Image, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = save(quarters, "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedImage, match=r"accepted: jpeg, png, webp, avif, tiff, gif$") as caught:
        decode(data, field="style")
    assert caught.value.field == "style"
