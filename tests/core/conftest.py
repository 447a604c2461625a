from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pictures
import pytest
from numerics import on_cpu, seeded
from PIL import Image

from stylizer.images import Picture

__all__ = ["on_cpu", "seeded"]  # fixtures of every test here

Save = Callable[..., bytes]


@pytest.fixture(scope="session")
def save() -> Save:
    """Encode a picture with Pillow: save(image, "PNG", **settings)."""

    def encoded(image: Image.Image, name: str, **settings: object) -> bytes:
        if name == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
        return pictures.encoded(image, name, **settings)

    return encoded


@pytest.fixture(scope="session")
def quarters() -> Image.Image:
    """64 x 32 pixels, the quarters red, green, blue and yellow: no turn of it looks the same."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:16, :32] = 220, 30, 30
    pixels[:16, 32:] = 30, 200, 30
    pixels[16:, :32] = 30, 30, 220
    pixels[16:, 32:] = 230, 220, 40
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def assert_quarters() -> Callable[[Picture, Image.Image, int], None]:
    """Compare the middle of each quarter."""

    def check(picture: Picture, expected: Image.Image, tolerance: int) -> None:
        width, height = expected.size
        assert picture.rgb.shape == (height, width, 3)
        for y in (height // 4, height * 3 // 4):
            for x in (width // 4, width * 3 // 4):
                np.testing.assert_allclose(picture.rgb[y, x], np.asarray(expected)[y, x], atol=tolerance)

    return check


def _fixed(*values: float) -> bytes:
    """ICC s15Fixed16 numbers."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal ICC v2 profile from its tags."""
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    illuminant = _fixed(0.9642, 1.0, 0.8249)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"\0\0\0\0", 0x02400000, b"mntr", space, b"XYZ ")
    if space == b"CMYK":
        head = head.replace(b"mntr", b"prtr").replace(b"XYZ ", b"Lab ")
    dated = head + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + illuminant
    return dated.ljust(128, b"\0") + table + body


_TEXT = {
    b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78),
    b"cprt": b"text\0\0\0\0none\0",
    b"wtpt": b"XYZ \0\0\0\0" + _fixed(0.9642, 1.0, 0.8249),
}


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


@pytest.fixture(scope="session")
def wide_profile() -> bytes:
    """Display P3's primaries with a gamma of 2.2."""
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    tags = {name: b"XYZ \0\0\0\0" + _fixed(*value) for name, value in primaries.items()}
    return _profile(b"RGB ", _TEXT | tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(2.2)))


@pytest.fixture(scope="session")
def linear_gray_profile() -> bytes:
    """Gray in which half the number is half the light."""
    return _profile(b"GRAY", _TEXT | {b"kTRC": _gamma(1.0)})


@pytest.fixture(scope="session")
def black_ink_profile() -> bytes:
    """A printer whose cyan, magenta and yellow leave no mark: lightness is 100 - K."""
    ramp = bytes(range(256))
    grid = b"".join(bytes((255 * (1 - corner % 2), 128, 128)) for corner in range(16))
    identity = _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + grid + ramp * 3
    return _profile(b"CMYK", _TEXT | {b"A2B0": table, b"A2B1": table})
