"""A cheap look at an upload, so that what cannot be painted is refused on arrival and not minutes later.

Reads headers and lengths and decodes nothing. The painter decodes and stays the judge: what passes here can
still fail there, with a problem of the same types. This is not the core's reader because this layer ships
without the core.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from stylizer_service.models import MEDIA_TYPES, MediaType
from stylizer_service.ports import Unavailable
from stylizer_service.problems import ProblemError, failure
from stylizer_service.settings import Settings

if TYPE_CHECKING:
    from PIL import Image

    Opener = Callable[[BinaryIO], Image.Image]

_NOUNS = {
    "content": "the photo",
    "style": "the style picture",
    "mask": "the mask",
    "content_mask": "the content mask",
}
_MASKS = ("mask", "content_mask")
_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_HEAD = 256


@dataclass(frozen=True, slots=True)
class ProbedImage:
    """What a header tells: the shape once the picture is upright, and the type."""

    width: int
    height: int
    media_type: MediaType


class Probe:
    """Checks pictures against the limits of the settings."""

    def __init__(self, settings: Settings):
        self._limits = settings

    @property
    def max_pixels(self) -> int:
        """Of a picture, and of a painting."""
        return self._limits.max_pixels

    def check(self, file: BinaryIO, *, field: str) -> ProbedImage:
        """Look at a picture.

        Args:
            file: A seekable reader, read from its start, left open.
            field: The input it came in, for errors. Of a mask only bytes and pixels are limited, because
                the shape is the photo's.

        Raises:
            ProblemError: Of the type that the painter's refusal would have.
        """
        length = self._check_length(file, field)
        head = file.read(_HEAD)
        media_type = _sniff(head)
        if media_type is None:
            raise _unsupported(field)
        if media_type in ("image/avif", "image/heic"):
            self._check_promised_sizes(file, field)
        open_image = _opener(media_type)  # before the try: a library that is missing is no fault of the picture's
        try:
            size = _upright_size(media_type, open_image, file)
            whole = _is_whole(media_type, file, length)
        except (ProblemError, Unavailable):
            raise
        except Exception as error:  # Between them the decoders raise nearly everything.
            raise _corrupt(field) from error
        self._check_shape(size, field)
        if not whole:
            raise _corrupt(field)
        return ProbedImage(*size, media_type)

    def _check_length(self, file: BinaryIO, field: str) -> int:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        if length == 0:
            detail = f"{_noun(field)} is empty: it has 0 bytes"
            raise failure("empty-image", detail, field=field, allowed="at least 1 byte")
        if length > self._limits.max_bytes:
            allowed = f"at most {self._limits.max_bytes:,} bytes"
            detail = f"{_noun(field)} has {length:,} bytes; allowed are {allowed}"
            raise failure("image-too-large", detail, field=field, allowed=allowed)
        return length

    def _check_shape(self, size: tuple[int, int], field: str) -> None:
        self._check_pixels(size, field)
        if field in _MASKS:
            return
        short, long = sorted(size)
        shape = f"{_noun(field)} is {size[0]:,} x {size[1]:,} pixels"
        if short < self._limits.min_side:
            allowed = f"at least {self._limits.min_side} pixels a side"
            detail = f"{shape}; it must have {allowed}"
            raise failure("image-too-small", detail, field=field, allowed=allowed)
        if long > short * self._limits.max_aspect_ratio:
            allowed = f"at most {self._limits.max_aspect_ratio:g} times as long as wide"
            raise failure("extreme-aspect-ratio", f"{shape}; it may be {allowed}", field=field, allowed=allowed)

    def _check_pixels(self, size: tuple[int, int], field: str) -> None:
        if size[0] * size[1] > self._limits.max_pixels:
            allowed = f"at most {self._limits.max_pixels / 1e6:g} megapixels"
            detail = f"{_noun(field)} is {size[0]:,} x {size[1]:,} pixels; allowed are {allowed}"
            raise failure("too-many-pixels", detail, field=field, allowed=allowed)

    def _check_promised_sizes(self, file: BinaryIO, field: str) -> None:
        """Check every "ispe" box of an AVIF or HEIC; the libraries would call a huge one broken."""
        file.seek(0)
        data = file.read()
        at = data.find(_ISPE)
        while at >= 0:
            sides = data[at + len(_ISPE) : at + len(_ISPE) + 8]
            if len(sides) == 8:
                self._check_pixels(struct.unpack(">II", sides), field)
            at = data.find(_ISPE, at + 1)


# A box of 20 bytes, version and flags 0; width and height follow.
_ISPE = b"\0\0\0\x14ispe\0\0\0\0"
_SIGNATURES: tuple[tuple[bytes, MediaType], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),
    (b"MM\0+", "image/tiff"),
)
_BRANDS: tuple[tuple[set[bytes], MediaType], ...] = (
    ({b"avif", b"avis"}, "image/avif"),
    ({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}, "image/heic"),
)


def _sniff(head: bytes) -> MediaType | None:
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        box = head[8 : int.from_bytes(head[:4], "big")]
        brands = {box[at : at + 4] for at in range(0, len(box), 4)}
        return next((media_type for known, media_type in _BRANDS if known & brands), None)
    return None


def _upright_size(media_type: MediaType, open_image: Opener, file: BinaryIO) -> tuple[int, int]:
    file.seek(0)
    image = open_image(file)
    width, height = image.size
    if media_type == "image/tiff":  # Pillow has turned this one already.
        return width, height
    try:
        sideways = image.getexif().get(_ORIENTATION) in _SIDEWAYS
    except Exception:  # Metadata that cannot be read turns nothing.
        sideways = False
    return (height, width) if sideways else (width, height)


def _opener(media_type: MediaType) -> Opener:
    """The one decoder that may see the data, loaded with the first such picture."""
    if media_type == "image/heic":
        from pillow_heif import as_plugin

        return cast("Opener", as_plugin.HeifImageFile)
    from PIL import (
        AvifImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    openers: dict[MediaType, Opener] = {
        "image/jpeg": JpegImagePlugin.JpegImageFile,
        "image/png": PngImagePlugin.PngImageFile,
        "image/webp": WebPImagePlugin.WebPImageFile,
        "image/avif": AvifImagePlugin.AvifImageFile,
        "image/tiff": TiffImagePlugin.TiffImageFile,
        "image/gif": GifImagePlugin.GifImageFile,
    }
    return openers[media_type]


def _is_whole(media_type: MediaType, file: BinaryIO, length: int) -> bool:
    """Whether the file reaches its own end, where the format tells that without decoding."""
    file.seek(0)
    if media_type == "image/jpeg":
        return _jpeg_has_end(file.read())
    if media_type == "image/png":
        return _png_chunks_fit(file, length)
    if media_type == "image/webp":
        size = int.from_bytes(file.read(8)[4:], "little")
        return size + 8 <= length
    return True


def _jpeg_has_end(data: bytes) -> bool:
    """Walk the segments to the first scan; after it FF D9 is the end of the picture and nothing else."""
    at = 2
    while data[at : at + 1] == b"\xff":
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker == 0xDA:
            return data.find(b"\xff\xd9", at) >= 0
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _png_chunks_fit(file: BinaryIO, length: int) -> bool:
    at = 8
    while at + 8 <= length:
        file.seek(at)
        header = file.read(8)
        if header[4:] == b"IEND":
            return True
        at += 12 + int.from_bytes(header[:4], "big")
    # Without an IEND, but with all it announced: decoders take it.
    return at == length


def _noun(field: str) -> str:
    return _NOUNS["style"] if field.startswith("style") else _NOUNS.get(field, "the picture")


def _corrupt(field: str) -> ProblemError:
    return failure("corrupt-image", f"{_noun(field)} is broken or cut short", field=field, allowed="a whole picture")


def _unsupported(field: str) -> ProblemError:
    detail = f"{_noun(field)} is not a picture of an accepted format"
    return failure("unsupported-image", detail, field=field, allowed=MEDIA_TYPES)
