"""A cheap look at an upload, so that what cannot be painted is refused on arrival and not minutes later.

Reads headers and lengths and decodes nothing. The painter decodes and stays the judge: what passes here can
still fail there, with a problem of the same types. In this process only the first bytes are looked at; `headers`, which
knows the libraries, runs in forks with limits on memory and time (`sandbox`).
"""

from __future__ import annotations

import atexit
import hashlib
import os
import threading
from dataclasses import dataclass
from typing import Any, BinaryIO

from stylizer_service.header_tiff import RAW_PHOTO
from stylizer_service.models import MEDIA_TYPES, MediaType
from stylizer_service.ports import Unavailable
from stylizer_service.problems import ProblemError, failure
from stylizer_service.sandbox.sandbox import (
    Crashed,
    GuardError,
    ResourceLimits,
    Sandbox,
    SandboxUnavailable,
    WallClockTimeout,
)
from stylizer_service.settings import Settings

_NOUNS = {
    "content": "the photo",
    "style": "the style picture",
    "mask": "the mask",
    "content_mask": "the content mask",
}
_MASKS = ("mask", "content_mask")
_HEAD = 256  # bytes; what a file is stands in its first ones
CPU_SECONDS = 3
"""What opening one picture may take. The slowest that are no attacks take a tenth of one."""
_SECONDS = 15
_OVERHEAD = 128 * 2**20
_KNOWN = 1000
"""Of so many files it is remembered what was found; it takes a few hundred bytes for each."""
_GUARD = Sandbox("stylizer_service.headers:examine", at_once=4)
atexit.register(_GUARD.close)


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
        self._known: dict[tuple[str, bytes], dict[str, Any]] = {}
        self._lock = threading.Lock()

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
            Unavailable: It cannot be read or looked at now.
        """
        self._check_length(file, field)
        try:
            head = file.read(_HEAD)
            media_type = _sniff(head)
            if media_type is None and not _is_general_heif(head):
                raise _unsupported(field, _name(head))
            data = head + file.read()
        except OSError as error:  # no fault of the picture's: the disk failed, or the file was deleted meanwhile
            raise Unavailable(f"{_noun(field)} cannot be read here for the moment") from error
        media_type = media_type or _sniff_coding(data)
        if media_type is None:
            raise _unsupported(field)
        found = self._known_or_examined(media_type, data, field)
        if "unsupported" in found:
            raise _unsupported(field, found["unsupported"])
        if found["size"] is None:
            raise _corrupt(field)
        width, height = found["size"]
        self._check_shape((width, height), field)
        if not found["whole"]:
            raise _corrupt(field)
        return ProbedImage(width, height, media_type)

    def _known_or_examined(self, media_type: MediaType, data: bytes, field: str) -> dict[str, Any]:
        """What there is to know of a file, from memory if it was looked at before.

        Most were: what comes in a form is looked at on arrival and as the job's own copy, and a photo is painted in
        more than one style.
        """
        name = (media_type, hashlib.sha256(data).digest())
        with self._lock:
            found = self._known.get(name)
        if found is None:
            found = self._examine(media_type, data, field)
            with self._lock:
                self._known[name] = found
                if len(self._known) > _KNOWN:
                    del self._known[next(iter(self._known))]
        return found

    def _examine(self, media_type: MediaType, data: bytes, field: str) -> dict[str, Any]:
        # Libraries copy a file once or twice, and unpack profiles and texts; pixels they have none of yet.
        memory = 4 * self._limits.max_bytes + _OVERHEAD
        request = {"media_type": media_type, "max_pixels": self._limits.max_pixels}
        try:
            found, _ = _GUARD.run(
                request, data, ResourceLimits(memory=memory, cpu_seconds=CPU_SECONDS, seconds=_SECONDS)
            )
        except (SandboxUnavailable, WallClockTimeout) as error:
            raise Unavailable("pictures cannot be looked at here for the moment") from error
        except Crashed as error:
            raise _corrupt(field) from error
        except GuardError as error:
            detail = f"{_noun(field)} takes more time or memory to open than a picture may"
            raise failure("unusable-image", detail, field=field) from error
        return dict(found)

    def _check_length(self, file: BinaryIO, field: str) -> None:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        if length == 0:
            detail = f"{_noun(field)} is empty: it has 0 bytes"
            raise failure("empty-image", detail, field=field, allowed="at least 1 byte")
        if length > self._limits.max_bytes:
            allowed = f"at most {self._limits.max_bytes:,} bytes"
            detail = f"{_noun(field)} has {length:,} bytes; allowed are {allowed}"
            raise failure("image-too-large", detail, field=field, allowed=allowed)

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


_SIGNATURES: tuple[tuple[bytes, MediaType], ...] = (
    (b"\xff\xd8", "image/jpeg"),
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
    ({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}, "image/heic"),
)
# Of HEIF in general: what codes the pixels stands in the items.
_GENERAL_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf", b"MiHB", b"MiHE", b"MiPr", b"MA1A", b"MA1B"}
_CODINGS: tuple[tuple[bytes, MediaType], ...] = (
    (b"av01", "image/avif"),
    (b"hvc1", "image/heic"),
    (b"grid", "image/heic"),
)
_OTHERS = (
    (b"FUJIFILMCCD-RAW", RAW_PHOTO),
    (b"IIU\0", RAW_PHOTO),
    (b"IIRO", RAW_PHOTO),
    (b"IIRS", RAW_PHOTO),
    (b"MMOR", RAW_PHOTO),
    (b"FOVb", RAW_PHOTO),
    (b"\0MRM", RAW_PHOTO),
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"BM", "a BMP picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
)


def _sniff(head: bytes) -> MediaType | None:
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return next((media_type for known, media_type in _BRANDS if known & _brands(head)), None)
    return None


def _brands(head: bytes) -> set[bytes]:
    box = head[8 : int.from_bytes(head[:4], "big")]
    return {box[at : at + 4] for at in range(0, len(box), 4) if at != 4}  # the second is a version number


def _is_general_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and bool(_brands(head) & _GENERAL_BRANDS)


def _sniff_coding(data: bytes) -> MediaType | None:
    return next((media_type for coding, media_type in _CODINGS if b"infe" in data and coding in data), None)


def _name(head: bytes) -> str | None:
    """Name a file that is not decoded, where it is known."""
    if head[4:12] == b"ftypcrx " or head.startswith(b"HEAPCCDR", 6):
        return RAW_PHOTO
    return next((name for signature, name in _OTHERS if head.startswith(signature)), None)


def _noun(field: str) -> str:
    return _NOUNS["style"] if field.startswith("style") else _NOUNS.get(field, "the picture")


def _corrupt(field: str) -> ProblemError:
    return failure("corrupt-image", f"{_noun(field)} is broken or cut short", field=field, allowed="a whole picture")


def _unsupported(field: str, name: str | None = None) -> ProblemError:
    what = f"{name}, which is not accepted" if name else "not a picture of an accepted format"
    detail = f"{_noun(field)} is {what}"
    return failure("unsupported-image", detail, field=field, allowed=MEDIA_TYPES)
