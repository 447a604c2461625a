"""Image header inspection with the decoders' libraries; run by `probe`, in sandbox workers only.

No pixels are decoded, except for a JPEG without an end marker, but opening a file is attack surface enough: false
lengths, a million segments, tables as long as the file. TIFF and HEIF are read by the core's modules; JPEG, PNG and
WebP are not, because the core copies or decodes more of them than a header needs.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from PIL import GifImagePlugin, Image, JpegImagePlugin
from pillow_heif import as_plugin

from stylizer.images import boxes, jpeg, tiff
from stylizer.images.signatures import NotDecoded

_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
# Box header: length 20, type, version and flags 0; width and height follow.
_MAX_TAG_BYTES = 4096  # longer values of a TIFF are those of its pixels
_ISPE = b"\0\0\0\x14ispe\0\0\0\0"


def examine(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Inspect an image header.

    Args:
        request: "media_type", one of `models.MEDIA_TYPES`, and "max_pixels".
        data: The file.

    Returns:
        "size" after applying the orientation, None if the file cannot be opened, and "whole", whether it is complete.
        A size above max_pixels may be that of a component image. "unsupported" describes a complete file of a kind that
        is not decoded. The body is empty.
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
    except NotDecoded as error:
        return {"size": None, "whole": True, "unsupported": str(error)}, b""
    except Exception:  # Decoders raise almost any exception type.
        return {"size": None, "whole": False}, b""


def _promised_sizes(media_type: str, data: bytes) -> Iterator[tuple[int, int]]:
    """Yield sizes for which libraries would allocate memory, or reject the file, before reporting them."""
    if media_type in ("image/avif", "image/heic"):
        at = data.find(_ISPE)
        while at >= 0:
            sides = data[at + len(_ISPE) : at + len(_ISPE) + 8]
            if len(sides) == 8:
                yield struct.unpack(">II", sides)
            at = data.find(_ISPE, at + 1)


def _upright_size(media_type: str, data: bytes) -> tuple[int, int]:
    if media_type == "image/tiff":
        file = tiff.read(data, _MAX_TAG_BYTES)
        if file is None:
            raise ValueError("no directory with a size")
        size = file.number(tiff.WIDTH, 0), file.number(tiff.HEIGHT, 0)
        return size[::-1] if file.number(tiff.ORIENTATION, 1) in _SIDEWAYS else size
    image = _OPENERS[media_type](data)
    width, height = image.size
    try:
        # Not PngImageFile.getexif, which decodes the pixels to reach the chunks behind them.
        sideways = Image.Image.getexif(image).get(_ORIENTATION) in _SIDEWAYS
    except MemoryError:
        raise
    except Exception:  # Unreadable metadata: treat as upright.
        sideways = False
    return (height, width) if sideways else (width, height)


class _Header(Image.Image):
    """An image with only a size and the metadata that may contain its orientation."""

    def __init__(self, size: tuple[int, int], metadata: dict[str | tuple[int, int], Any]):
        super().__init__()
        self._size = size
        self.info = metadata


def _open_avif(data: bytes) -> Image.Image:
    image, properties = boxes.open_avif(data)
    left, top, right, bottom = properties.crop or (0, 0, *image.size)
    return _Header((right - left, bottom - top), image.info)


def _open_jpeg(data: bytes) -> Image.Image:
    """Parse a JPEG header. Not with Pillow, which rejects a file with truncated metadata."""
    size, metadata = None, dict[str | tuple[int, int], Any]()
    for marker, start, end in _jpeg_segments(data):
        body = data[start:end]
        if marker in _FRAMES and len(body) >= 6:
            height, width = struct.unpack_from(">HH", body, 1)
            size = width, height
        elif marker == 0xE1 and body.startswith(_EXIF):
            metadata["exif"] = metadata["exif"] + body[6:] if "exif" in metadata else body
        elif marker == 0xE1 and body.startswith(_XMP):
            metadata["xmp"] = body[len(_XMP) :]
    if size is None:
        raise ValueError("no frame")
    return _Header(size, metadata)


_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PNG_XMP, _PNG_EXIF = b"XML:com.adobe.xmp\0\0", b"Raw profile type exif\0"
_MOST_UNPACKED = 2**20
_MOST_AT_HALF_SIZE = 50_000_000


def _open_png(data: bytes) -> Image.Image:
    """Parse a PNG header. Not with Pillow, which rejects a file with damaged or large metadata."""
    header, metadata = b"", dict[str | tuple[int, int], Any]()
    for at, length, name in _png_chunks(data):
        body = data[at + 8 : at + 8 + length]
        if name == b"IHDR":
            header = body
        if name not in (b"eXIf", b"iTXt", b"tEXt", b"zTXt"):
            continue
        if zlib.crc32(data[at + 4 : at + 8 + length]) != int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        ):
            continue
        if name == b"eXIf":
            metadata.setdefault("exif", _EXIF + body)
        elif name == b"iTXt" and body.startswith(_PNG_XMP):
            metadata.setdefault("xmp", body[len(_PNG_XMP) + 1 :].split(b"\0", 2)[-1])
        elif body.startswith(_PNG_EXIF):
            text = body[len(_PNG_EXIF) :]
            if name == b"zTXt":
                with suppress(zlib.error):
                    text = zlib.decompressobj().decompress(text[1:], _MOST_UNPACKED)
            metadata.setdefault("Raw profile type exif", text.decode("latin-1"))
    width, height, depth, kind = struct.unpack_from(">IIBB", header)
    if depth not in _DEPTHS.get(kind, ()):
        raise ValueError("samples that no PNG has")
    return _Header((width, height), metadata)


def _open_webp(data: bytes) -> Image.Image:
    """Parse a WebP header. Not with libwebp, which allocates two full frames to open a file."""
    chunks: dict[bytes, bytes] = {}
    first, at = data[12:16], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        name = data[at : at + 4]
        if name in (first, b"EXIF", b"XMP ") and name not in chunks:
            chunks[name] = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    metadata: dict[str | tuple[int, int], Any] = {}
    metadata |= {key: chunks[name] for name, key in ((b"EXIF", "exif"), (b"XMP ", "xmp")) if name in chunks}
    return _Header(_SIZE_OF_WEBP[first](chunks[first]), metadata)


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


_OPENERS: dict[str, Callable[[bytes], Image.Image]] = {
    "image/jpeg": _open_jpeg,
    "image/png": _open_png,
    "image/webp": _open_webp,
    "image/avif": _open_avif,
    "image/gif": lambda data: GifImagePlugin.GifImageFile(io.BytesIO(data)),
    "image/heic": lambda data: as_plugin.HeifImageFile(io.BytesIO(data)),  # type: ignore[no-untyped-call]
}


def _is_whole(media_type: str, data: bytes) -> bool:
    """Return whether the file is complete, for formats that show this without decoding."""
    if media_type == "image/jpeg":
        return _jpeg_has_end(data)
    if media_type == "image/png":
        return _png_chunks_fit(data)
    if media_type == "image/webp":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return True


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment's contents, up to the first scan."""
    at = 2
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:  # decoders skip stray bytes between segments
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
            yield marker, at + 4, end
            if marker == 0xDA:
                return
            at = end


def _jpeg_has_end(data: bytes) -> bool:
    """Return whether an EOI marker (FF D9) follows the first scan, or nothing but that marker is missing."""
    scan = next((start for marker, start, _ in _jpeg_segments(data) if marker == 0xDA), None)
    return scan is not None and (data.find(b"\xff\xd9", scan) >= 0 or _lacks_only_its_end(data.rstrip(b"\xff")))


def _lacks_only_its_end(data: bytes) -> bool:
    """Decode at reduced size with two different tails: the results differ if image data is missing."""
    if not jpeg.has_all_scans(data):
        return False
    filling = b"\x5a\xa5\x33\xc7" * 60
    restarts = b"".join(b"\xff" + bytes([0xD0 + n % 8]) + filling for n in range(16))
    found = set()
    for behind in (b"", filling + restarts):
        try:
            image = JpegImagePlugin.JpegImageFile(io.BytesIO(data + behind + b"\xff\xd9"))
            divisor = 8 if image.width * image.height > _MOST_AT_HALF_SIZE else 2
            image.draft(None, (max(1, image.width // divisor), max(1, image.height // divisor)))
            image.load()
        except MemoryError:
            raise
        except Exception:  # The painter repairs what Pillow rejects, and decides.
            return True
        found.add(hashlib.sha256(image.tobytes()).digest())
    return len(found) == 1


def _png_chunks_fit(data: bytes) -> bool:
    end, has_pixels = 8, False
    for at, length, name in _png_chunks(data):
        is_metadata = name[0] & 0x20 != 0
        if name == b"IEND" or (is_metadata and has_pixels and at + 12 + length > len(data)):
            return True
        has_pixels |= name == b"IDAT"
        end = at + 12 + length
    # All announced data without an IEND: decoders accept it.
    return end == len(data)


def _png_chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield offset, declared data length and name of each chunk."""
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield at, length, data[at + 4 : at + 8]
        at += 12 + length
