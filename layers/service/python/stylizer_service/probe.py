"""A cheap look at an upload, so that what cannot be painted is refused on arrival and not minutes later.

Reads the header, and of JPEG and PNG enough to notice that the end is missing; never decodes a full picture.
The painter decodes for real and stays the judge: what passes here can still fail there, with the same problem
types.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from stylizer_service.models import MEDIA_TYPES, MediaType
from stylizer_service.problems import ProblemError, failure
from stylizer_service.settings import Settings

if TYPE_CHECKING:
    from PIL import Image

_FORMATS: dict[str, MediaType] = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "HEIF": "image/heic",
}
_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class ProbedImage:
    """What a header tells: the shape after the photo has been turned upright, and the type."""

    width: int
    height: int
    media_type: MediaType


class Probe:
    """Checks pictures against the limits of the settings."""

    def __init__(self, settings: Settings):
        self._limits = settings

    def check(self, file: BinaryIO, *, field: str) -> ProbedImage:
        """Look at a picture.

        Args:
            file: A seekable reader, read from its start, left open.
            field: The input it came in, for errors.

        Raises:
            ProblemError: Of the type that the painter's refusal would have.
        """
        self._check_length(file, field)
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, which is no reason to refuse a picture.
            warnings.simplefilter("ignore")
            image = _open(file, field)
            with image:
                self._check_shape(image, field)
                upright = _upright_size(image)
                _check_whole(image, field)
                return ProbedImage(*upright, _FORMATS[image.format or ""])

    def _check_length(self, file: BinaryIO, field: str) -> None:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        if length == 0:
            raise failure("empty-image", f"{field} has no bytes", field=field, allowed="a picture")
        if length > self._limits.max_bytes:
            raise failure(
                "image-too-large",
                f"{field} has {length} bytes",
                field=field,
                allowed=f"at most {self._limits.max_bytes} bytes",
            )

    def _check_shape(self, image: Image.Image, field: str) -> None:
        width, height = image.size
        limits = self._limits
        shape = f"{field} is {width} x {height} pixels"
        if width * height > limits.max_pixels:
            allowed = f"at most {limits.max_pixels} pixels"
            raise failure("too-many-pixels", shape, field=field, allowed=allowed)
        if min(width, height) < limits.min_side:
            allowed = f"sides of at least {limits.min_side} pixels"
            raise failure("image-too-small", shape, field=field, allowed=allowed)
        if max(width, height) > limits.max_aspect_ratio * min(width, height):
            allowed = f"at most {limits.max_aspect_ratio:g} times as long as wide"
            raise failure("extreme-aspect-ratio", shape, field=field, allowed=allowed)


@cache
def _pillow() -> ModuleType:
    """Pillow with every format registered; loaded by the first picture, not by the first request."""
    from PIL import Image

    # Our own limit is checked on the header, before anything is decoded; Pillow's would hide the size from
    # the error.
    Image.MAX_IMAGE_PIXELS = None
    try:
        from pillow_heif import register_heif_opener
    except ImportError:  # Then HEIC is refused as unsupported.
        return Image
    register_heif_opener()
    return Image


def _open(file: BinaryIO, field: str) -> Image.Image:
    try:
        image: Image.Image = _pillow().open(file, formats=tuple(_FORMATS))
    except Exception as error:
        if _looks_accepted(file):
            raise _corrupt(field) from error
        raise _unsupported(field) from error
    return image


def _looks_accepted(file: BinaryIO) -> bool:
    """Whether the first bytes promise a picture, although Pillow could not make sense of the rest."""
    file.seek(0)
    head = file.read(12)
    return head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")) or (
        head[:4] == b"RIFF" and head[8:] == b"WEBP"
    )


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    try:
        sideways = image.getexif().get(_ORIENTATION) in _SIDEWAYS
    except Exception:  # Broken metadata says nothing about orientation; the core treats it the same.
        sideways = False
    return (height, width) if sideways else (width, height)


def _check_whole(image: Image.Image, field: str) -> None:
    """Notice a file that ends too early, at a small part of the cost of decoding it."""
    try:
        if image.format in ("JPEG", "MPO"):
            image.draft("RGB", (image.width // 8, image.height // 8))
            image.load()
        elif image.format == "PNG":
            image.verify()
    except Exception as error:
        raise _corrupt(field) from error


def _corrupt(field: str) -> ProblemError:
    return failure("corrupt-image", f"{field} is broken or cut short", field=field, allowed="a whole picture")


def _unsupported(field: str) -> ProblemError:
    return failure(
        "unsupported-image",
        f"{field} is not a picture of an accepted format",
        field=field,
        allowed=MEDIA_TYPES,
    )
