"""AVIF box parsing for what libavif does not report: clean aperture and rotation (ISO/IEC 23008-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

_MOST_BOXES = 20_000
_Box = tuple[bytes, bytes]


def read(data: bytes) -> tuple[dict[bytes, bytes], bool]:
    """Return the properties of the primary item by type, and whether an auxiliary image lacks its size (ispe).

    libavif rejects a file whose alpha image lacks it; the painter adds it.
    """
    found: dict[bytes, bytes] = {}
    lacks_size = False
    with suppress(struct.error, IndexError):
        meta = next((body for kind, body in _boxes(data) if kind == b"meta"), b"")
        primary, properties, associations = 0, list[_Box](), dict[int, list[int]]()
        for kind, body in _boxes(meta[4:]):
            if kind == b"pitm":
                (primary,) = struct.unpack_from(">I" if body[0] else ">H", body, 4)
            elif kind == b"iprp":
                for part, inner in _boxes(body):
                    if part == b"ipco":
                        properties = list(_boxes(inner))
                    elif part == b"ipma":
                        associations |= _associations(inner)
        for item, indices in associations.items():
            of_item = [properties[index - 1] for index in indices if 0 < index <= len(properties)]
            kinds = {kind for kind, _ in of_item}
            lacks_size |= b"auxC" in kinds and b"ispe" not in kinds
            if item == primary:
                found = dict(reversed(of_item))  # the first of a type wins
    return found, lacks_size and sum(8 + len(body) for _, body in _boxes(data)) == len(data)


def shown_size(properties: dict[bytes, bytes], coded: tuple[int, int]) -> tuple[int, int]:
    """Return the size of the clean aperture (clap) before rotation, or `coded` if there is none."""
    with suppress(struct.error, ZeroDivisionError, KeyError):
        numbers = struct.unpack(">8i", properties[b"clap"][:32])
        width, height, across, down = (Fraction(numbers[at], numbers[at + 1]) for at in range(0, 8, 2))
        left, top = (
            across + Fraction(coded[0] - 1, 2) - (width - 1) / 2,
            down + Fraction(coded[1] - 1, 2) - (height - 1) / 2,
        )
        if min(width, height) >= 1 and min(left, top) >= 0 and left + width <= coded[0] and top + height <= coded[1]:
            return round(left + width) - round(left), round(top + height) - round(top)
    return coded


def is_sideways(properties: dict[bytes, bytes]) -> bool:
    """Return whether the image is rotated by 90 or 270 degrees (irot)."""
    return bool(properties.get(b"irot", b"\0")[0] & 1)


def _associations(body: bytes) -> dict[int, list[int]]:
    is_wide, id_format = body[3] & 1, ">I" if body[0] else ">H"
    (count,) = struct.unpack_from(">I", body, 4)
    found: dict[int, list[int]] = {}
    at = 8
    for _ in range(count):
        (item,) = struct.unpack_from(id_format, body, at)
        at += struct.calcsize(id_format) + 1
        number = body[at - 1]
        indices = struct.unpack_from(f">{number}{'H' if is_wide else 'B'}", body, at)
        at += number * (1 + is_wide)
        found[item] = [index & (0x7FFF if is_wide else 0x7F) for index in indices]
    return found


def _boxes(data: bytes) -> Iterator[_Box]:
    """Yield type and contents of each box in `data`."""
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, body)
            body += 8
        end = len(data) if length == 0 else at + length
        if not body <= end <= len(data):
            return
        yield kind, data[body:end]
        at = end
