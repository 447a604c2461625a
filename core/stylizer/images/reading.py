"""From a source to a header: read no more than allowed, tell the format, open it with its decoder."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from stylizer.errors import (
    CorruptImage,
    EmptyImage,
    ImageError,
    ImageTooLarge,
    TooManyPixels,
    UnreadableImage,
    UnsupportedImage,
)
from stylizer.images.limits import Limits, check_pixels, noun
from stylizer.images.structure import check_structure

ImageSource = bytes | str | os.PathLike[str] | BinaryIO | Image.Image
"""A picture as its encoded bytes, the path of its file, an open binary file, or one already in memory."""


def open_header(source: ImageSource, limits: Limits, field: str) -> tuple[Image.Image, str]:
    """Read the header, decode nothing. A picture in memory is taken as it is.

    Returns:
        The picture, its pixels not loaded yet, and the name of its format in lower case.
    """
    if isinstance(source, Image.Image):
        return source, (source.format or "memory").lower()
    data = read(source, limits, field)
    name = _sniff(data)
    opener = _OPENERS.get(name)
    if opener is None:
        raise _unsupported(f"{noun(field)} is {name}", field, tuple(_OPENERS))
    check_structure(data, name, field)
    if name in ("avif", "heic"):
        _check_promised_sizes(data, limits, field)
    with translated_errors(limits, field):
        return opener(io.BytesIO(data)), name


def _check_promised_sizes(data: bytes, limits: Limits, field: str) -> None:
    """Check every "ispe" box; the libraries would call a huge one broken, and not say why."""
    at = data.find(_ISPE)
    while at >= 0:
        width_and_height = data[at + len(_ISPE) : at + len(_ISPE) + 8]
        if len(width_and_height) == 8:
            check_pixels(struct.unpack(">II", width_and_height), limits, field)
        at = data.find(_ISPE, at + 1)


@contextmanager
def translated_errors(limits: Limits, field: str) -> Iterator[None]:
    """Turn whatever a decoder raises, and between them they raise nearly everything, into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except _NoHeic as error:
        detail = f"{noun(field)} is HEIC, which this machine has no library for"
        raise _unsupported(detail, field, tuple(name for name in _OPENERS if name != "heic")) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # What a decoder finds by itself: a WebP beyond its own ceiling, a frame larger than its screen.
        allowed = f"at most {limits.max_pixels / 1e6:g} megapixels"
        detail = f"{noun(field)} would unpack to far too many pixels; allowed are {allowed}"
        raise TooManyPixels(detail, field=field, allowed=allowed) from error
    except MemoryError as error:
        raise ImageError(f"{noun(field)} takes more memory than there is", field=field) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CorruptImage(f"{noun(field)} is broken or cut short: {reason}", field=field) from error


def _unsupported(detail: str, field: str, formats: tuple[str, ...]) -> UnsupportedImage:
    allowed = [f"image/{name}" for name in formats]
    return UnsupportedImage(f"{detail}; accepted are {', '.join(formats)}", field=field, allowed=allowed)


def read(source: bytes | str | os.PathLike[str] | BinaryIO, limits: Limits, field: str) -> bytes:
    """The bytes of a picture, no more than allowed; raises an ImageError where there are none, or too many."""
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        size = f"{len(data):,} bytes"
    else:
        data = _read_file(source, limits.max_bytes + 1, field)
        size = f"more than {limits.max_bytes:,} bytes"
    if not data:
        raise EmptyImage(f"{noun(field)} is empty: it has 0 bytes", field=field, allowed="at least 1 byte")
    if len(data) > limits.max_bytes:
        allowed = f"at most {limits.max_bytes:,} bytes"
        raise ImageTooLarge(f"{noun(field)} has {size}; allowed are {allowed}", field=field, allowed=allowed)
    return data


def _read_file(source: str | os.PathLike[str] | BinaryIO, most: int, field: str) -> bytes:
    """Read no more than `most` bytes, so that a file without end does not fill the memory."""
    try:
        if isinstance(source, str | os.PathLike):
            with open(source, "rb") as file:  # noqa: PTH123 - Path() would not take every PathLike
                return _read_up_to(file, most)
        return _read_up_to(source, most)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        which = f" {os.fspath(source)!r}" if isinstance(source, str | os.PathLike) else ""
        raise UnreadableImage(f"{noun(field)}{which} cannot be read: {reason}", field=field) from error


def _read_up_to(file: BinaryIO, most: int) -> bytes:
    buffer = io.BytesIO()
    while buffer.tell() < most and (part := file.read(min(2**20, most - buffer.tell()))):
        buffer.write(part)
    return buffer.getvalue()


def _sniff(data: bytes) -> str:
    """Name the format by its signature: a key of `_OPENERS`, or words for what it is instead."""
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
        brands = {box[at : at + 4] for at in range(0, len(box), 4)}
        return next((name for name, known in _BRANDS if brands & known), "a video or another media file")
    is_text = all(byte >= 9 for byte in data[:256])
    return "text" if is_text else "not a picture, or of an unknown format"


_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"BM", "a BMP picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
)
# A box of 20 bytes, version and flags 0; width and height follow.
_ISPE = b"\0\0\0\x14ispe\0\0\0\0"
_BRANDS = (
    ("avif", {b"avif", b"avis"}),
    ("heic", {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}),
)


class _NoHeic(Exception):
    """The library that reads HEIC is not installed."""


def _open_heic(file: BinaryIO) -> Image.Image:
    """HEIC needs a library of its own: loaded with the first such picture, and a machine may lack it."""
    try:
        from pillow_heif import as_plugin
    except ImportError as error:
        raise _NoHeic from error
    opened: Image.Image = as_plugin.HeifImageFile(file)  # type: ignore[no-untyped-call]
    return opened


_OPENERS: dict[str, Callable[[BinaryIO], Image.Image]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "heic": _open_heic,
}
