"""TIFF files of every layout, which Pillow cannot write."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]
Tags = dict[int, tuple[int, tuple[int, ...]]]
Order = Literal["<", ">"]
_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}


def tiff(
    samples: Samples,
    photometric: int,
    *,
    extra: tuple[int, ...] = (),
    order: Order = "<",
    big: bool = False,
    planar: bool = False,
    tile: int | None = None,
    deflate: bool = False,
    predictor: int = 1,
    rows_per_strip: int = 9,
    tags: Tags | None = None,
    directories: tuple[Tags, ...] = (),
) -> bytes:
    """Return a TIFF file.

    Args:
        samples: (H, W, N).
        photometric: Interpretation of the color samples.
        extra: Meanings of the extra samples.
        order: "<" or ">".
        big: Whether it is a BigTIFF.
        planar: Whether each sample has a plane of its own.
        tile: Side of the tiles; None for strips.
        deflate: Whether it is compressed.
        predictor: 1 for none, 2 for differences, 3 for those of floats.
        rows_per_strip: Rows of a strip.
        tags: Further tags: type and values.
        directories: Sub-directories, of tags alone.
    """
    height, width, count = samples.shape
    planes = [samples[..., n : n + 1] for n in range(count)] if planar else [samples]
    parts = [part for plane in planes for part in _cut(plane, tile, rows_per_strip)]
    packed = [_packed(part, order, predictor) for part in parts]
    packed = [zlib.compress(part) for part in packed] if deflate else packed
    start = 16 if big else 8
    offsets = tuple(start + sum(len(part) for part in packed[:n]) for n in range(len(packed)))
    bits, kind = samples.dtype.itemsize * 8, _FORMATS[samples.dtype.kind]
    entries: Tags = {
        256: (3, (width,)),
        257: (3, (height,)),
        258: (3, (bits,) * count),
        259: (3, (8 if deflate else 1,)),
        262: (3, (photometric,)),
        277: (3, (count,)),
        284: (3, (2 if planar else 1,)),
        317: (3, (predictor,)),
        339: (3, (kind,) * count),
        **({338: (3, extra)} if extra else {}),
        **({322: (3, (tile,)), 323: (3, (tile,))} if tile else {278: (3, (rows_per_strip,))}),
        324 if tile else 273: (16 if big else 4, offsets),
        325 if tile else 279: (16 if big else 4, tuple(len(part) for part in packed)),
        **(tags or {}),
    }
    body = b"".join(packed)
    body += bytes(-len(body) % 2)
    places = []
    for directory in directories:
        places.append(start + len(body))
        body += _directory(directory, order, big, start + len(body))
    if places:
        entries[330] = (16 if big else 4, tuple(places))
    at = start + len(body)
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, at) if big else struct.pack(f"{order}HI", 42, at)
    return mark + head + body + _directory(entries, order, big, at)


def _cut(plane: Samples, tile: int | None, rows: int) -> list[Samples]:
    """Cut a plane into strips or tiles, the last of which are filled up."""
    if tile is None:
        return [plane[top : top + rows] for top in range(0, len(plane), rows)]
    padded = np.pad(plane, ((0, -plane.shape[0] % tile), (0, -plane.shape[1] % tile), (0, 0)), mode="edge")
    return [
        padded[top : top + tile, left : left + tile]
        for top in range(0, padded.shape[0], tile)
        for left in range(0, padded.shape[1], tile)
    ]


def _packed(part: Samples, order: Order, predictor: int) -> bytes:
    size = part.dtype.itemsize
    if predictor == 2:
        whole = np.ascontiguousarray(part).view(f"u{size}")
        part = np.diff(whole, axis=1, prepend=np.zeros_like(whole[:, :1]))
    if predictor == 3:
        rows, count = len(part), part.shape[2]
        values = np.ascontiguousarray(part).astype(f">f{size}").view(np.uint8).reshape(rows, -1, size)
        by_weight = values.swapaxes(1, 2).reshape(rows, -1, count)
        return np.diff(by_weight, axis=1, prepend=np.zeros_like(by_weight[:, :1])).tobytes()
    return part.astype(part.dtype.newbyteorder(order)).tobytes()


def _directory(tags: Tags, order: str, big: bool, at: int) -> bytes:
    inline, number, entry, end = (8, "Q", "HHQ", bytes(8)) if big else (4, "H", "HHI", bytes(4))
    behind = at + struct.calcsize(f"={number}") + len(tags) * (struct.calcsize(f"={entry}") + inline) + inline
    entries, values = struct.pack(f"{order}{number}", len(tags)), b""
    for tag, (kind, numbers) in sorted(tags.items()):
        data = struct.pack(f"{order}{len(numbers)}{_CODES[kind]}", *numbers)
        if len(data) > inline:
            data, values = struct.pack(f"{order}{'Q' if big else 'I'}", behind + len(values)), values + data
            values += bytes(len(values) % 2)
        entries += struct.pack(f"{order}{entry}", tag, kind, len(numbers)) + data.ljust(inline, b"\0")
    return entries + end + values
