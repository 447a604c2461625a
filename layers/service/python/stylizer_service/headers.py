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
)
from pillow_heif import as_plugin

_OPENERS: dict[str, Callable[[BinaryIO], Image.Image]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": PngImagePlugin.PngImageFile,
    "image/webp": lambda file: _open_webp(file.read()),
    "image/avif": AvifImagePlugin.AvifImageFile,
    "image/tiff": TiffImagePlugin.TiffImageFile,
    "image/gif": GifImagePlugin.GifImageFile,
    "image/heic": as_plugin.HeifImageFile,
}
_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD9)}
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


class _Webp(Image.Image):
    """As much as its header tells."""

    def __init__(self, size: tuple[int, int], chunks: dict[bytes, bytes]):
        super().__init__()
        self._size = size
        self.info = {key: chunks[name] for name, key in ((b"EXIF", "exif"), (b"XMP ", "xmp")) if name in chunks}


def _open_webp(data: bytes) -> Image.Image:
    """Not by its library, which sets memory aside for two whole pictures to do it."""
    chunks: dict[bytes, bytes] = {}
    first, at = data[12:16], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        name = data[at : at + 4]
        if name in (first, b"EXIF", b"XMP ") and name not in chunks:
            chunks[name] = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return _Webp(_SIZE_OF_WEBP[first](chunks[first]), chunks)


def _size_of_lossy(data: bytes) -> tuple[int, int]:
    if data[3:6] != b"\x9d\x01\x2a":
        raise ValueError("the key frame has another signature")
    width, height = struct.unpack_from("<HH", data, 6)
    return width & 0x3FFF, height & 0x3FFF


def _size_of_lossless(data: bytes) -> tuple[int, int]:
    signature, bits = struct.unpack_from("<BI", data)
    if signature != 0x2F:
        raise ValueError("the picture has another signature")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


def _size_of_canvas(data: bytes) -> tuple[int, int]:
    if len(data) < 10:
        raise ValueError("the canvas is cut short")
    return 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")


_SIZE_OF_WEBP = {b"VP8 ": _size_of_lossy, b"VP8L": _size_of_lossless, b"VP8X": _size_of_canvas}


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
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:  # stray bytes between segments are passed over by all
        marker = data[at + 1]
        if marker == 0xDA:
            return data.find(b"\xff\xd9", at) >= 0
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
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
