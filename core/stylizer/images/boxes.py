"""Boxes of HEIC and AVIF files that describe the primary image (ISO/IEC 14496-12 and 23008-12)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from PIL import AvifImagePlugin, Image

_MAX_BOXES = 20_000
# A 20-byte box with version and flags 0; width and height follow.
_ISPE = b"\0\0\0\x14ispe\0\0\0\0"


class Box(NamedTuple):
    """A box: its type, and the offsets of its start, of its payload and of its end."""

    type: bytes
    start: int
    payload: int
    end: int


@dataclass(slots=True)
class Properties:
    """Properties of the primary item.

    Attributes:
        nclx: Color primaries and transfer characteristics by ITU-T H.273, of each nclx box.
        size: (width, height) as coded.
        crop: (left, top, right, bottom), from clap; None for no crop.
    """

    nclx: list[tuple[int, int]] = field(default_factory=list)
    size: tuple[int, int] | None = None
    crop: tuple[int, int, int, int] | None = None


@dataclass(slots=True)
class _Meta:
    """Contents of a meta box: the primary item, the property boxes (1-based), and which of them each item has."""

    box: Box
    primary: int = 0
    properties: list[Box] = field(default_factory=list)
    associations: dict[int, list[int]] = field(default_factory=dict)
    associations_box: Box | None = None


def read_properties(data: bytes) -> Properties:
    """Read the properties of the primary item; unreadable ones are skipped."""
    found = Properties()
    with suppress(struct.error, IndexError, ValueError, ZeroDivisionError):
        meta = _read_meta(data)
        if meta is not None:
            clap = None
            for box in _of(meta, meta.primary):
                payload = data[box.payload : box.end]
                if box.type == b"ispe":
                    found.size = struct.unpack_from(">II", payload, 4)
                elif box.type == b"clap":
                    clap = payload
                elif box.type == b"colr" and payload[:4] == b"nclx":
                    primaries, transfer, _, flags = struct.unpack_from(">HHHB", payload, 4)
                    del flags  # the range describes YCbCr, which the decoder has already converted
                    found.nclx.append((primaries, transfer))
            if clap is not None and found.size is not None:
                found.crop = _crop(found.size, struct.unpack(">8i", clap[:32]))
    return found


def _crop(size: tuple[int, int], numbers: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Return the clean aperture, or None unless it covers whole pixels within the image."""
    width, height, across, down = (Fraction(numbers[at], numbers[at + 1]) for at in range(0, 8, 2))
    left = across + Fraction(size[0] - 1, 2) - (width - 1) / 2
    top = down + Fraction(size[1] - 1, 2) - (height - 1) / 2
    edges = (left, top, left + width, top + height)
    if width < 1 or height < 1 or left < 0 or top < 0 or edges[2] > size[0] or edges[3] > size[1]:
        return None
    first, second, third, fourth = (round(edge) for edge in edges)
    return (first, second, third, fourth) if (first, second) < (third, fourth) else None


def declared_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (width, height) of each ispe box; libraries report a huge one only as broken, without the reason."""
    at = data.find(_ISPE)
    while at >= 0:
        sides = data[at + len(_ISPE) : at + len(_ISPE) + 8]
        if len(sides) == 8:
            yield struct.unpack(">II", sides)
        at = data.find(_ISPE, at + 1)


def open_avif(data: bytes) -> tuple[Image.Image, Properties]:
    """Open an AVIF file, without decoding pixels; with its properties, whose `crop` is one of this image."""
    properties = read_properties(data)
    if data[8:12] != b"avis":
        data = data[:8] + b"avif" + data[12:]  # libavif requires the brand, which early encoders omitted
    try:
        image = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
    except Exception:
        patched = with_alpha_size(data)
        if patched is None:
            raise
        image = AvifImagePlugin.AvifImageFile(io.BytesIO(patched))
    image.info.pop("xmp", None)  # only irot and imir rotate a HEIF image, and the plugin maps them to EXIF
    if properties.size != image.size:
        properties.crop = None
    return image, properties


def with_alpha_size(data: bytes) -> bytes | None:
    """Add the primary item's size (ispe) to auxiliary images of an AVIF that lack one.

    libavif requires it, and files by early encoders omit it. The new meta box is appended to the file, so that the file
    offsets in it stay valid.

    Returns:
        The patched file; None where nothing is missing, or it cannot be patched.
    """
    with suppress(struct.error, IndexError):
        meta = _read_meta(data)
        if meta is None or meta.associations_box is None:
            return None
        types = {index: box.type for index, box in enumerate(meta.properties, 1)}
        size = next((i for i in meta.associations.get(meta.primary, []) if types.get(i) == b"ispe"), None)
        lacking = {
            item
            for item, indices in meta.associations.items()
            if b"auxC" in (kinds := {types.get(index) for index in indices}) and b"ispe" not in kinds
        }
        if size is None or not lacking:
            return None
        ipma = meta.associations_box
        grown = _grow(data, meta.box, ipma, _associate(data[ipma.payload : ipma.end], lacking, size))
        free = data[: meta.box.start + 4] + b"free" + data[meta.box.start + 8 :]
        return free + grown
    return None


def _grow(data: bytes, meta: Box, inner: Box, payload: bytes) -> bytes:
    """Return the meta box with the contents of the nested box `inner` replaced."""
    change = len(payload) - (inner.end - inner.payload)
    grown = bytearray(data[meta.start : meta.end])
    for box in _enclosing(data, meta, inner):
        struct.pack_into(">I", grown, box.start - meta.start, box.end - box.start + change)
    return bytes(grown[: inner.payload - meta.start]) + payload + bytes(grown[inner.end - meta.start :])


def _enclosing(data: bytes, outer: Box, inner: Box) -> Iterator[Box]:
    yield outer
    if outer.start == inner.start:
        return
    skipped = 4 if outer.type == b"meta" else 0
    for box in _boxes(data, outer.payload + skipped, outer.end):
        if box.start <= inner.start < box.end:
            yield from _enclosing(data, box, inner)


def _associate(payload: bytes, items: set[int], index: int) -> bytes:
    """Return the contents of an ipma box with property `index` added to `items`."""
    is_wide, id_format = payload[3] & 1, ">I" if payload[0] else ">H"
    (count,) = struct.unpack_from(">I", payload, 4)
    parts, at = [payload[:8]], 8
    for _ in range(count):
        (item,) = struct.unpack_from(id_format, payload, at)
        at += struct.calcsize(id_format)
        entries = payload[at + 1 : at + 1 + payload[at] * (1 + is_wide)]
        number = payload[at]
        at += 1 + len(entries)
        if item in items:  # the size comes first, before any transformation
            entries, number = struct.pack(">H" if is_wide else "B", index) + entries, number + 1
        parts.append(struct.pack(id_format, item) + bytes([number]) + entries)
    return b"".join(parts) + payload[at:]


def _of(meta: _Meta, item: int) -> list[Box]:
    indices = meta.associations.get(item, [])
    return [meta.properties[index - 1] for index in indices if 0 < index <= len(meta.properties)]


def _read_meta(data: bytes) -> _Meta | None:
    box = next((box for box in _boxes(data, 0, len(data)) if box.type == b"meta"), None)
    if box is None:
        return None
    meta = _Meta(box)
    for inner in _boxes(data, box.payload + 4, box.end):
        if inner.type == b"pitm":
            (meta.primary,) = struct.unpack_from(">I" if data[inner.payload] else ">H", data, inner.payload + 4)
        elif inner.type == b"iprp":
            for part in _boxes(data, inner.payload, inner.end):
                if part.type == b"ipco":
                    meta.properties = list(_boxes(data, part.payload, part.end))
                elif part.type == b"ipma":
                    meta.associations_box = part
                    meta.associations |= _associations(data[part.payload : part.end])
    return meta


def _associations(payload: bytes) -> dict[int, list[int]]:
    """Return each item's property indices from the contents of an ipma box."""
    is_wide, id_format = payload[3] & 1, ">I" if payload[0] else ">H"
    (count,) = struct.unpack_from(">I", payload, 4)
    found: dict[int, list[int]] = {}
    at = 8
    for _ in range(count):
        (item,) = struct.unpack_from(id_format, payload, at)
        at += struct.calcsize(id_format)
        number = payload[at]
        at += 1
        indices = struct.unpack_from(f">{number}{'H' if is_wide else 'B'}", payload, at)
        at += number * (1 + is_wide)
        found[item] = [index & (0x7FFF if is_wide else 0x7F) for index in indices]
    return found


def _boxes(data: bytes, at: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        payload = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, payload)
            payload += 8
        following = end if length == 0 else at + length
        if following < payload or following > end:
            return
        yield Box(kind, at, payload, following)
        at = following
