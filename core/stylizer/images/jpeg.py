"""Normalization of JPEG files: drop segments that decoding does not need, and append a missing EOI.

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

from stylizer.images.jpeg_segments import (
    APP0,
    APP1,
    APP2,
    APP14,
    DAC,
    DHT,
    DQT,
    DRI,
    EXIF,
    SOF,
    SOF_PROGRESSIVE,
    SOS,
    XMP,
    segments,
)
from stylizer.images.limits import DEFAULT_LIMITS
from stylizer.images.signatures import NotDecoded

_EOI = b"\xff\xd9"
_LOSSLESS = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}  # or hierarchical
_TABLES = {DHT, DAC, DQT, DRI}
# Application segments that are kept: marker, signature and minimum length.
_KEPT = (
    (APP0, b"JFIF\0", 12),
    (APP1, XMP, 30),
    (APP2, b"ICC_PROFILE\0", 15),
    (APP14, b"Adobe", 12),
)
# Bytes to put after truncated scan data: no markers but restarts, and unlike any real data.
_RESTARTS = b"".join(b"\xff" + bytes([0xD0 + n % 8]) + b"\x5a\xa5\x33" * 40 for n in range(16))
_FILLINGS = tuple(
    b"".join(hashlib.sha256(bytes([seed, n])).digest() for n in range(16)).replace(b"\xff", b"\xfe") + suffix
    for seed, suffix in enumerate((b"", _RESTARTS))
)


class Jpeg(NamedTuple):
    """A normalized JPEG file that ends with EOI, and its EXIF block, empty if there is none."""

    data: bytes
    exif: bytes


def reduce(data: bytes, *, divisor: int = 1) -> Jpeg:
    """Split a JPEG file into its image and its EXIF.

    Args:
        data: The file.
        divisor: 2 to look for missing data in a reduced image only, which is cheaper and finds less. Ignored unless
            EOI is missing.

    Raises:
        NotDecoded: 12 bits per sample, lossless or hierarchical.
        ValueError: The file is truncated within the image.
    """
    view, parts, exif = memoryview(data), [memoryview(b"\xff\xd8")], b""
    for marker, _, start, payload, end in segments(data):
        if marker == SOS:
            whole = b"".join([*parts, view[start:]])
            return Jpeg(whole if data.find(_EOI, start) >= 0 else _with_end(whole, divisor), exif)
        if marker == APP1 and data.startswith(EXIF, payload):
            exif += data[payload + len(EXIF) * bool(exif) : end]  # a block above 64 KiB is split
        elif _is_needed(marker, data[payload:end]):
            parts.append(view[start:end])
    return Jpeg(data, exif)  # no scan; Pillow reports it better


def _is_needed(marker: int, payload: bytes) -> bool:
    if marker in SOF:
        if marker in _LOSSLESS:
            raise NotDecoded("a lossless or hierarchical JPEG")
        if payload[:1] not in (b"\x08", b""):
            raise NotDecoded(f"a JPEG of {payload[0]} bits a sample")
        return True
    if marker in _TABLES:
        return True
    return any(marker == kind and payload.startswith(name) and len(payload) >= least for kind, name, least in _KEPT)


def _with_end(data: bytes, divisor: int) -> bytes:
    """Return the file with EOI appended if only that is missing.

    Decoders fill in missing data. If none is missing, the pixels do not depend on the bytes after the data.
    """
    data = data.rstrip(b"\xff")
    if not has_all_scans(data):
        raise ValueError("its end is missing")
    digests = {_digest_pixels(data + filling + _EOI, divisor) for filling in (b"", *_FILLINGS)}
    if len(digests) > 1:
        raise ValueError("its end is missing")
    return data + _EOI


def _digest_pixels(data: bytes, divisor: int) -> bytes:
    """Return a digest of the pixels, decoded at 1/divisor of the size, or less for a large photo."""
    with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
        if image.width * image.height > DEFAULT_LIMITS.max_pixels:
            divisor = 8 if divisor > 1 else 2
        if divisor > 1:
            image.draft(None, (max(1, image.width // divisor), max(1, image.height // divisor)))
        image.load()
        return hashlib.sha256(image.tobytes()).digest()


def has_all_scans(data: bytes) -> bool:
    """Return whether the scans hold all DCT coefficients of every component, in full precision.

    A sequential component has one scan; a progressive one has scans for spectral bands and for successive approximation
    (T.81, G.1.1.1).
    """
    components: dict[int, set[int]] = {}
    is_progressive = False
    for segment in segments(data):
        payload = data[segment.payload : segment.end]
        if segment.marker in SOF and len(payload) >= 6:
            is_progressive = segment.marker in SOF_PROGRESSIVE
            components = {payload[6 + 3 * n]: set() for n in range(min(payload[5], (len(payload) - 6) // 3))}
        elif segment.marker == SOS and payload and len(payload) >= 4 + 2 * payload[0]:
            first, last, bits = struct.unpack_from("BBB", payload, 1 + 2 * payload[0])
            if not is_progressive or bits & 15 == 0:
                for n in range(payload[0]):
                    components.get(payload[1 + 2 * n], set()).update(range(first, min(last, 63) + 1))
    return bool(components) and all(found >= set(range(64)) for found in components.values())
