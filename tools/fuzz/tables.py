"""Malicious files made of tables and boxes: TIFF, AVIF and HEIC."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterator

from tools.fuzz.chunks import HUGE, MOST, Weapon
from tools.fuzz.seeds import make

SHORT, LONG, BYTES, RATIONAL, LONG8 = 3, 4, 7, 5, 16
Tag = tuple[int, int, int, int]


def tiff(tags: list[Tag], data: bytes = b"", following: int = 0) -> bytes:
    """Return a TIFF with its data from byte 8 on, followed by one directory."""
    at = 8 + len(data)
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", at) + data + directory + struct.pack("<I", following)


def big_tiff(tags: list[Tag], data: bytes = b"", count: int | None = None) -> bytes:
    """Return the same as a BigTIFF, with its data from byte 16 on."""
    directory = struct.pack("<Q", len(tags) if count is None else count)
    directory += b"".join(struct.pack("<HHQQ", *tag) for tag in tags) + bytes(8)
    return b"II+\0\x08\0\0\0" + struct.pack("<Q", 16 + len(data)) + data + directory


def _plain(
    width: int, height: int, *more: Tag, bits: int = 8, compression: int = 1, photometric: int = 1, length: int = 64
) -> list[Tag]:
    tags = [
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 1, bits),
        (259, SHORT, 1, compression),
        (262, SHORT, 1, photometric),
        (273, LONG, 1, 8),
        (277, SHORT, 1, 1),
        (278, LONG, 1, height),
        (279, LONG, 1, length),
    ]
    return sorted([tag for tag in tags if tag[0] not in {other[0] for other in more}] + list(more))


def _packed(compression: int, data: bytes) -> bytes:
    return tiff(_plain(HUGE, HUGE, compression=compression, length=len(data)), data)


def _strips(count: int) -> bytes:
    """Return a TIFF with `count` strips in its table, all at the same offset."""
    table = struct.pack("<I", 8) * count
    return tiff(_plain(HUGE, HUGE, (273, LONG, count, 8), (278, LONG, 1, 1), (279, LONG, count, 8)), table)


def _tiles(side: int, count: int, across: int) -> bytes:
    table = struct.pack("<I", 8) * count
    more = [(322, LONG, 1, side), (323, LONG, 1, side), (324, LONG, count, 8), (325, LONG, count, 8)]
    strips = (273, 278, 279)
    return tiff([tag for tag in _plain(across, across, *more) if tag[0] not in strips], table)


def _greedy_lzma() -> bytes:
    """Return an LZMA stream whose header requests a dictionary of 4 GB."""
    small = bytearray(lzma.compress(bytes(2**16), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**20}]))
    small[small.index(b"\x21\x01") + 2] = 40
    end = 12 + 4 * small[12]
    small[end : end + 4] = struct.pack("<I", zlib.crc32(small[12:end]))
    return bytes(small)


def _circle() -> bytes:
    tags = [*_plain(20, 20, length=400), (330, LONG, 1, 408), (34665, LONG, 1, 408)]
    return tiff(sorted(tags), bytes(400), following=408)


def _tiffs() -> Iterator[tuple[str, Weapon]]:
    square = _plain(20, 20, length=400)
    pixels = bytes(400)
    yield "directories in a circle", _circle
    yield (
        "tags that share all of the file",
        lambda: tiff(
            sorted(square + [(tag, BYTES, MOST - 2**17, 8) for tag in range(40_000, 45_000)]), bytes(MOST - 2**17)
        ),
    )
    yield "a table of 8 million strips", lambda: _strips(8_000_000)
    yield "as many strips as rows", lambda: _strips(HUGE)
    yield "tiles of a pixel", lambda: _tiles(1, 8_000_000, 2800)
    yield "tiles of 16 pixels", lambda: _tiles(16, 442 * 442, HUGE)
    yield "a tile of 4294967295 pixels", lambda: _tiles(2**32 - 1, 1, 64)
    yield "a tile of nothing", lambda: _tiles(0, 1, 64)
    yield "a tile much larger than the picture", lambda: _tiles(60_000, 1, 64)
    yield "deflate of nothing", lambda: _packed(8, zlib.compress(bytes(HUGE * HUGE), 9))
    yield (
        "deflate of far more than announced",
        lambda: tiff(_plain(64, 64, compression=8, length=2**20), zlib.compress(bytes(2**29), 9)),
    )
    yield "lzma that wants 4 GB of memory", lambda: _packed(34_925, _greedy_lzma())
    for compression, name in enumerate(("none", "ccitt", "group 3", "group 4", "lzw", "old JPEG", "JPEG"), start=1):
        yield f"zeros as {name}", lambda number=compression: _packed(number, bytes(2**16))  # type: ignore[misc]
        yield f"noise as {name}", lambda number=compression: _packed(number, make("tiff raw")[8:] * 20)  # type: ignore[misc]
    for compression in (
        8,
        32_773,
        32_809,
        32_909,
        34_676,
        34_677,
        34_712,
        34_887,
        34_925,
        50_000,
        50_001,
        50_002,
        65_000,
    ):
        yield f"zeros as {compression}", lambda number=compression: _packed(number, bytes(2**12))  # type: ignore[misc]
    yield "65535 x 65535", lambda: tiff(_plain(65_535, 65_535))
    yield "4294967295 wide", lambda: tiff(_plain(2**32 - 1, 16))
    yield "nothing wide", lambda: tiff(_plain(0, 20))
    yield "65535 bits", lambda: tiff(_plain(20, 20, bits=65_535), pixels)
    yield "32 bits and too few of them", lambda: tiff(_plain(HUGE, HUGE, bits=32), pixels)
    yield "65535 samples", lambda: tiff(_plain(20, 20, (277, SHORT, 1, 65_535)), pixels)
    yield "a palette of nothing", lambda: tiff(_plain(20, 20, photometric=3, length=400), pixels)
    yield "rows that are nothing", lambda: tiff(_plain(20, 20, (278, LONG, 1, 0), length=400), pixels)
    yield "a strip beyond the end", lambda: tiff(_plain(20, 20, (273, LONG, 1, 2**31), length=400), pixels)
    yield "a strip of 4 GB", lambda: tiff(_plain(20, 20, length=2**32 - 1), pixels)
    yield "a directory beyond the end", lambda: b"II*\0\xff\xff\xff\xff" + pixels
    yield "a directory in the header", lambda: b"II*\0\0\0\0\0" + pixels
    yield "65535 tags and no more", lambda: b"II*\0\x08\0\0\0\xff\xff" + pixels
    yield "big, with more tags than atoms", lambda: big_tiff([], pixels, count=2**63)
    yield "big, with a tag beyond everything", lambda: big_tiff([*square, (34_675, BYTES, 2**62, 2**63 + 1)], pixels)
    yield "big, with a width of 8 bytes", lambda: big_tiff([(256, LONG8, 1, 2**40), *square[1:]], pixels)
    yield (
        "a profile to the limit",
        lambda: tiff(sorted([*square, (34_675, BYTES, MOST - 2**17, 8)]), bytes(MOST - 2**17)),
    )
    yield "an orientation of a million", lambda: tiff(sorted([*square, (274, SHORT, 1_000_000, 8)]), bytes(2_000_000))
    yield (
        "subsampled by nothing",
        lambda: tiff(
            sorted([*_plain(20, 20, (277, SHORT, 1, 3), photometric=6, compression=7), (530, SHORT, 2, 0)]), pixels
        ),
    )


def box(name: bytes, *parts: bytes) -> bytes:
    """Return an ISOBMFF box."""
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + name + body


def _full(name: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def _nested(name: bytes, depth: int) -> bytes:
    return b"".join(struct.pack(">I", 8 * (depth - level)) + name for level in range(depth))


def _ftyp(brand: bytes, *more: bytes) -> bytes:
    return box(b"ftyp", brand, bytes(4), b"mif1", brand, *more)


def _item(number: int, kind: bytes) -> bytes:
    return _full(b"infe", struct.pack(">HH", number, 0), kind, b"\0", version=2)


def _located(number: int, extents: list[tuple[int, int]], method: int = 0) -> bytes:
    spans = b"".join(struct.pack(">II", *extent) for extent in extents)
    return struct.pack(">HHHH", number, method, 0, len(extents)) + spans


def _picture(
    brand: bytes,
    items: list[tuple[int, bytes]],
    places: list[bytes],
    *,
    refs: bytes = b"",
    props: bytes = b"",
    data: bytes = b"",
) -> bytes:
    """Return a file with one meta box and its items' data."""
    meta = _full(
        b"meta",
        _full(b"hdlr", bytes(4), b"pict", bytes(13)),
        _full(b"pitm", struct.pack(">H", items[0][0])),
        _full(b"iinf", struct.pack(">H", len(items)), *(_item(*item) for item in items)),
        _full(b"iloc", b"\x44\0", struct.pack(">H", len(places)), *places, version=1),
        refs,
        props,
        box(b"idat", data),
    )
    return _ftyp(brand) + meta + box(b"mdat", bytes(1000))


def _properties(width: int, height: int, items: list[int]) -> bytes:
    sides = _full(b"ispe", struct.pack(">II", width, height))
    links = b"".join(struct.pack(">HBB", item, 1, 1) for item in items)
    return box(b"iprp", box(b"ipco", sides), _full(b"ipma", struct.pack(">I", len(items)), links))


def _grid(brand: bytes, tile: int) -> bytes:
    """Return a 256 x 256 grid that repeats one item."""
    refs = _full(b"iref", box(b"dimg", struct.pack(">HH", 1, 65_535), struct.pack(">H", tile) * 65_535))
    data = struct.pack(">BBBBHH", 0, 0, 255, 255, 7000, 7000)
    items = [(1, b"grid"), (2, b"hvc1" if brand == b"heic" else b"av01")]
    places = [_located(1, [(0, len(data))], method=1), _located(2, [(0, 8)], method=1)]
    return _picture(brand, items, places, refs=refs, props=_properties(7000, 7000, [1, 2]), data=data)


def _derived(brand: bytes, kind: bytes) -> bytes:
    """Return two items that are derived from each other."""
    refs = _full(b"iref", *(box(name, struct.pack(">HHH", 1, 1, 2)) for name in (b"dimg", b"auxl", b"thmb")))
    refs_back = _full(b"iref", box(b"dimg", struct.pack(">HHH", 1, 1, 2)), box(b"dimg", struct.pack(">HHH", 2, 1, 1)))
    places = [_located(1, [], method=1), _located(2, [], method=1)]
    both = refs_back if kind == b"iden" else refs
    return _picture(brand, [(1, kind), (2, kind)], places, refs=both, props=_properties(64, 64, [1, 2]))


def _boxes(brand: bytes) -> Iterator[tuple[str, Weapon]]:
    coded = b"hvc1" if brand == b"heic" else b"av01"
    seed = "heic rgb" if brand == b"heic" else "avif rgb"
    yield "boxes in boxes", lambda: _ftyp(brand) + _full(b"meta", _nested(b"iprp", 200_000))
    yield "metas in metas", lambda: _ftyp(brand) + _nested(b"meta", 100_000)
    yield "brands to the limit", lambda: _ftyp(brand, brand * (MOST // 4 - 2**10)) + make(seed)
    yield "empty boxes to the limit", lambda: _ftyp(brand) + box(b"free") * (MOST // 8 - 2**10) + make(seed)
    yield "a box longer than everything", lambda: _ftyp(brand) + struct.pack(">I4sQ", 1, b"meta", 2**63)
    yield "a box that says 1", lambda: _ftyp(brand) + struct.pack(">I4s", 1, b"meta")
    yield (
        "65535 extents of a whole file each",
        lambda: (
            _picture(
                brand,
                [(1, coded)],
                [_located(1, [(0, 30 * 2**20)] * 65_535)],
                props=_properties(64, 64, [1]),
            )
            + bytes(30 * 2**20)
        ),
    )
    yield (
        "65535 items",
        lambda: _picture(
            brand,
            [(number, coded) for number in range(1, 65_535)],
            [_located(number, [(0, 1000)]) for number in range(1, 65_535)],
            props=_properties(64, 64, [1]),
        ),
    )
    yield (
        "the maximum number of items",
        lambda: _picture(
            brand,
            [(number, coded) for number in range(1, 5000)],
            [_located(number, [(0, 1000)]) for number in range(1, 5000)],
            props=_properties(64, 64, [1]),
        ),
    )
    yield "a grid of 65535 tiles", lambda: _grid(brand, 2)
    yield "a grid of itself", lambda: _grid(brand, 1)
    for kind in (b"iden", b"iovl", b"grid", b"tmap"):
        yield f"a circle of {kind.decode()}", lambda kind=kind: _derived(brand, kind)  # type: ignore[misc]
    yield (
        "65535 x 65535",
        lambda: _picture(
            brand,
            [(1, coded)],
            [_located(1, [(0, 8)], method=1)],
            props=_properties(65_535, 65_535, [1]),
            data=bytes(8),
        ),
    )
    yield "sizes to the limit", lambda: _ftyp(brand) + _full(b"ispe", struct.pack(">II", 64, 64)) * (MOST // 20 - 2**10)
    yield "no meta box", lambda: _ftyp(brand) + box(b"mdat", bytes(1000))
    yield "a meta box of another file twice", lambda: make(seed) + make(seed)[make(seed).index(b"meta") - 4 :]


WEAPONS: dict[str, Weapon] = {
    **{f"tiff {name}": weapon for name, weapon in _tiffs()},
    **{f"avif {name}": weapon for name, weapon in _boxes(b"avif")},
    **{f"heic {name}": weapon for name, weapon in _boxes(b"heic")},
}
