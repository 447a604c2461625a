"""Readers of the upright size and the completeness of an image file, without decoding pixels or importing NumPy.

Only of a JPEG without EOI are pixels decoded, at reduced size. JPEG, PNG and WebP are not opened by Pillow, which
rejects files with damaged metadata, decodes a PNG to reach its last chunks, and has libwebp allocate two full frames.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

from PIL import ExifTags, GifImagePlugin, Image

from stylizer.images import boxes, jpeg, tiff, webp
from stylizer.images.jpeg_segments import APP1, EXIF, SOF, SOS, XMP, segments
from stylizer.images.png_chunks import SIGNATURE, chunks, collect_metadata, is_intact

_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_MAX_TAG_BYTES = 4096  # longer TIFF values belong to the pixel data
_PNG_BIT_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_Metadata = dict[str | tuple[int, int], Any]


def read_size(data: bytes, name: str) -> tuple[int, int]:
    """Return (width, height) of the upright image.

    Args:
        data: The file.
        name: Its format, such as "jpeg".

    Raises:
        Exception: The file is broken; decoders raise almost any type.
    """
    return _READERS[name](data)


def is_complete(data: bytes, name: str) -> bool:
    """Return whether the file is complete; True for formats that do not tell without decoding.

    Raises:
        NotDecoded: The variant of the format is not supported.
        Exception: The file is broken.
    """
    if name == "jpeg":
        try:
            jpeg.reduce(data, divisor=2)
        except ValueError:
            return False
        return any(segment.marker == SOS for segment in segments(data))
    if name == "png":
        return _has_all_png_chunks(data)
    if name == "webp":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return True


def orientation_of(image: Image.Image) -> object:
    """Return the EXIF orientation; None if missing or unreadable."""
    try:
        # PngImageFile.getexif would decode the pixels to reach the chunks after them.
        return Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:
        return None


def upright(size: tuple[int, int], orientation: object) -> tuple[int, int]:
    """Return (width, height) after applying an EXIF orientation."""
    return size[::-1] if orientation in _SIDEWAYS else size


class _MetadataImage(Image.Image):
    """Image without pixels, for Pillow to parse the orientation from its metadata."""

    def __init__(self, metadata: _Metadata):
        super().__init__()
        self.info = metadata


def _upright_by(size: tuple[int, int], metadata: _Metadata) -> tuple[int, int]:
    return upright(size, orientation_of(_MetadataImage(metadata)))


def _read_jpeg(data: bytes) -> tuple[int, int]:
    size, metadata = None, _Metadata()
    for marker, _, _, payload, end in segments(data):
        if marker == SOS:
            break
        parameters = data[payload:end]
        if marker in SOF and len(parameters) >= 6:
            height, width = struct.unpack_from(">HH", parameters, 1)
            size = width, height
        elif marker == APP1 and parameters.startswith(EXIF):
            metadata["exif"] = metadata["exif"] + parameters[len(EXIF) :] if "exif" in metadata else parameters
        elif marker == APP1 and parameters.startswith(XMP):
            metadata["xmp"] = parameters[len(XMP) :]
    if size is None:
        raise ValueError("no frame header")
    return _upright_by(size, metadata)


def _read_png(data: bytes) -> tuple[int, int]:
    header, metadata = b"", _Metadata()
    for name, start, end in chunks(data):
        if name == b"IHDR":
            header = data[start + 8 : end - 4]
        elif name in (b"eXIf", b"iTXt", b"tEXt", b"zTXt") and is_intact(data, start, end):
            collect_metadata(metadata, name, data[start + 8 : end - 4])
    width, height, bit_depth, color_type = struct.unpack_from(">IIBB", header)
    if bit_depth not in _PNG_BIT_DEPTHS.get(color_type, ()):
        raise ValueError("invalid combination of bit depth and color type")
    return _upright_by((width, height), metadata)


def _has_all_png_chunks(data: bytes) -> bool:
    last_end, has_pixels = len(SIGNATURE), False
    for name, _, end in chunks(data):
        is_metadata = name[0] & 0x20 != 0
        if name == b"IEND" or (is_metadata and has_pixels and end > len(data)):
            return True
        has_pixels |= name == b"IDAT"
        last_end = end
    # Decoders accept a file whose only missing chunk is IEND.
    return last_end == len(data)


def _read_webp(data: bytes) -> tuple[int, int]:
    first, metadata, at = data[12:16], _Metadata(), 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        if name in (b"EXIF", b"XMP "):
            metadata.setdefault(name.decode().strip().lower(), data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return _upright_by(webp.read_chunk_size(first, data, 20), metadata)


def _read_tiff(data: bytes) -> tuple[int, int]:
    file = tiff.read(data, _MAX_TAG_BYTES)
    if file is None:
        raise ValueError("no image file directory with a size")
    return upright((file.number(tiff.WIDTH, 0), file.number(tiff.HEIGHT, 0)), file.number(tiff.ORIENTATION, 1))


def _read_avif(data: bytes) -> tuple[int, int]:
    image, properties = boxes.open_avif(data)
    left, top, right, bottom = properties.crop or (0, 0, *image.size)
    return upright((right - left, bottom - top), orientation_of(image))


def _read_gif(data: bytes) -> tuple[int, int]:
    return GifImagePlugin.GifImageFile(io.BytesIO(data)).size


def _read_heic(data: bytes) -> tuple[int, int]:
    from pillow_heif import as_plugin  # optional

    image: Image.Image = as_plugin.HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
    return upright(image.size, orientation_of(image))


_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "jpeg": _read_jpeg,
    "png": _read_png,
    "webp": _read_webp,
    "avif": _read_avif,
    "tiff": _read_tiff,
    "gif": _read_gif,
    "heic": _read_heic,
}
