"""Pictures for tests, generated on each call."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def encoded(image: Image.Image, format: str = "JPEG", **settings: object) -> bytes:  # noqa: A002
    """A picture as a file, written by Pillow with its settings."""
    buffer = io.BytesIO()
    image.save(buffer, format, **settings)
    return buffer.getvalue()


def slope(width: int = 48, height: int = 32, format: str = "PNG", **settings: object) -> bytes:  # noqa: A002
    """A small picture from black to white."""
    return encoded(Image.linear_gradient("L").resize((width, height)).convert("RGB"), format, **settings)


def write_style(folder: Path, name: str, color: str = "black") -> None:
    """Write a style of one color into a folder of styles."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    facts = {"title": f"In {name}", "artist": "no one", "year": "2026", "license": "MIT", "description": "One color."}
    (folder / name / "style.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in facts.items()))
    Image.new("RGB", (32, 32), color).save(folder / name / "swatch.webp")


def disk_photo() -> bytes:
    """A small picture with something in it: a disk before a slope of light, 96 x 72."""
    image = Image.linear_gradient("L").resize((96, 72)).convert("RGB")
    ImageDraw.Draw(image).ellipse((24, 12, 68, 60), fill=(200, 90, 40))
    return encoded(image)


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(size: tuple[int, int], depth: int, color: int, packed: bytes, before: bytes = b"", interlace: int = 0) -> bytes:
    """A PNG from its compressed rows; `before` comes before them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, color, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def described_png(size: tuple[int, int], before: bytes, color: tuple[int, int, int] = (200, 100, 50)) -> bytes:
    """A PNG of one color with chunks in front of its pixels."""
    width, height = size
    return png(size, 8, 2, zlib.compress((b"\0" + bytes(color) * width) * height), before)


def partly_animated_png(size: tuple[int, int]) -> bytes:
    """A red PNG that is no part of its animation, whose first frame covers a quarter of the canvas."""
    width, height = size[0] // 2, size[1] // 2
    control = chunk(b"fcTL", struct.pack(">5IHHBB", 0, width, height, 3, 5, 1, 10, 0, 0))
    pixels = zlib.compress((b"\0" + bytes((0, 255, 0)) * width) * height)
    data = described_png(size, chunk(b"acTL", struct.pack(">II", 1, 0)), (255, 0, 0))
    end = data.index(b"IEND") - 4
    return data[:end] + control + chunk(b"fdAT", struct.pack(">I", 1) + pixels) + data[end:]


def bomb(side: int = 30_000, depth: int = 1, color: int = 0, planes: int = 1) -> bytes:
    """A PNG of side x side black pixels, in some 100 KB."""
    squeeze = zlib.compressobj(9)
    row = bytes(1 + (side * depth * planes + 7) // 8)
    packed = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    return png((side, side), depth, color, packed)


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """The values of a picture's file, signed so that they can be subtracted."""
    with Image.open(path) as image:
        return np.asarray(image).astype(np.int16)
