"""Normalization of PNG files to their first image, so that damaged metadata never costs the image.

Pillow rejects a whole file for one bad or large ancillary chunk. Here ancillary chunks are parsed one by one (PNG,
third edition, W3C 2025, section 11.3), those with a wrong checksum or contents are skipped, and Pillow gets the rest.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass, field

from stylizer.images.colorimetry import Colorimetry
from stylizer.images.png_chunks import SIGNATURE, chunk, chunks, collect_metadata, inflate, is_intact

_MAX_NUMBERS = 100_000
_GRAY, _RGB = 0, 2
_SRGB_GAMMA, _SRGB_CHROMATICITIES = 45455, (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


@dataclass(slots=True)
class Png:
    """The first image of a PNG file.

    Attributes:
        data: A PNG file with this image only.
        icc_profile: As embedded; may be invalid.
        color: Color space if there is no usable profile; None for sRGB.
        overrides_profile: Whether `color` takes precedence over the profile (cICP).
        metadata: EXIF and XMP, by Pillow's names.
        dpi: Horizontal and vertical resolution in pixels per inch; None if unknown.
        transparent: Sample values of the one transparent color, gray (1) or RGB (3), of `depth` bits.
        depth: Bits per sample.
        canvas: (width, height) of the canvas and (x, y) of this image on it; None if it covers the canvas.
    """

    data: bytes = b""
    icc_profile: bytes | None = None
    color: Colorimetry | None = None
    overrides_profile: bool = False
    metadata: dict[str | tuple[int, int], bytes | str] = field(default_factory=dict)
    dpi: tuple[float, float] | None = None
    transparent: tuple[int, ...] | None = None
    depth: int = 8
    canvas: tuple[tuple[int, int], tuple[int, int]] | None = None


_USED = (b"cHRM", b"cICP", b"gAMA", b"iCCP", b"pHYs", b"sRGB", b"tRNS")


def reduce(data: bytes) -> Png:
    """Split a PNG file into its first image and the metadata. A broken header is left for Pillow to report."""
    png, ancillary = Png(), dict[bytes, bytes]()
    view, critical = memoryview(data), list[bytes | memoryview]([SIGNATURE])  # pixels are copied once, when joined
    header, frame = b"", _FirstFrame()
    has_pixels = False
    for name, start, end in chunks(data):
        has_pixels |= name == b"IDAT"
        if name in (b"acTL", b"fcTL", b"fdAT"):
            frame.add(name, data[start + 8 : end - 4], has_pixels)
        elif name[0] & 0x20 == 0:
            header = data[start + 8 : end - 4] if name == b"IHDR" else header
            critical.append(view[start:end])
        elif is_intact(data, start, end):
            ancillary.setdefault(name, data[start + 8 : end - 4] if name in _USED else b"")  # others may be large
            collect_metadata(png.metadata, name, data[start + 8 : end - 4])
    if len(header) != 13:
        png.data = data
        return png
    png.depth, kind = header[8], header[9]
    transparency = ancillary.get(b"tRNS")
    if transparency is not None and kind in (_GRAY, _RGB):
        count = 1 if kind == _GRAY else 3
        if len(transparency) >= 2 * count:
            mask = 2**png.depth - 1
            png.transparent = tuple(value & mask for value in struct.unpack_from(f">{count}H", transparency))
    elif transparency is not None:  # of a palette
        before_pixels = next((at for at, part in enumerate(critical) if part[4:8] == b"IDAT"), len(critical))
        critical.insert(before_pixels, chunk(b"tRNS", transparency))
    placed = frame.placed(header)
    if placed is not None:
        png.canvas = placed
        critical = [part for part in critical if part[4:8] not in (b"IDAT", b"IHDR")]
        critical[1:1] = [chunk(b"IHDR", frame.size + header[8:])]
        at = next((at for at, part in enumerate(critical) if part[4:8] == b"IEND"), len(critical))
        critical[at:at] = frame.pixels
    png.data = b"".join(critical)
    png.dpi = _dpi(ancillary.get(b"pHYs", b""))
    _set_color(png, ancillary)
    return png


class _FirstFrame:
    """The first frame of an animation whose static image, shown by readers without APNG support, is not a frame."""

    def __init__(self) -> None:
        self.size = b""
        self.pixels: list[bytes] = []
        self._place = b""
        self._is_animated = False
        self._controls = 0
        self._numbers: list[bytes] = []

    def add(self, name: bytes, body: bytes, is_behind_pixels: bool) -> None:
        """Process an acTL, fcTL or fdAT chunk."""
        if name == b"acTL":
            self._is_animated |= not is_behind_pixels
            return
        if self._controls <= 1 and len(self._numbers) < _MAX_NUMBERS:
            self._numbers.append(body[:4])
        if name == b"fcTL":
            self._controls += 1
            if self._controls == 1 and is_behind_pixels and len(body) >= 20:
                self.size, self._place = body[4:12], body[12:20]
        elif self._controls == 1 and self.size:
            self.pixels.append(chunk(b"IDAT", body[4:]))

    def placed(self, header: bytes) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Return the canvas size and the frame's position; None if there is no such frame, or it is invalid."""
        in_sequence = self._numbers[: len(self.pixels) + 1] == [
            number.to_bytes(4, "big") for number in range(min(len(self.pixels) + 1, _MAX_NUMBERS))
        ]
        if not self.pixels or not self._is_animated or not in_sequence:
            return None
        (width, height), (frame_width, frame_height) = (struct.unpack(">II", size) for size in (header[:8], self.size))
        x, y = struct.unpack(">II", self._place)
        fits = 0 < frame_width <= width - x and 0 < frame_height <= height - y
        return ((width, height), (x, y)) if fits else None


def _dpi(density: bytes) -> tuple[float, float] | None:
    """Return the resolution of a pHYs chunk in pixels per inch; None if it gives an aspect ratio only."""
    if len(density) != 9 or density[8] != 1:
        return None
    across, down = struct.unpack_from(">II", density)
    return across * 0.0254, down * 0.0254


def _set_color(png: Png, ancillary: dict[bytes, bytes]) -> None:
    """Set the color space by the precedence of section 4.3: cICP, iCCP, sRGB, then gAMA and cHRM."""
    cicp = ancillary.get(b"cICP", b"")
    if len(cicp) == 4 and cicp[2] == 0:
        with suppress(ValueError):
            png.color = Colorimetry.by_codes(cicp[0], cicp[1], is_full_range=cicp[3] == 1)
            png.overrides_profile = True
            return
    profile = ancillary.get(b"iCCP")
    if profile is not None:
        _, _, packed = profile.partition(b"\0")
        png.icc_profile = inflate(packed[1:])
    if b"sRGB" in ancillary:
        return
    gamma = int.from_bytes(ancillary.get(b"gAMA", b"")[:4], "big")
    numbers = ancillary.get(b"cHRM", b"")
    points = struct.unpack(">8I", numbers) if len(numbers) == 32 else _SRGB_CHROMATICITIES
    is_srgb = abs(gamma - _SRGB_GAMMA) <= 500 or gamma == 0
    if is_srgb and all(abs(a - b) <= 500 for a, b in zip(points, _SRGB_CHROMATICITIES, strict=True)):
        return  # what software without support for the sRGB chunk writes for sRGB
    with suppress(ValueError):
        png.color = Colorimetry.by_chromaticities([value / 1e5 for value in points], gamma / 1e5 if gamma else None)
