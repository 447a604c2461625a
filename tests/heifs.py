"""HEIC and AVIF files with other properties than encoders give them."""

from __future__ import annotations

import struct


def box(kind: bytes, body: bytes) -> bytes:
    """A box."""
    return struct.pack(">I4s", 8 + len(body), kind) + body


def split(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes that `data` consists of: types and contents."""
    found, at = [], 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        found.append((kind, data[at + 8 : at + length]))
        at += length
    return found


def clap(width: int, height: int, right: int = 0, down: int = 0) -> bytes:
    """A clean aperture, its center so many half pixels off that of the picture."""
    return box(b"clap", struct.pack(">8i", width, 1, height, 1, right, 2, down, 2))


def with_property(data: bytes, added: bytes) -> bytes:
    """Give the primary item one more property, behind its first, in a meta box at the end of the file."""
    return _changed(data, added, drop_size_of_others=False)


def without_alpha_size(data: bytes) -> bytes:
    """Take the size (ispe) from auxiliary items."""
    return _changed(data, b"", drop_size_of_others=True)


def with_general_brand(data: bytes) -> bytes:
    """Leave no brand but that of HEIF in general."""
    (_, body), *_ = split(data)
    return box(b"ftyp", b"mif1\0\0\0\0" + b"mif1" * (len(body) // 4 - 2)) + data[8 + len(body) :]


def _changed(data: bytes, added: bytes, *, drop_size_of_others: bool) -> bytes:
    parts = split(data)
    meta = next(body for kind, body in parts if kind == b"meta")
    inner = split(meta[4:])
    primary = struct.unpack_from(">H", next(body for kind, body in inner if kind == b"pitm"), 4)[0]
    changed = []
    for kind, body in inner:
        if kind == b"iprp":
            (_, ipco), (_, ipma) = split(body)
            kinds = [kind for kind, _ in split(ipco)]
            items = _items(ipma)
            for item, indices in items.items():
                if item == primary and added:
                    indices.insert(1, 0x80 | len(kinds) + 1)
                elif item != primary and drop_size_of_others:
                    indices[:] = [index for index in indices if kinds[(index & 127) - 1] != b"ispe"]
            packed = [struct.pack(f">HB{len(i)}B", item, len(i), *i) for item, i in items.items()]
            body = box(b"ipco", ipco + added) + box(b"ipma", ipma[:8] + b"".join(packed))
        changed.append(box(kind, body))
    kept = [box(b"free" if kind == b"meta" else kind, body) for kind, body in parts]
    return b"".join([*kept, box(b"meta", meta[:4] + b"".join(changed))])


def _items(ipma: bytes) -> dict[int, list[int]]:
    found, at = {}, 8
    for _ in range(struct.unpack_from(">I", ipma, 4)[0]):
        item, count = struct.unpack_from(">HB", ipma, at)
        found[item] = list(ipma[at + 3 : at + 3 + count])
        at += 3 + count
    return found
