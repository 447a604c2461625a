"""Normalization of JPEG files: keep only the segments that make up the image, and complete a missing end.

Pillow reads every segment before the first scan, and rejects the file for a short one or for broken EXIF. libjpeg skips
such segments (ITU-T T.81, annex B); so does this module, which keeps those needed for decoding and color, and separates
EXIF.
"""

from __future__ import annotations

import hashlib
import io
import struct
from typing import NamedTuple

from PIL import JpegImagePlugin

from stylizer.images.jpeg_segments import APP1, EXIF, FRAMES, PROGRESSIVE_FRAMES, SCAN, XMP, segments
from stylizer.images.limits import DEFAULT_LIMITS
from stylizer.images.signatures import NotDecoded

_EOI = b"\xff\xd9"
_LOSSLESS = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}  # or hierarchical
_TABLES = {0xC4, 0xCC, 0xDB, 0xDD}
# Application segments that are kept: prefix and minimum length.
_KEPT = (
    (0xE0, b"JFIF\0", 12),
    (APP1, XMP, 30),
    (0xE2, b"ICC_PROFILE\0", 15),
    (0xEE, b"Adobe", 12),
)
# Replacement for missing scan data: no markers but restarts, and unlike any real data.
_RESTARTS = b"".join(b"\xff" + bytes([0xD0 + n % 8]) + b"\x5a\xa5\x33" * 40 for n in range(16))
_FILLINGS = tuple(
    b"".join(hashlib.sha256(bytes([seed, n])).digest() for n in range(16)).replace(b"\xff", b"\xfe") + behind
    for seed, behind in enumerate((b"", _RESTARTS))
)


class Jpeg(NamedTuple):
    """A JPEG file with only the image's segments, and with an EOI; and its EXIF block, empty if there is none."""

    data: bytes
    exif: bytes


def reduce(data: bytes, *, divisor: int = 1) -> Jpeg:
    """Split a JPEG file into its image and its EXIF.

    Args:
        data: The file.
        divisor: 2 to compare only a reduced image where EOI is missing, which is cheaper and finds less.

    Raises:
        NotDecoded: 12 bits per sample, lossless or hierarchical.
        ValueError: The file is truncated within the image.
    """
    view, parts, exif = memoryview(data), [memoryview(b"\xff\xd8")], b""
    for marker, _, start, body, end in segments(data):
        if marker == SCAN:
            whole = b"".join([*parts, view[start:]])
            return Jpeg(whole if data.find(_EOI, start) >= 0 else _with_end(whole, divisor), exif)
        if marker == APP1 and data.startswith(EXIF, body):
            exif += data[body + len(EXIF) * bool(exif) : end]  # a long one comes in pieces
        elif _is_needed(marker, data[body:end]):
            parts.append(view[start:end])
    return Jpeg(data, exif)  # no image in it, which Pillow reports better


def _is_needed(marker: int, body: bytes) -> bool:
    if marker in FRAMES:
        if marker in _LOSSLESS:
            raise NotDecoded("a lossless or hierarchical JPEG")
        if body[:1] not in (b"\x08", b""):
            raise NotDecoded(f"a JPEG of {body[0]} bits a sample")
        return True
    if marker in _TABLES:
        return True
    return any(marker == kind and body.startswith(name) and len(body) >= least for kind, name, least in _KEPT)


def _with_end(data: bytes, divisor: int) -> bytes:
    """Return the file with EOI appended if only that is missing.

    Decoders make up missing data. If none is missing, the pixels do not depend on the bytes after the data.
    """
    data = data.rstrip(b"\xff")
    if not has_all_scans(data):
        raise ValueError("its end is missing")
    pictures = {_pixels(data + filling + _EOI, divisor) for filling in (b"", *_FILLINGS)}
    if len(pictures) > 1:
        raise ValueError("its end is missing")
    return data + _EOI


def _pixels(data: bytes, divisor: int) -> bytes:
    """Return a digest of the pixels, with sides divided by `divisor`, and further for a large photo."""
    with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
        if image.width * image.height > DEFAULT_LIMITS.max_pixels:
            divisor = 8 if divisor > 1 else 2
        if divisor > 1:
            image.draft(None, (max(1, image.width // divisor), max(1, image.height // divisor)))
        image.load()
        return hashlib.sha256(image.tobytes()).digest()


def has_all_scans(data: bytes) -> bool:
    """Return whether every component has its coefficients in full precision.

    A sequential component comes in one scan; a progressive one has scans for spectral bands and for single bits (T.81,
    G.1.1.1).
    """
    components: dict[int, set[int]] = {}
    is_progressive = False
    for segment in segments(data):
        body = data[segment.body : segment.end]
        if segment.marker in FRAMES and len(body) >= 6:
            is_progressive = segment.marker in PROGRESSIVE_FRAMES
            components = {body[6 + 3 * n]: set() for n in range(min(body[5], (len(body) - 6) // 3))}
        elif segment.marker == SCAN and body and len(body) >= 4 + 2 * body[0]:
            first, last, bits = struct.unpack_from("BBB", body, 1 + 2 * body[0])
            if not is_progressive or bits & 15 == 0:
                for n in range(body[0]):
                    components.get(body[1 + 2 * n], set()).update(range(first, min(last, 63) + 1))
    return bool(components) and all(found >= set(range(64)) for found in components.values())
