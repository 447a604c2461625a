"""TIFF directory parsing: size, orientation, and whether the file is a camera raw."""

from __future__ import annotations

import struct

RAW_PHOTO = "a raw photo, as a camera stores it before developing"
_SIZES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 256, 257, 259, 262, 274
_SUB_DIRECTORIES, _DNG_VERSION = 330, 50706
_READ = {_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _SUB_DIRECTORIES, _DNG_VERSION}
_OF_SENSORS = (32803, 34892)  # photometric interpretations: color filter array, linear raw
_RAW_COMPRESSIONS = (32767, 32770, 34713, 65000, 65535)  # Sony, Samsung, Nikon, Kodak, Pentax
_MOST_TAGS, _MOST_DIRECTORIES, _MOST_VALUES = 4096, 20, 64


def read(data: bytes) -> tuple[tuple[int, int], int, bool]:
    """Return the stored size, the orientation, and whether any directory holds raw sensor data.

    Raises:
        ValueError: No directory has a size.
    """
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    size, orientation, is_raw = None, 1, data.startswith(b"CR\x02", 8)
    waiting, seen = [_number(data, order, is_big, 8 if is_big else 4)], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen or not at:
            continue
        seen.add(at)
        try:
            tags, following = _directory(data, order, is_big, at)
        except (struct.error, OverflowError):
            continue
        if size is None and _WIDTH in tags and _HEIGHT in tags:
            size = tags[_WIDTH][0], tags[_HEIGHT][0]
            orientation = tags.get(_ORIENTATION, (1,))[0]
        is_sensor = tags.get(_PHOTOMETRIC, (0,))[0] in _OF_SENSORS
        is_raw |= is_sensor or tags.get(_COMPRESSION, (1,))[0] in _RAW_COMPRESSIONS or _DNG_VERSION in tags
        waiting += [following, *tags.get(_SUB_DIRECTORIES, ())]
    if size is None:
        raise ValueError("no directory with a size")
    return size, orientation, is_raw


def _number(data: bytes, order: str, is_big: bool, at: int) -> int:
    number: int = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", data, at)[0]
    return number


def _directory(data: bytes, order: str, is_big: bool, at: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """Return the tags in `_READ` and the offset of the next directory (0: none)."""
    number, entry, inline = (f"{order}Q", f"{order}HHQ", 8) if is_big else (f"{order}H", f"{order}HHI", 4)
    (count,) = struct.unpack_from(number, data, at)
    at += struct.calcsize(number)
    tags: dict[int, tuple[int, ...]] = {}
    for _ in range(min(count, _MOST_TAGS)):
        tag, kind, values = struct.unpack_from(entry, data, at)
        at += struct.calcsize(entry)
        length = _SIZES.get(kind, 0) * values
        start = at if length <= inline else _number(data, order, is_big, at)
        at += inline
        if tag in _READ and length and start + length <= len(data):
            tags.setdefault(tag, struct.unpack_from(f"{order}{min(values, _MOST_VALUES)}{_CODES[kind]}", data, start))
    has_next = len(data) >= at + inline
    return tags, _number(data, order, is_big, at) if has_next else 0
