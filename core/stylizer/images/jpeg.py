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

from stylizer.images.signatures import NotDecoded

_EXIF = b"Exif\0\0"
_END, _SCAN = 0xD9, 0xDA
_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}  # markers without a length
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_LOSSLESS = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}  # or hierarchical
_PROGRESSIVE = {0xC2, 0xCA}
_MOST_AT_FULL_SIZE = 50_000_000
_TABLES = {0xC4, 0xCC, 0xDB, 0xDD}
# Application segments that are kept: prefix and minimum length.
_KEPT = (
    (0xE0, b"JFIF\0", 12),
    (0xE1, b"http://ns.adobe.com/xap/1.0/\0", 30),
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


def reduce(data: bytes) -> Jpeg:
    """Split a JPEG file into its image and its EXIF.

    Raises:
        NotDecoded: 12 bits per sample, lossless or hierarchical.
        ValueError: The file is truncated within the image.
    """
    parts, exif, at = [b"\xff\xd8"], b"", 2
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:  # stray bytes between segments are skipped
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker == _END:
            break
        end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        if marker == _SCAN:
            parts.append(data[at:])
            whole = b"".join(parts)
            return Jpeg(whole if data.find(b"\xff\xd9", at) >= 0 else _with_end(whole), exif)
        if marker == 0xE1 and data.startswith(_EXIF, at + 4):
            exif += data[at + 4 + len(_EXIF) * bool(exif) : end]  # a long one comes in pieces
        elif _is_needed(marker, data[at + 4 : end]):
            parts.append(data[at:end])
        at = end
    return Jpeg(data, exif)  # no image in it, which Pillow reports better


def _is_needed(marker: int, body: bytes) -> bool:
    if marker in _FRAMES:
        if marker in _LOSSLESS:
            raise NotDecoded("a lossless or hierarchical JPEG")
        if body[:1] not in (b"\x08", b""):
            raise NotDecoded(f"a JPEG of {body[0]} bits a sample")
        return True
    if marker in _TABLES:
        return True
    return any(marker == kind and body.startswith(name) and len(body) >= least for kind, name, least in _KEPT)


def _with_end(data: bytes) -> bytes:
    """Return the file with EOI appended if only that is missing.

    Decoders make up missing data. If none is missing, the pixels do not depend on the bytes after the data.
    """
    data = data.rstrip(b"\xff")
    if not has_all_scans(data):
        raise ValueError("its end is missing")
    pictures = [_pixels(data + filling + b"\xff\xd9") for filling in (b"", *_FILLINGS)]
    if any(picture != pictures[0] for picture in pictures):
        raise ValueError("its end is missing")
    return data + b"\xff\xd9"


def _pixels(data: bytes) -> bytes:
    """Return a digest of the pixels."""
    with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
        if image.width * image.height > _MOST_AT_FULL_SIZE:
            image.draft(None, (image.width // 2, image.height // 2))
        image.load()
        return hashlib.sha256(image.tobytes()).digest()


def has_all_scans(data: bytes) -> bool:
    """Return whether every component has its coefficients in full precision.

    A sequential component comes in one scan; a progressive one has scans for spectral bands and for single bits (T.81,
    G.1.1.1).
    """
    components: dict[int, set[int]] = {}
    at, is_progressive = 2, False
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 3:
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        body = data[at + 4 : at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))]
        if marker in _FRAMES and len(body) >= 6:
            is_progressive = marker in _PROGRESSIVE
            components = {body[6 + 3 * n]: set() for n in range(min(body[5], (len(body) - 6) // 3))}
        elif marker == _SCAN and body and len(body) >= 4 + 2 * body[0]:
            first, last, bits = struct.unpack_from("BBB", body, 1 + 2 * body[0])
            if not is_progressive or bits & 15 == 0:
                for n in range(body[0]):
                    components.get(body[1 + 2 * n], set()).update(range(first, min(last, 63) + 1))
        at += 4 + len(body)
    return bool(components) and all(found >= set(range(64)) for found in components.values())
