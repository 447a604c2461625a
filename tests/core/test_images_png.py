from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from pictures import chunk, png
from PIL import Image

from stylizer.errors import CorruptImage, TooManyPixels
from stylizer.images import decode

Save = Callable[..., bytes]
COLOR = (200, 100, 50)
SIZE = 32


def plain(before: bytes = b"", color: tuple[int, int, int] = COLOR) -> bytes:
    """One color, 32 x 32, with chunks in front of the pixels."""
    return png((SIZE, SIZE), 8, 2, zlib.compress((b"\0" + bytes(color) * SIZE) * SIZE), before)


def broken(name: bytes, body: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    whole = chunk(name, body)
    return whole[:-1] + bytes([whole[-1] ^ 1])


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 1e5)))


def chrm(*points: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(point * 1e5) for point in points)))


P3 = chrm(0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
SRGB = chrm(0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
DISPLAY_P3 = chunk(b"cICP", bytes([12, 13, 0, 1]))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 2_000_000)),
        chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)),
        chunk(b"tEXt", b"a\0" + b"x" * 3_000_000),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(b"a" * 1_500_000)),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(b"a" * 20_000_000)),
        chunk(b"iCCP", b"x\0\0no zlib"),
        chunk(b"pHYs", b"\0\0"),
        chunk(b"cHRM", b"\0\0"),
        chunk(b"cHRM", bytes(32)),
        chunk(b"gAMA", b"\0"),
        chunk(b"sRGB", b""),
        chunk(b"tRNS", b"\0"),
        chunk(b"cICP", bytes([12, 13, 5, 1])),
        chunk(b"cICP", bytes([99, 13, 0, 1])),
        chunk(b"eXIf", b"MM"),
        chunk(b"zTXt", b"Raw profile type exif\0\0no zlib"),
        broken(b"gAMA", struct.pack(">I", 100_000)),
        broken(b"tRNS", struct.pack(">3H", *COLOR)),
        broken(b"cICP", bytes([12, 13, 0, 1])),
        chunk(b"acTL", b"\0"),
        chunk(b"fcTL", b"\0"),
    ],
)
def test_damaged_or_large_metadata_is_skipped(extra: bytes) -> None:
    picture = decode(plain(extra))
    assert (picture.rgb == COLOR).all()
    assert picture.alpha is None


def test_file_cut_in_the_metadata_behind_its_pixels_is_read() -> None:
    whole = plain()
    assert (decode(whole[:-12] + chunk(b"tEXt", b"a\0bcdefghi")[:-7]).rgb == COLOR).all()
    with pytest.raises(CorruptImage):
        decode(whole[:-30])


def test_damaged_header_is_corrupt() -> None:
    for damaged in (plain().replace(b"IHDR", b"IHDX"), plain().replace(b"\0\0\0\x0dIHDR", b"\0\0\0\x05IHDR")):
        with pytest.raises(CorruptImage):
            decode(damaged)
    data = bytearray(plain())
    data[data.index(b"IHDR") + 14] ^= 1
    with pytest.raises(CorruptImage):
        decode(bytes(data))


def test_large_usable_profile_is_used(wide_profile: bytes, save: Save) -> None:
    padded = struct.pack(">I", 1_500_000) + wide_profile[4:] + bytes(1_500_000 - len(wide_profile))
    expected = decode(save(Image.new("RGB", (SIZE, SIZE), COLOR), "PNG", icc_profile=wide_profile)).rgb
    assert expected[0, 0, 0] > 210
    np.testing.assert_array_equal(decode(plain(chunk(b"iCCP", b"x\0\0" + zlib.compress(padded)))).rgb, expected)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (gama(1.0), (229, 168, 122)),  # linear
        (gama(0.45455), COLOR),
        (gama(0.45455) + SRGB, COLOR),
        (P3, (215, 93, 31)),
        (DISPLAY_P3, (215, 93, 31)),
        (chunk(b"sRGB", b"\0") + gama(1.0) + P3, COLOR),
        (DISPLAY_P3 + chunk(b"sRGB", b"\0") + gama(1.0), (215, 93, 31)),
        (chunk(b"iCCP", b"x\0\0" + zlib.compress(b"unusable")) + P3, (215, 93, 31)),
        (chunk(b"iCCP", b"x\0\0" + zlib.compress(b"unusable")) + chunk(b"sRGB", b"\0") + P3, COLOR),
        (chunk(b"cICP", bytes([99, 13, 0, 1])) + P3, (215, 93, 31)),
        (chunk(b"cICP", bytes([1, 13, 0, 0])), (214, 98, 40)),  # narrow range: (code - 16) / 219
    ],
)
def test_color_space_is_taken_in_order_of_precedence(chunks: bytes, expected: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(decode(plain(chunks)).rgb[5, 5], expected, atol=1)


def test_profile_comes_before_srgb_and_behind_cicp(wide_profile: bytes) -> None:
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(wide_profile))
    with_profile = decode(plain(profile)).rgb[0, 0]
    np.testing.assert_array_equal(decode(plain(profile + chunk(b"sRGB", b"\0") + gama(1.0))).rgb[0, 0], with_profile)
    np.testing.assert_allclose(decode(plain(DISPLAY_P3 + profile)).rgb[0, 0], (215, 93, 31), atol=1)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("value", [0, 1])
def test_transparent_gray_counts_in_every_depth(depth: int, value: int) -> None:
    row = [0] * 16 + [1] * 16
    packed = int("".join(f"{sample:0{depth}b}" for sample in row), 2).to_bytes(len(row) * depth // 8, "big")
    trns = chunk(b"tRNS", struct.pack(">H", value))
    picture = decode(png((SIZE, SIZE), depth, 0, zlib.compress((b"\0" + packed) * SIZE), trns))
    assert picture.alpha is not None
    is_clear = (np.array(row) == value)[None, :]
    np.testing.assert_array_equal(picture.alpha, np.where(is_clear, 0, 255).repeat(SIZE, 0))
    np.testing.assert_allclose(picture.rgb[0, ::31, 0], [0, 255 / (2**depth - 1)], atol=0.5)


@pytest.mark.parametrize("interlace", [0, 1])
def test_transparent_color_of_16_bits_is_compared_in_full(interlace: int) -> None:
    colors = [(30_000, 20_000, 10_000), (30_001, 20_000, 10_000)]
    row = b"".join(struct.pack(">3H", *colors[n >= 16]) for n in range(SIZE))
    trns = chunk(b"tRNS", struct.pack(">3H", *colors[0]))
    if interlace:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        rows = b"".join(
            b"\0" + b"".join(row[6 * n : 6 * n + 6] for n in range(x, SIZE, step_x))
            for x, y, step_x, step_y in passes
            for _ in range(y, SIZE, step_y)
        )
    else:
        rows = (b"\0" + row) * SIZE
    picture = decode(png((SIZE, SIZE), 16, 2, zlib.compress(rows), trns, interlace))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha[::7], np.repeat([[0] * 16 + [255] * 16], 5, 0))


@pytest.mark.parametrize("kind", ["exif", "xmp", "raw"])
@pytest.mark.parametrize("is_late", [False, True])
def test_orientation_is_found_wherever_it_stands(kind: str, is_late: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    packed = exif.tobytes()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    raw = f"\nexif\n{len(packed):8}\n{packed.hex()}\n".encode()
    part = {
        "exif": chunk(b"eXIf", packed.removeprefix(b"Exif\0\0")),
        "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        "raw": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
    }[kind]
    data = png((SIZE, 20), 8, 2, zlib.compress((b"\0" + bytes(COLOR) * SIZE) * 20), b"" if is_late else part)
    end = data.index(b"IEND") - 4
    assert decode(data[:end] + (part if is_late else b"") + data[end:]).rgb.shape[:2] == (SIZE, 20)


def animated(frame: tuple[int, int, int, int], *, is_static_first: bool) -> bytes:
    """A red static picture and a first frame of green, at (x, y) of (width, height)."""
    width, height, x, y = frame
    control = chunk(b"fcTL", struct.pack(">5IHHBB", 0, width, height, x, y, 1, 10, 0, 0))
    pixels = zlib.compress((b"\0" + bytes((0, 255, 0)) * width) * height)
    data = plain(chunk(b"acTL", struct.pack(">II", 1, 0)) + (b"" if is_static_first else control), (255, 0, 0))
    end = data.index(b"IEND") - 4
    later = control + chunk(b"fdAT", struct.pack(">I", 1) + pixels) if is_static_first else b""
    return data[:end] + later + data[end:]


def test_partial_first_apng_frame_leaves_the_rest_transparent() -> None:
    picture = decode(animated((10, 8, 5, 20), is_static_first=True))
    expected = np.zeros((SIZE, SIZE), np.uint8)
    expected[20:28, 5:15] = 255
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, expected)
    assert (picture.rgb[20:28, 5:15] == (0, 255, 0)).all()


def test_static_picture_that_is_the_first_frame_is_shown() -> None:
    assert (decode(animated((SIZE, SIZE, 0, 0), is_static_first=False)).rgb == (255, 0, 0)).all()


@pytest.mark.parametrize("frame", [(40, 8, 0, 0), (10, 8, 2**31, 0), (0, 0, 0, 0)])
def test_frame_beyond_its_canvas_leaves_the_static_picture(frame: tuple[int, int, int, int]) -> None:
    assert (decode(animated(frame, is_static_first=True)).rgb == (255, 0, 0)).all()


@pytest.mark.parametrize("damage", ["no acTL", "acTL behind the pixels", "numbers out of sequence"])
def test_invalid_animation_leaves_the_static_picture(damage: str) -> None:
    data = animated((10, 8, 5, 20), is_static_first=True)
    control = chunk(b"acTL", struct.pack(">II", 1, 0))
    if damage == "numbers out of sequence":
        at = data.index(b"fcTL") - 4
        body = data[at + 8 : at + 34]
        changed = data[:at] + chunk(b"fcTL", struct.pack(">I", 5) + body[4:]) + data[at + 38 :]
    else:
        end = data.index(b"fcTL") - 4
        late = control if damage == "acTL behind the pixels" else b""
        changed = (data[:end] + late).replace(control, b"", 1) + data[end:]
    assert (decode(changed).rgb == (255, 0, 0)).all()


def test_size_of_the_canvas_counts() -> None:
    data = bytearray(animated((10, 8, 5, 20), is_static_first=True))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data[8 : 8 + len(header)] = header
    with pytest.raises(TooManyPixels):
        decode(bytes(data))
