"""Header parsers of animated pictures (GIF, WebP, APNG), without decoding pixels.

Collects the durations of frames from the blocks of a file, which Pillow does only while decoding. Needs neither Pillow
nor NumPy, so that the service can validate a request with it.
"""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from math import lcm

from stylizer.clips.info import ClipInfo, InputFormat, clip_format
from stylizer.clips.limits import DEFAULT_CLIP_LIMITS, ClipLimits, check_clip, check_frame_count
from stylizer.errors import CorruptImage, UnsupportedImage
from stylizer.images.complexity import palette_bytes
from stylizer.images.limits import Limits, check_dimensions
from stylizer.images.webp import read_chunk_size

MAX_BLOCKS = 2**20  # per file; parsing them takes about a second
DEFAULT_MS = 100  # what browsers use for frames of up to 10 ms


class _Broken(Exception):
    """The file is damaged; the message completes "the clip is broken: "."""


def probe_animation(data: bytes, limits: ClipLimits = DEFAULT_CLIP_LIMITS, field: str = "content") -> ClipInfo:
    """Read the headers of a GIF, WebP or PNG file, animated or not.

    Frames of up to 10 ms count as 100 ms, as in browsers.

    Raises:
        UnsupportedImage: The file has another format.
        CorruptImage: The file is truncated or broken, or has no frames.
        ImageError: The clip exceeds a limit; each has its own subclass.
    """
    name = clip_format(data[:64])
    if name not in _READERS:
        raise UnsupportedImage("the clip is not an animated GIF, WebP or PNG file", field=field)
    try:
        info = _READERS[name](data, limits, field)
    except (struct.error, IndexError) as error:
        raise CorruptImage("the clip is broken: it is truncated", field=field) from error
    except (_Broken, ValueError) as error:
        raise CorruptImage(f"the clip is broken: {error}", field=field) from error
    check_clip(info, limits, field)
    return info


def _info(name: InputFormat, size: tuple[int, int], durations: list[Fraction], loop: int) -> ClipInfo:
    """Return the description of a clip, with durations in seconds."""
    shown = [Fraction(DEFAULT_MS, 1000) if duration * 1000 <= 10 else duration for duration in durations]
    ticks = lcm(1000, *(duration.denominator for duration in shown)) if len(shown) else 1000
    if ticks > 10**9:  # delays of APNG are arbitrary fractions
        ticks = 10**6
    ends = itertools.accumulate(shown, initial=Fraction(0))
    return ClipInfo(name, *size, (1, ticks), tuple(round(end * ticks) for end in ends), loop)


def _probe_gif(data: bytes, limits: ClipLimits, field: str) -> ClipInfo:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    _check_size(width, height, limits, field)
    at, loop, delay, durations = 13 + palette_bytes(flags), 1, 0, list[Fraction]()
    for _ in range(MAX_BLOCKS):
        kind = data[at]
        if kind == 0x3B:
            return _info("gif", (width, height), durations, loop)
        if kind == 0x21:
            label, at = data[at + 1], at + 2
            if label == 0xF9 and data[at] >= 4:
                (delay,) = struct.unpack_from("<H", data, at + 2)
            elif label == 0xFF and data[at + 1 : at + 12] == b"NETSCAPE2.0" and data[at + 13] == 1:
                (times,) = struct.unpack_from("<H", data, at + 14)
                loop = times + 1 if times else 0  # the file counts repetitions after the first
        elif kind == 0x2C:
            at += 10 + palette_bytes(data[at + 9]) + 1  # descriptor, palette, code size
            durations.append(Fraction(delay, 100))
            delay = 0
            check_frame_count(len(durations), limits, field)
        else:
            raise _Broken("it has a block of an unknown type")
        while data[at]:
            at += 1 + data[at]
        at += 1
        if at >= len(data) and durations:  # many files lack the trailer
            return _info("gif", (width, height), durations, loop)
    raise _Broken(f"it has more than {MAX_BLOCKS:,} blocks")


def _probe_webp(data: bytes, limits: ClipLimits, field: str) -> ClipInfo:
    size: tuple[int, int] | None = None
    animated, loop, durations = False, 0, list[Fraction]()
    at = 12
    for _ in range(MAX_BLOCKS):
        if at >= len(data) or at >= 8 + int.from_bytes(data[4:8], "little"):
            break
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"VP8X":
            animated = bool(data[at + 8] & 2)
            size = read_chunk_size(name, data, at + 8)
            _check_size(*size, limits, field)
        elif name == b"ANIM":
            (loop,) = struct.unpack_from("<H", data, at + 12)
        elif name == b"ANMF":
            if at + 8 + length > len(data):
                raise IndexError
            durations.append(Fraction(int.from_bytes(data[at + 20 : at + 23], "little"), 1000))
            check_frame_count(len(durations), limits, field)
        elif name in (b"VP8 ", b"VP8L") and not animated:
            return _info("webp", size or read_chunk_size(name, data, at + 8), [Fraction(1, 10)], 1)
        at += 8 + length + length % 2
    if size is None:
        raise _Broken("it has no header")
    return _info("webp", size, durations, loop)


def _probe_png(data: bytes, limits: ClipLimits, field: str) -> ClipInfo:
    width, height = struct.unpack_from(">II", data, 16)
    _check_size(width, height, limits, field)
    declared, loop, durations, has_pixels = 0, 1, list[Fraction](), False
    at = 8
    for _ in range(MAX_BLOCKS):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"acTL":
            declared, loop = struct.unpack_from(">II", data, at + 8)
            check_frame_count(declared, limits, field)
        elif name == b"fcTL" and declared:
            numerator, denominator = struct.unpack_from(">HH", data, at + 8 + 20)
            durations.append(Fraction(numerator, denominator or 100))
            check_frame_count(len(durations), limits, field)
        has_pixels = has_pixels or name == b"IDAT"
        at += 12 + length
        if name == b"IEND":
            break
        if at > len(data):
            raise IndexError
    if not has_pixels:
        raise _Broken("it has no image data")
    if declared and len(durations) != declared:
        raise _Broken(f"it has {len(durations)} frames and its header says {declared}")
    return _info("png", (width, height), durations or [Fraction(1, 10)], loop if declared else 1)


def _check_size(width: int, height: int, limits: ClipLimits, field: str) -> None:
    """Raise the matching ImageError unless (width, height) is within the limits."""
    frame: Limits = limits.of_frames()
    check_dimensions((width, height), frame, field)


_READERS = {"gif": _probe_gif, "webp": _probe_webp, "png": _probe_png}
