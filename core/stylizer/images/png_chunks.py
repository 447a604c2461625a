"""Chunks of a PNG file, and those of them that hold EXIF or XMP."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_UNPACKED = 8 * 2**20
"""Maximum inflated size in bytes of a profile or an EXIF block."""
_XMP = b"XML:com.adobe.xmp\0\0"
_RAW_EXIF = b"Raw profile type exif\0"


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each chunk up to IEND: name, start and end offset, which may lie beyond the file."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, at, at + 12 + length
        if name == b"IEND":
            return
        at += 12 + length


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


def is_intact(data: bytes, start: int, end: int) -> bool:
    """Return whether a chunk lies within the file and has the right checksum."""
    view = memoryview(data)
    return end <= len(data) and zlib.crc32(view[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def collect_metadata(metadata: dict[str | tuple[int, int], bytes | str], name: bytes, body: bytes) -> None:
    """Add the EXIF or XMP of a chunk under Pillow's name, unless there is some; other chunks are ignored."""
    if name == b"eXIf":
        metadata.setdefault("exif", b"Exif\0\0" + body)
    elif name == b"iTXt" and body.startswith(_XMP):
        metadata.setdefault("xmp", body[len(_XMP) + 1 :].split(b"\0", 2)[-1])
    elif name in (b"tEXt", b"zTXt") and body.startswith(_RAW_EXIF):
        text = body[len(_RAW_EXIF) :]
        unpacked = text if name == b"tEXt" else inflate(text[1:])
        if unpacked is not None and len(unpacked) <= MAX_UNPACKED:
            metadata.setdefault("Raw profile type exif", unpacked.decode("latin-1"))


def inflate(data: bytes) -> bytes | None:
    """Inflate a zlib stream; None if it is broken, truncated or larger than allowed."""
    stream = zlib.decompressobj()
    with suppress(zlib.error):
        unpacked = stream.decompress(data, MAX_UNPACKED)
        return unpacked if stream.eof else None
    return None
