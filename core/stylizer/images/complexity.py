"""Limits on the number of parts of a file: far more than real images have indicate a denial-of-service attack.

Libraries parse a file part by part, and some keep or copy data for each. Millions of parts fit into a file of the
accepted size: opening it would take minutes to hours, or gigabytes. Counting the parts takes at most 0.1 s.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator

from stylizer.errors import CorruptImage
from stylizer.images.jpeg_segments import APP1, EXIF, SOS, segments
from stylizer.images.limits import noun

# Real images have far fewer: a JPEG of the maximum file size has 512 segments of 64 KiB, a tiled phone photo a few
# hundred items, a scan one strip per row.
_MAX_SEGMENTS = 1_000
_MAX_EXIF_SEGMENTS = 100  # Pillow appends each to a copy of all before: quadratic time
_MAX_SKIPPED_BYTES = 2**16
_MAX_SCANS = 100
_MAX_CHUNKS = 1_000
_MAX_DATA_CHUNKS = 100_000
_MAX_BLOCKS = 100_000
_MAX_PROFILES = 10  # each may inflate to a megabyte; real images have one
_MAX_STRIPS = 250_000
_MAX_ITEMS = 5_000


class _TooMany(Exception):
    """The file has more parts than a real image."""


def check_complexity(data: bytes, name: str, field: str) -> None:
    """Raise CorruptImage for a file with more parts than any real image has.

    Args:
        data: The file.
        name: Its format, such as "jpeg".
        field: The input it came in, for the error.
    """
    check = _CHECKS.get(name)
    if check is None:
        return
    try:
        check(data)
    except _TooMany as error:
        raise CorruptImage(f"{noun(field)} is broken: it is made of {error}", field=field) from error
    except (struct.error, IndexError, OverflowError):
        return  # truncated, or offsets out of bounds; the decoder reports that better


def _check(count: int, most: int, what: str) -> None:
    if count > most:
        raise _TooMany(f"more than {most:,} {what}")


def _check_jpeg(data: bytes) -> None:
    skipped, counts = 0, Counter[str]()
    for segment in segments(data):
        skipped += segment.skipped_bytes
        counts["segments"] += 1
        counts["scans"] += segment.marker == SOS
        counts["EXIF segments"] += segment.marker == APP1 and data.startswith(EXIF, segment.payload)
        _check(skipped, _MAX_SKIPPED_BYTES, "bytes between its segments")
        _check(counts["EXIF segments"], _MAX_EXIF_SEGMENTS, "EXIF segments")
        _check(counts["scans"], _MAX_SCANS, "scans")
        _check(counts["segments"], _MAX_SEGMENTS, "segments")


def _check_png(data: bytes) -> None:
    at, others, pixels, profiles = 8, 0, 0, 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name in (b"IDAT", b"fdAT", b"fcTL"):
            pixels += 1
        else:
            others += 1
            profiles += name == b"iCCP"
        _check(profiles, _MAX_PROFILES, "profiles")
        _check(others, _MAX_CHUNKS, "chunks")
        _check(pixels, _MAX_DATA_CHUNKS, "chunks of image data")
        at += 12 + length


def _check_gif(data: bytes) -> None:
    """Count the blocks before the first image; later ones are never read."""
    at = 13 + palette_bytes(data[10])
    blocks = 0
    while data[at] == 0x21:
        at += 2
        length = 1
        while length:
            length = data[at]
            at += 1 + length
            blocks += 1
            _check(blocks, _MAX_BLOCKS, "blocks")


def palette_bytes(flags: int) -> int:
    """Return the length of a GIF's color table by the flags before it."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _check_tiff(data: bytes) -> None:
    for tag, count in _first_directory(data):
        if tag in (273, 279, 324, 325):  # offsets and lengths of strips and tiles
            _check(count, _MAX_STRIPS, "strips or tiles")


def _first_directory(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the tags of the first directory with their value counts."""
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    (at,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", data, 8 if is_big else 4)
    number, entry = (f"{order}Q", f"{order}HHQ8x") if is_big else (f"{order}H", f"{order}HHI4x")
    (tags,) = struct.unpack_from(number, data, at)
    _check(tags, 2**16, "tags")
    for index in range(tags):
        tag, _, count = struct.unpack_from(entry, data, at + struct.calcsize(number) + index * struct.calcsize(entry))
        yield tag, count


def _check_boxes(data: bytes) -> None:
    _check(data.count(b"infe"), _MAX_ITEMS, "items")
    _check(data.count(b"ispe"), _MAX_ITEMS, "sizes")


_CHECKS: dict[str, Callable[[bytes], None]] = {
    "jpeg": _check_jpeg,
    "png": _check_png,
    "gif": _check_gif,
    "tiff": _check_tiff,
    "avif": _check_boxes,
    "heic": _check_boxes,
}
