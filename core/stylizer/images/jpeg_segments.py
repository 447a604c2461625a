"""Segments of a JPEG file (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

END, SCAN, APP1 = 0xD9, 0xDA, 0xE1
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE_FRAMES = {0xC2, 0xC6, 0xCA, 0xCE}
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, END + 1)}
_MARKER = re.compile(rb"\xff[^\xff]", re.DOTALL)  # further FF before a marker are padding
# In scan data, FF is followed by 0 or by a restart marker.
_MARKER_IN_SCANS = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


class Segment(NamedTuple):
    """A marker with its parameters.

    Attributes:
        marker: The second byte of the marker.
        stray: Number of bytes before it that belong to no segment; decoders skip them.
        start: Offset of the marker.
        body: Offset behind the length; the parameters follow.
        end: Offset behind the parameters, which may lie beyond the file.
    """

    marker: int
    stray: int
    start: int
    body: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments up to EOI. Data after EOI is not part of the image, such as the video of a motion photo."""
    at, in_scans = 2, False
    while found := (_MARKER_IN_SCANS if in_scans else _MARKER).search(data, at):
        start, body = found.span()
        marker, end = data[body - 1], body
        if marker not in _WITHOUT_LENGTH:
            end += max(2, int.from_bytes(data[body : body + 2], "big"))
            body += 2
        yield Segment(marker, 0 if in_scans else start - at, start, body, end)
        if marker == END:
            return
        in_scans |= marker == SCAN
        at = end
