"""Segments of a JPEG file (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

DHT, DAC, EOI, SOS, DQT, DRI = 0xC4, 0xCC, 0xD9, 0xDA, 0xDB, 0xDD
APP0, APP1, APP2, APP14 = 0xE0, 0xE1, 0xE2, 0xEE
SOF = {*range(0xC0, 0xD0)} - {DHT, 0xC8, DAC}
SOF_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, EOI + 1)}
_MARKER = re.compile(rb"\xff[^\xff]", re.DOTALL)  # further FFs before a marker are fill bytes
# Within entropy-coded data, FF is followed by a stuffed 0 or by a restart marker.
_MARKER_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


class Segment(NamedTuple):
    """A marker with its parameters.

    Attributes:
        marker: The second byte of the marker.
        skipped_bytes: Number of bytes before the marker that belong to no segment; decoders skip them.
        start: Offset of the marker.
        payload: Offset of the parameters, after marker and length.
        end: Offset after the parameters; past the end of a truncated file.
    """

    marker: int
    skipped_bytes: int
    start: int
    payload: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments up to EOI. Data after EOI is not part of the image, such as the video of a motion photo."""
    at, in_scans = 2, False
    while found := (_MARKER_AFTER_SCAN if in_scans else _MARKER).search(data, at):
        start, payload = found.span()
        marker, end = data[payload - 1], payload
        if marker not in _WITHOUT_LENGTH:
            end += max(2, int.from_bytes(data[payload : payload + 2], "big"))
            payload += 2
        yield Segment(marker, 0 if in_scans else start - at, start, payload, end)
        if marker == EOI:
            return
        in_scans |= marker == SOS
        at = end
