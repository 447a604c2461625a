"""What the header of a picture tells, read by the decoders' own libraries: run by `probe`, in forks only.

Nothing is decoded, but opening a file is work enough to be attacked: lengths that lie, a million segments, tables as
long as the file. This is not the core's reader because this layer ships without the core.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from pillow_heif import as_plugin

_OPENERS: dict[str, Callable[[BinaryIO], Image.Image]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": PngImagePlugin.PngImageFile,
    "image/webp": WebPImagePlugin.WebPImageFile,
    "image/avif": AvifImagePlugin.AvifImageFile,
    "image/tiff": TiffImagePlugin.TiffImageFile,
    "image/gif": GifImagePlugin.GifImageFile,
    "image/heic": as_plugin.HeifImageFile,
}
_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
# A box of 20 bytes, version and flags 0; width and height follow.
_ISPE = b"\0\0\0\x14ispe\0\0\0\0"


def examine(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Look at a picture.

    Args:
        request: "media_type", one of `models.MEDIA_TYPES`, and "max_pixels".
        data: The file.

    Returns:
        "size" once the picture is upright, and whether it is "whole"; without a size, it cannot be opened. A size of
        more pixels than allowed may be that of a part.
    """
    media_type = request["media_type"]
    for width, height in _promised_sizes(media_type, data):
        if width * height > request["max_pixels"]:
            return {"size": (width, height), "whole": True}, b""
    try:
        size = _upright_size(media_type, data)
        return {"size": size, "whole": _is_whole(media_type, data)}, b""
    except MemoryError:
        raise
    except Exception:  # Between them the decoders raise nearly everything.
        return {"size": None, "whole": False}, b""


def _promised_sizes(media_type: str, data: bytes) -> Iterator[tuple[int, int]]:
    """The sizes for which libraries would set memory aside, or give up on a picture, before they tell them."""
    if media_type in ("image/avif", "image/heic"):
        at = data.find(_ISPE)
        while at >= 0:
            sides = data[at + len(_ISPE) : at + len(_ISPE) + 8]
            if len(sides) == 8:
                yield struct.unpack(">II", sides)
            at = data.find(_ISPE, at + 1)
    elif media_type != "image/webp":
        return
    elif data[12:16] == b"VP8X" and len(data) >= 30:
        yield 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    elif data[12:16] == b"VP8L" and data[20:21] == b"\x2f":
        bits = int.from_bytes(data[21:25], "little")
        yield 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif data[12:16] == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        yield int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _upright_size(media_type: str, data: bytes) -> tuple[int, int]:
    image = _OPENERS[media_type](io.BytesIO(data))
    width, height = image.size
    if media_type == "image/tiff":  # Pillow has turned this one already.
        return width, height
    if media_type == "image/png" and "exif" not in image.info:
        image.info["exif"] = _late_exif(data)
    try:
        # Not the method of a PNG, which would decode it to come to what stands behind the pixels.
        sideways = Image.Image.getexif(image).get(_ORIENTATION) in _SIDEWAYS
    except MemoryError:
        raise
    except Exception:  # Metadata that cannot be read turns nothing.
        sideways = False
    return (height, width) if sideways else (width, height)


def _late_exif(data: bytes) -> bytes | None:
    for at, length, name in _png_chunks(data):
        if name == b"eXIf":
            return b"Exif\0\0" + data[at + 8 : at + 8 + length]
    return None


def _is_whole(media_type: str, data: bytes) -> bool:
    """Whether the file reaches its own end, where the format tells that without decoding."""
    if media_type == "image/jpeg":
        return _jpeg_has_end(data)
    if media_type == "image/png":
        return _png_chunks_fit(data)
    if media_type == "image/webp":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return True


def _jpeg_has_end(data: bytes) -> bool:
    """Walk the segments to the first scan; after it FF D9 is the end of the picture and nothing else."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 1 < len(data):
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker == 0xDA:
            return data.find(b"\xff\xd9", at) >= 0
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _png_chunks_fit(data: bytes) -> bool:
    end = 8
    for at, length, name in _png_chunks(data):
        if name == b"IEND":
            return True
        end = at + 12 + length
    # Without an IEND, but with all it announced: decoders take it.
    return end == len(data)


def _png_chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Where each chunk begins, how long it says its data is, and its name."""
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield at, length, data[at + 4 : at + 8]
        at += 12 + length
