"""Normalization of TIFF files for Pillow, and unpacking of samples that Pillow does not support.

The directory (TIFF 6.0, section 2; BigTIFF) is parsed here and appended to the file as a classic TIFF directory with
the relevant tags. For samples of 16 bits and more, and for layouts that Pillow lacks, the new directory describes the
samples' bytes as a gray image, so that Pillow and libtiff decompress them; `tiff_samples` converts those to color.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from stylizer.images.signatures import RAW_PHOTO, NotDecoded

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_LENGTHS = 266, 273, 274, 277, 278, 279
PLANAR, PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_LENGTHS = 284, 317, 320, 322, 323, 324, 325
SUB_DIRECTORIES, EXTRA_SAMPLES, SAMPLE_FORMAT, ICC_PROFILE, DNG_VERSION, MAKE = 330, 338, 339, 34675, 50706, 271
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 8, 9
UNSIGNED, SIGNED, FLOAT = 1, 2, 3

_KEPT = {
    *(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP),
    *(STRIP_LENGTHS, PLANAR, PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_LENGTHS),
    *(EXTRA_SAMPLES, SAMPLE_FORMAT, ICC_PROFILE),
    *(292, 293, 332, 347, *range(512, 522), 529, 530, 531, 532),  # options of compressions, inks, YCbCr
}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MAX_TAGS, _MAX_DIRECTORIES = 4096, 20
_UNPACKED_ALIKE = {1, 5, 8, 32773, 32946, 34925, 50000}  # compressions that work on bytes, whatever they mean
_COLOR_FILTER, _LINEAR_RAW = 32803, 34892
_RAW_COMPRESSIONS = {32767, 32770, 34713, 65000, 65535}  # of Sony, Samsung, Nikon, Kodak, Pentax
_RAW_NAMES = {"NIKON": "NEF", "SONY": "ARW", "PENTAX": "PEF", "SAMSUNG": "SRW", "CANON": "CR2", "HASSELBLAD": "3FR"}
_COLOR_SAMPLES = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, CIELAB: 3, ICCLAB: 3}
_MEANINGS = {4: "a transparency mask", 6: "YCbCr", 10: "ITU Lab", 32844: "LogL", 32845: "LogLuv"}
_MAX_SAMPLES, _MAX_SAMPLES_OF_PILLOW = 16, 6


@dataclass(slots=True)
class Tag:
    """A directory entry: TIFF type, number of values, and the values as bytes in file order."""

    type: int
    count: int
    data: bytes


@dataclass(slots=True)
class Tiff:
    """The first image of a TIFF file.

    Attributes:
        data: The whole file.
        order: "<" or ">".
        tags: Readable tags of its directory.
    """

    data: bytes
    order: str
    tags: dict[int, Tag] = field(default_factory=dict)

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the values of an integer tag; empty if it is missing or of another type."""
        found = self.tags.get(tag)
        code = _INTEGERS.get(found.type) if found else None
        return struct.unpack(f"{self.order}{found.count}{code}", found.data) if found and code else ()

    def number(self, tag: int, default: int) -> int:
        """Return the first value of a tag."""
        return next(iter(self.numbers(tag)), default)

    @property
    def samples(self) -> int:
        """Samples per pixel."""
        return self.number(SAMPLES, max(1, len(self.numbers(BITS))))

    @property
    def bits(self) -> int:
        """Bits per sample; 0 if they differ."""
        bits = set(self.numbers(BITS)) or {1}
        return bits.pop() if len(bits) == 1 else 0

    @property
    def color_samples(self) -> int:
        """Number of color samples; 0 if unknown."""
        return _COLOR_SAMPLES.get(self.number(PHOTOMETRIC, BLACK_IS_ZERO), 0)

    @property
    def alpha(self) -> int:
        """Type of the first extra sample: 0 for no alpha, 1 for premultiplied, 2 for straight alpha."""
        return self.number(EXTRA_SAMPLES, 0) if self.samples > self.color_samples else 0

    def add_directory(self, pointer: int, encode: Callable[[int], bytes]) -> None:
        """Append a directory to the file, and a tag that points to it; `encode` returns it for its offset."""
        self.data += bytes(len(self.data) % 2)
        self.tags[pointer] = _tag(self.order, 4, [len(self.data)])
        self.data += encode(len(self.data))


def read(data: bytes, max_value_bytes: int = sys.maxsize) -> Tiff | None:
    """Read the first directory; None if there is none. Values of more than `max_value_bytes` are left out.

    Raises:
        NotDecoded: A camera raw file.
    """
    order, is_big = _layout(data)
    try:
        (at,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", data, 8 if is_big else 4)
        first, _ = _directory(data, order, is_big, at, max_value_bytes)
        _check_raw(data, order, is_big, at, max_value_bytes)
    except (struct.error, OverflowError):
        return None
    return first if first.numbers(WIDTH) and first.numbers(HEIGHT) else None


def read_directories(data: bytes, pointers: Sequence[int], max_value_bytes: int) -> list[Tiff]:
    """Read the first directory and those that its tags `pointers` lead to.

    Values of more than `max_value_bytes` are left out. A directory that is missing or unreadable is empty.
    """
    order, is_big = _layout(data)
    directories = [Tiff(data, order) for _ in range(1 + len(pointers))]
    try:
        (at,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", data, 8 if is_big else 4)
        directories[0], _ = _directory(data, order, is_big, at, max_value_bytes)
    except (struct.error, OverflowError):
        return directories
    for index, pointer in enumerate(pointers, start=1):
        with suppress(struct.error, OverflowError):
            if at := directories[0].number(pointer, 0):
                directories[index], _ = _directory(data, order, is_big, at, max_value_bytes)
    return directories


def _layout(data: bytes) -> tuple[str, bool]:
    """Return the byte order, and whether the file is a BigTIFF."""
    return "<" if data.startswith(b"II") else ">", data[2:4] in (b"+\0", b"\0+")


def _directory(data: bytes, order: str, is_big: bool, at: int, max_value_bytes: int = sys.maxsize) -> tuple[Tiff, int]:
    """Read one directory, skipping unreadable tags; return it with the offset of the next."""
    number, entry, inline = (f"{order}Q", f"{order}HHQ", 8) if is_big else (f"{order}H", f"{order}HHI", 4)
    offset = f"{order}Q" if is_big else f"{order}I"
    (count,) = struct.unpack_from(number, data, at)
    at += struct.calcsize(number)
    found = Tiff(data, order)
    for _ in range(min(count, _MAX_TAGS)):
        tag, kind, values = struct.unpack_from(entry, data, at)
        at += struct.calcsize(entry)
        length = _SIZES.get(kind, 0) * values
        start = at if length <= inline else struct.unpack_from(offset, data, at)[0]
        at += inline
        if length and start + length <= len(data) and length <= max_value_bytes:
            found.tags.setdefault(tag, Tag(kind, values, data[start : start + length]))
    following = struct.unpack_from(offset, data, at)[0] if len(data) >= at + struct.calcsize(offset) else 0
    return found, following


def _check_raw(data: bytes, order: str, is_big: bool, at: int, max_value_bytes: int) -> None:
    """Raise NotDecoded if any directory holds sensor data: in a raw file, the first one is a preview."""
    seen: set[int] = set()
    waiting, make = [at], ""
    while waiting and len(seen) < _MAX_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen or not at:
            continue
        seen.add(at)
        try:
            found, following = _directory(data, order, is_big, at, max_value_bytes)
        except (struct.error, OverflowError):
            continue
        waiting += [following, *found.numbers(SUB_DIRECTORIES)[:_MAX_DIRECTORIES]]
        if MAKE in found.tags:
            make = make or found.tags[MAKE].data.decode("latin-1").upper()
        if DNG_VERSION in found.tags:
            raise NotDecoded(RAW_PHOTO.format("DNG"))
        is_sensor = found.number(PHOTOMETRIC, 0) in (_COLOR_FILTER, _LINEAR_RAW)
        if is_sensor or found.number(COMPRESSION, 1) in _RAW_COMPRESSIONS:
            name = next((name for maker, name in _RAW_NAMES.items() if make.startswith(maker)), "TIFF of a sensor")
            raise NotDecoded(RAW_PHOTO.format(name))


def for_pillow(tiff: Tiff) -> bytes:
    """Return the file with its directory rewritten: classic, with 16-bit color maps and SHORT orientation."""
    tags = {number: tag for number, tag in tiff.tags.items() if number in _KEPT}
    for number, tag in tags.items():
        if tag.type in (16, 17, 18):
            tags[number] = _tag(tiff.order, 4, [min(value, 2**32 - 1) for value in tiff.numbers(number)])
    if ORIENTATION in tags:
        tags[ORIENTATION] = _tag(tiff.order, 3, [tiff.number(ORIENTATION, 1) & 0xFFFF])
    colors = tiff.numbers(COLOR_MAP)
    if colors and max(colors) < 256:
        tags[COLOR_MAP] = _tag(tiff.order, 3, [257 * value for value in colors])
    return with_directory(tiff, tags)


def is_unpacked_here(tiff: Tiff) -> bool:
    """Return whether `tiff_samples` has to unpack the samples from bytes.

    Raises:
        NotDecoded: Supported neither here nor by Pillow.
    """
    photometric, bits, samples = tiff.number(PHOTOMETRIC, BLACK_IS_ZERO), tiff.bits, tiff.samples
    is_plain = tiff.number(SAMPLE_FORMAT, UNSIGNED) in (UNSIGNED, 4)
    has_extra = samples > tiff.color_samples
    is_odd = (bits > 8 and bits != 12) or (tiff.number(PLANAR, 1) == 2 and samples > 1) or photometric == ICCLAB
    is_odd |= bits == 8 and (
        samples > _MAX_SAMPLES_OF_PILLOW
        or (has_extra and photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, CMYK, CIELAB))
        or not is_plain
    )
    if not is_odd:
        return False
    if tiff.number(COMPRESSION, 1) not in _UNPACKED_ALIKE:
        if bits == 8 and photometric in (BLACK_IS_ZERO, RGB, 6):
            return False
        raise NotDecoded(describe(tiff))
    is_known = tiff.color_samples > 0 and tiff.color_samples <= samples <= _MAX_SAMPLES
    if not is_known or bits not in (8, 16, 32, 64) or photometric == PALETTE:
        raise NotDecoded(describe(tiff))
    if photometric in (CMYK, CIELAB, ICCLAB) and (bits > 16 or (not is_plain and photometric == CMYK)):
        raise NotDecoded(describe(tiff))
    if tiff.number(SAMPLE_FORMAT, UNSIGNED) not in (UNSIGNED, SIGNED, FLOAT, 4):
        raise NotDecoded(describe(tiff))
    return True


def describe(tiff: Tiff) -> str:
    """Describe the sample format, to complete "the photo is"."""
    photometric = tiff.number(PHOTOMETRIC, BLACK_IS_ZERO)
    names = {0: "gray", 1: "gray", 2: "RGB", 3: "palette", 5: "CMYK", 8: "Lab", 9: "Lab", **_MEANINGS}
    kind = {SIGNED: "signed ", FLOAT: "floating-point ", 5: "complex ", 6: "complex "}
    color = names.get(photometric, f"photometric interpretation {photometric}")
    bits = "different" if not tiff.bits else str(tiff.bits)
    samples = f"{tiff.samples} {kind.get(tiff.number(SAMPLE_FORMAT, 1), '')}samples of {bits} bits"
    return f"a TIFF of {color} with {samples}, compression {tiff.number(COMPRESSION, 1)}"


def byte_planes(tiff: Tiff) -> Iterator[tuple[bytes, int]]:
    """Yield for each plane a TIFF with the samples' bytes as gray, and its number of samples per pixel.

    Rows are padded to whole tiles. Predictor differences are not undone.
    """
    samples = tiff.samples
    planes = samples if tiff.number(PLANAR, 1) == 2 else 1
    together = samples // planes
    factor = together * tiff.bits // 8
    is_tiled = TILE_OFFSETS in tiff.tags
    offsets, lengths = (TILE_OFFSETS, TILE_LENGTHS) if is_tiled else (STRIP_OFFSETS, STRIP_LENGTHS)
    starts, counts = tiff.numbers(offsets), tiff.numbers(lengths)
    each = len(starts) // planes
    long: Callable[[list[int]], Tag] = lambda values: _tag(tiff.order, 4, values)  # noqa: E731
    for plane in range(planes):
        part = slice(plane * each, (plane + 1) * each)
        tags = {n: tiff.tags[n] for n in (COMPRESSION, FILL_ORDER) if n in tiff.tags}
        tags |= {
            WIDTH: long([row_pixels(tiff) * factor]),
            HEIGHT: long([tiff.number(HEIGHT, 0)]),
            BITS: long([8]),
            PHOTOMETRIC: long([1]),
            SAMPLES: long([1]),
            offsets: long(list(starts[part])),
        }
        if counts:
            tags[lengths] = long(list(counts[part]))
        if is_tiled:
            tags[TILE_WIDTH] = long([tiff.number(TILE_WIDTH, 0) * factor])
            tags[TILE_HEIGHT] = long([tiff.number(TILE_HEIGHT, 0)])
        else:
            tags[ROWS_PER_STRIP] = long([min(tiff.number(ROWS_PER_STRIP, 2**31), tiff.number(HEIGHT, 0))])
        yield with_directory(tiff, tags), together


def row_pixels(tiff: Tiff) -> int:
    """Return the pixels per row, including the padding of the last tile."""
    width, tile = tiff.number(WIDTH, 0), tiff.number(TILE_WIDTH, 0)
    if TILE_OFFSETS not in tiff.tags:
        return width
    if tile <= 0 or tile > 2**20:
        raise ValueError("tiles without a width")
    return -(-width // tile) * tile


def _tag(order: str, kind: int, values: list[int]) -> Tag:
    return Tag(kind, len(values), struct.pack(f"{order}{len(values)}{_INTEGERS[kind]}", *values))


def with_directory(tiff: Tiff, tags: dict[int, Tag]) -> bytes:
    """Return the file with a directory of these tags appended, and a header that points to it."""
    order = tiff.order
    padding = bytes(-len(tiff.data) % 2)
    start = len(tiff.data) + len(padding)
    behind = start + 2 + 12 * len(tags) + 4
    entries, values = [struct.pack(f"{order}H", len(tags))], []
    for number, tag in sorted(tags.items()):
        data = tag.data
        if len(data) > 4:
            values.append(data + bytes(len(data) % 2))
            data = struct.pack(f"{order}I", behind)
            behind += len(values[-1])
        entries.append(struct.pack(f"{order}HHI", number, tag.type, tag.count) + data.ljust(4, b"\0"))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return b"".join([head, tiff.data[8:], padding, *entries, bytes(4), *values])
