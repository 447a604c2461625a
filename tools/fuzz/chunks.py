"""Malicious files made of segments, chunks and blocks: JPEG, PNG, WebP and GIF."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from pictures import bomb, chunk

from tools.fuzz.seeds import make, png

MOST = 32 * 2**20  # maximum accepted file size, bytes
HUGE = 7071  # side of a square with the maximum accepted pixels
Weapon = Callable[[], bytes]


def segment(marker: int, data: bytes) -> bytes:
    """Return a JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _jpeg(before: bytes, seed: str = "jpeg baseline") -> bytes:
    """Return a valid JPEG with `before` inserted after its start."""
    whole = make(seed)
    return whole[:2] + before + whole[2:]


def _filled(part: bytes, most: int = MOST - 2**16) -> bytes:
    return part * (most // len(part))


def _resized_jpeg(width: int, height: int, seed: str = "jpeg baseline") -> bytes:
    data = bytearray(make(seed))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _scan_bomb(scans: int = 2**16) -> bytes:
    """Return a progressive JPEG with very many scans, each a few bytes long.

    Each scan makes the decoder process the whole of a large image.
    """
    whole = _resized_jpeg(HUGE, HUGE, "jpeg gray")
    last = whole.rindex(b"\xff\xda")
    scan = whole[last:].removesuffix(b"\xff\xd9")[:14]
    return whole[:last] + scan * scans + b"\xff\xd9"


def exif_of(entries: bytes, count: int, following: int = 0) -> bytes:
    """Return a TIFF header and one directory."""
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + struct.pack("<I", following)


def _entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


EXIFS: dict[str, bytes] = {
    "in a circle": exif_of(_entry(0x8769, 4, 1, 8) + _entry(0x8825, 4, 1, 8) + _entry(0xA005, 4, 1, 8), 3, 8),
    "of many tags": exif_of(b"".join(_entry(tag, 7, 60_000, 8) for tag in range(5000)), 5000),
    "with an orientation of text": exif_of(_entry(0x0112, 2, 4, 0x41414141), 1),
    "with a billion orientations": exif_of(_entry(0x0112, 3, 10**9, 8), 1),
    "cut short": exif_of(b"", 60_000)[:12],
    "of an unknown type": exif_of(_entry(0x0112, 99, 1, 6), 1),
    "with a rational of nothing": exif_of(_entry(0x011A, 5, 1, 26) + bytes(12), 1),
}


def _jpegs() -> Iterator[tuple[str, Weapon]]:
    yield "a million EXIF segments", lambda: _jpeg(segment(0xE1, b"Exif\0\0\0") * 1_000_000)
    yield "empty comments to the limit", lambda: _jpeg(_filled(segment(0xFE, b"")))
    yield "comments to the limit", lambda: _jpeg(_filled(segment(0xFE, b"x" * 65_533)))
    yield "restart markers to the limit", lambda: _jpeg(_filled(b"\xff\xd0"))
    yield "padding to the limit", lambda: _jpeg(_filled(b"\xff"))
    yield "junk to the limit", lambda: _jpeg(segment(0xFE, b"") + _filled(b"\0"))
    yield "profiles to the limit", lambda: _jpeg(_filled(segment(0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(60_000))))
    yield "quantization tables to the limit", lambda: _jpeg(_filled(segment(0xDB, b"\0" + b"\x01" * 64)))
    yield (
        "photoshop blocks to the limit",
        lambda: _jpeg(_filled(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\0\0\0\0" * 5000))),
    )
    yield "a scan bomb", _scan_bomb
    yield "the maximum number of scans", lambda: _scan_bomb(95)
    yield "the maximum number of EXIF segments", lambda: _jpeg(segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 95)
    yield "progressive with nothing in it", lambda: _resized_jpeg(HUGE, HUGE, "jpeg gray")
    yield "65535 x 65535", lambda: _resized_jpeg(65_535, 65_535)
    yield "no width", lambda: _resized_jpeg(0, 40)
    yield "no height", lambda: _resized_jpeg(48, 0)
    yield "a segment of length 0", lambda: _jpeg(b"\xff\xe1\0\0")
    yield "a segment beyond the end", lambda: _jpeg(b"\xff\xe1\xff\xff")
    yield "a second frame", lambda: _jpeg(segment(0xC0, struct.pack(">BHHB", 8, 60_000, 60_000, 1) + b"\1\x11\0"))
    yield "after it a larger one", lambda: make("jpeg baseline") + _resized_jpeg(65_535, 65_535)
    for name, exif in EXIFS.items():
        yield f"EXIF {name}", lambda exif=exif: _jpeg(segment(0xE1, (b"Exif\0\0" + exif)[:65_000]))  # type: ignore[misc]


def _png(before: bytes = b"", seed: str = "png rgb") -> bytes:
    whole = make(seed)
    return whole[:33] + before + whole[33:]


def _bomb(size: int) -> bytes:
    squeeze = zlib.compressobj(9)
    return b"".join(squeeze.compress(bytes(2**20)) for _ in range(size // 2**20)) + squeeze.flush()


def _sized_png(width: int, height: int) -> bytes:
    return png((width, height), 8, 2, bytes(1000))


def _pngs() -> Iterator[tuple[str, Weapon]]:
    yield "a bomb of 900 megapixels", bomb
    yield "a bomb within the limits", lambda: bomb(HUGE, 16, 6, 4)
    yield "texts to unpack", lambda: _png(chunk(b"zTXt", b"a\0\0" + _bomb(2**20)) * 200)
    yield "a text of a gigabyte", lambda: _png(chunk(b"zTXt", b"a\0\0" + _bomb(2**30)))
    yield "an international text of a gigabyte", lambda: _png(chunk(b"iTXt", b"a\0\1\0\0\0" + _bomb(2**30)))
    yield "a profile of a gigabyte", lambda: _png(chunk(b"iCCP", b"a\0\0" + _bomb(2**30)))
    yield "profiles to unpack, to the limit", lambda: _png(_filled(chunk(b"iCCP", b"a\0\0" + _bomb(2**20))))
    yield "a text to the limit", lambda: _png(chunk(b"tEXt", b"a\0" + _filled(b"x")))
    yield "metadata to the limit", lambda: _png(chunk(b"eXIf", exif_of(_filled(b"x" * 12), 60_000)))
    yield "the maximum number of profiles to inflate", lambda: _png(chunk(b"iCCP", b"a\0\0" + _bomb(2**20)) * 9)
    yield "as much empty data as is taken", lambda: _png(chunk(b"IDAT", b"") * 99_000)
    yield "empty chunks to the limit", lambda: _png(_filled(chunk(b"prIv", b"")))
    yield "empty data to the limit", lambda: _png(_filled(chunk(b"IDAT", b"")))
    yield "palettes to the limit", lambda: _png(_filled(chunk(b"PLTE", bytes(768))), "png palette8")
    yield "100000 frames", lambda: _png(chunk(b"acTL", struct.pack(">II", 100_000, 0)), "png animated") + bytes(12)
    yield "no palette", lambda: png((20, 20), 8, 3, bytes(21 * 20))
    yield "an empty palette", lambda: png((20, 20), 8, 3, bytes(21 * 20), chunk(b"PLTE", b""))
    yield "a short palette", lambda: png((20, 20), 8, 3, (b"\0" + b"\xff" * 20) * 20, chunk(b"PLTE", bytes(3)))
    yield "nothing wide", lambda: _sized_png(0, 20)
    yield "2147483647 x 2147483647", lambda: _sized_png(2**31 - 1, 2**31 - 1)
    yield "as wide as can be told", lambda: _sized_png(2**32 - 1, 16)
    yield (
        "a second header",
        lambda: _png(make("png rgb")[8:16] + struct.pack(">II", 60_000, 60_000) + b"\x08\2\0\0\0\0"),
    )
    yield "a second header that fits", lambda: _png(bomb()[8:33])
    yield "a chunk beyond the end", lambda: _png(b"\xff\xff\xff\xfftEXt")
    yield "data for more rows than there are", lambda: png((20, 20), 8, 0, bytes(2**28))
    yield "an unknown depth", lambda: png((20, 20), 77, 99, bytes(400))
    for name, exif in EXIFS.items():
        yield f"EXIF {name}", lambda exif=exif: _png(chunk(b"eXIf", exif))  # type: ignore[misc]


def riff(*parts: tuple[bytes, bytes]) -> bytes:
    """Return a WebP from its chunks."""
    body = b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _canvas(width: int, height: int, flags: int) -> tuple[bytes, bytes]:
    three = [struct.pack("<I", side - 1)[:3] for side in (width, height)]
    return b"VP8X", struct.pack("<I", flags) + three[0] + three[1]


def _frame(width: int, height: int, x: int = 0) -> tuple[bytes, bytes]:
    inner = make("webp plain")[12:]
    numbers = (x, 0, width - 1, height - 1, 40)
    return b"ANMF", b"".join(struct.pack("<I", number)[:3] for number in numbers) + b"\0" + inner


def _webps() -> Iterator[tuple[str, Weapon]]:
    plain = make("webp plain")[12:]
    inner = (plain[:4], plain[8:])
    anim = (b"ANIM", bytes(6))
    yield "a canvas of 16777216 x 255", lambda: riff(_canvas(2**24, 255, 2), anim, _frame(48, 40))
    yield "a canvas of 16383 x 16383", lambda: riff(_canvas(16_383, 16_383, 2), anim, _frame(48, 40))
    yield "a small picture on a canvas within limits", lambda: riff(_canvas(HUGE, HUGE, 2), anim, _frame(48, 40))
    yield "a frame beyond its canvas", lambda: riff(_canvas(48, 40, 2), anim, _frame(48, 40, 2**23))
    yield "20000 frames", lambda: riff(_canvas(48, 40, 2), anim, *[_frame(48, 40)] * 20_000)
    yield "chunks to the limit", lambda: riff(_canvas(48, 40, 0), inner, *[(b"JUNK", b"")] * 3_000_000)
    yield "lossless 16383 x 16383", lambda: riff((b"VP8L", struct.pack("<BI", 0x2F, 2**28 - 1) + bytes(100)))
    yield (
        "metadata to the limit",
        lambda: riff(_canvas(48, 40, 8), inner, (b"EXIF", exif_of(_filled(b"x" * 12), 60_000))),
    )
    yield "a profile to the limit", lambda: riff(_canvas(48, 40, 32), (b"ICCP", _filled(b"\0")), inner)
    yield "a length of nothing", lambda: b"RIFF\0\0\0\0WEBP" + plain
    yield "a length without end", lambda: b"RIFF\xff\xff\xff\xffWEBP" + plain
    for name, exif in EXIFS.items():
        yield f"EXIF {name}", lambda exif=exif: riff(_canvas(48, 40, 8), inner, (b"EXIF", exif))  # type: ignore[misc]


def _gif(width: int, height: int, *parts: bytes, palette: bool = True) -> bytes:
    flags = b"\xf7\0\0" + bytes(768) if palette else b"\0\0\0"
    return b"GIF89a" + struct.pack("<HH", width, height) + flags + b"".join(parts) + b";"


def _gif_frame(width: int, height: int, data: bytes = b"\x08\x02\x00\x01\0", x: int = 0) -> bytes:
    return struct.pack("<BHHHHB", 0x2C, x, 0, width, height, 0) + data


def _gifs() -> Iterator[tuple[str, Weapon]]:
    lines = b"\x08" + b"\xff" + b"\x55" * 255 + b"\0"
    yield "65535 x 65535", lambda: _gif(65_535, 65_535, _gif_frame(65_535, 65_535))
    yield "a frame larger than its screen", lambda: _gif(20, 20, _gif_frame(60_000, 60_000))
    yield "a frame beside its screen", lambda: _gif(20, 20, _gif_frame(20, 20, x=60_000))
    yield "nothing wide", lambda: _gif(0, 20, _gif_frame(0, 20))
    yield "a large picture of nothing", lambda: _gif(HUGE, HUGE, _gif_frame(HUGE, HUGE, lines))
    yield "empty extensions to the limit", lambda: _gif(20, 20, _filled(b"!\x01\0"), _gif_frame(20, 20))
    yield (
        "a comment in bytes, to the limit",
        lambda: _gif(20, 20, b"!\xfe" + _filled(b"\1x") + b"\0", _gif_frame(20, 20)),
    )
    yield "empty data to the limit", lambda: _gif(20, 20, _gif_frame(20, 20, b"\x08" + _filled(b"\1\0")))
    yield "frames to the limit", lambda: _gif(20, 20, _filled(_gif_frame(20, 20)))
    yield "no palette", lambda: _gif(20, 20, _gif_frame(20, 20, lines), palette=False)
    yield "codes of 255 bits", lambda: _gif(20, 20, _gif_frame(20, 20, b"\xff\x02\x00\x01\0"))
    yield "a block of transparency cut short", lambda: _gif(20, 20, b"!\xf9\x01\x01\0", _gif_frame(20, 20, lines))
    yield "no frame", lambda: _gif(20, 20)


WEAPONS: dict[str, Weapon] = {
    f"{kind} {name}": weapon
    for kind, kinds in (("jpeg", _jpegs), ("png", _pngs), ("webp", _webps), ("gif", _gifs))
    for name, weapon in kinds()
}
