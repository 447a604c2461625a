"""Cheap validation of uploads, so that unusable images are rejected on arrival and not minutes later.

Reads headers and lengths without decoding pixels, except for a JPEG without an end marker. The painter decodes and has
the final say: what passes here can still fail there, with the same problem types. This process only checks the
signature and counts file parts, in bounded time; `image_headers`, which calls the decoders' libraries, runs in forked
workers with memory and time limits (`sandbox`).
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from stylizer.clips.info import VIDEOS, ClipInfo, InputFormat, clip_format
from stylizer.images.complexity import check_complexity
from stylizer.images.jpeg_reduction import check_photo
from stylizer.images.limits import check_pixels, noun
from stylizer.images.signatures import NotDecoded, identify
from stylizer.options import Size
from stylizer_service.clip_probe import probe_clip
from stylizer_service.models import IMAGE_MEDIA_TYPES, MEDIA_TYPES, MediaType
from stylizer_service.ports import Unavailable
from stylizer_service.problems import ProblemError, as_problems, failure
from stylizer_service.sandbox.sandbox import ResourceLimits, Sandbox
from stylizer_service.sandboxed_headers import corrupt, inspect_headers
from stylizer_service.settings import Settings

_BY_FORMAT: dict[str, MediaType] = {
    name.removeprefix("image/"): name for name in IMAGE_MEDIA_TYPES if name != "image/heif"
}
_CLIP_TYPES: dict[InputFormat, MediaType] = {
    "gif": "image/gif",
    "webp": "image/webp",
    "png": "image/png",
    "mp4": "video/mp4",
    "webm": "video/webm",
}
CPU_SECONDS = 3
"""CPU limit for opening one image, seconds. The slowest legitimate files take a tenth of a second."""
_SECONDS = 15
_OVERHEAD = 128 * 2**20
_SANDBOX = Sandbox("stylizer_service.image_headers:examine", at_once=4)
atexit.register(_SANDBOX.close)


@dataclass(frozen=True, slots=True)
class ProbedImage:
    """Header information: dimensions after applying the orientation, and the media type."""

    width: int
    height: int
    media_type: MediaType


@dataclass(frozen=True, slots=True)
class ProbedClip:
    """A clip: its headers, None of a video that only the painters can read, and the media type."""

    info: ClipInfo | None
    media_type: MediaType


class Probe:
    """Validates images against the limits in the settings. Thread-safe."""

    def __init__(self, settings: Settings):
        self._limits = settings

    @property
    def max_pixels(self) -> int:
        """Maximum number of pixels of an image, and of a painting."""
        return self._limits.max_pixels

    def read(self, file: BinaryIO, *, field: str) -> bytes:
        """Read a seekable file from its start, if it is neither empty nor too long.

        Raises:
            ProblemError: `empty-image` or `image-too-large`.
            Unavailable: The file cannot be read.
        """
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        if length == 0:
            detail = f"{noun(field)} is empty: it has 0 bytes"
            raise failure("empty-image", detail, field=field, allowed="at least 1 byte")
        try:
            head = file.read(64)
            file.seek(0)
        except OSError as error:
            raise Unavailable(f"{noun(field)} cannot be checked at the moment; try again later") from error
        most = self._limits.max_file_bytes(field, head)
        if length > most:
            allowed = f"at most {most:,} bytes"
            detail = f"{noun(field)} has {length:,} bytes; allowed: {allowed}"
            raise failure("image-too-large", detail, field=field, allowed=allowed)
        try:
            return file.read()
        except OSError as error:  # not the image's fault: the disk failed, or the file was deleted
            raise Unavailable(f"{noun(field)} cannot be checked at the moment; try again later") from error

    def check_content(
        self, data: bytes, *, animate: bool | None, size: Size, field: str = "content"
    ) -> ProbedImage | ProbedClip:
        """Validate what is painted: a clip if `animate` is true, or it is a video and `animate` is not false.

        Args:
            data: The whole file.
            animate: Whether every frame is to be painted; None for what is usual for the content.
            size: Size of the painting.
            field: The request field, for errors.

        Raises:
            ProblemError, Unavailable: As from `check`.
        """
        name = clip_format(data[:64])
        is_video = name in VIDEOS
        if is_video and animate is False:
            detail = "the clip is a video, which is painted with every frame; animate is false"
            raise failure("invalid-option", detail, field="animate", allowed="true for a video")
        if not is_video and not animate:
            return self.check(data, field=field, painted_size=size)
        info = probe_clip(data, self._limits, field=field)
        return ProbedClip(info, _CLIP_TYPES[name or "mp4"])

    def check(self, data: bytes, *, field: str, painted_size: Size | None = None) -> ProbedImage:
        """Validate an image.

        Args:
            data: The whole file, as `read` returns it.
            field: The request field, for errors. For masks only bytes and pixels are limited, because their shape must
                match the photo's.
            painted_size: Size of the painting, if the image is the photo.

        Raises:
            ProblemError: With the type that the painter's rejection would have.
            Unavailable: The sandbox is unavailable.
        """
        try:
            name = identify(data)
        except NotDecoded as error:
            raise _unsupported(field, str(error)) from error
        with as_problems():
            check_complexity(data, name, field)
        found = self._examine(name, data, field)
        if "unsupported" in found:
            raise _unsupported(field, found["unsupported"])
        if found["size"] is None:
            raise corrupt("image", noun(field), field)
        width, height = found["size"]
        with as_problems():
            if field.endswith("mask"):
                check_pixels((width, height), self._limits.picture_limits, field)
            else:
                jpeg = data if name == "jpeg" else None
                limits = self._limits.picture_limits
                check_photo((width, height), limits, field, jpeg=jpeg, painted_size=painted_size)
        if not found["whole"]:
            raise corrupt("image", noun(field), field)
        return ProbedImage(width, height, _BY_FORMAT[name])

    def _examine(self, name: str, data: bytes, field: str) -> dict[str, Any]:
        # Libraries copy a file once or twice and unpack profiles and text; no pixel buffers are allocated yet.
        memory = 4 * self._limits.max_bytes + _OVERHEAD
        request = {"format": name, "max_pixels": self._limits.max_pixels}
        limits = ResourceLimits(memory=memory, cpu_seconds=CPU_SECONDS, seconds=_SECONDS)
        return inspect_headers(_SANDBOX, request, data, limits, kind="image", label=noun(field), field=field)


def _unsupported(field: str, what: str) -> ProblemError:
    allowed = MEDIA_TYPES if field == "content" else IMAGE_MEDIA_TYPES
    detail = f"{noun(field)} is {what}; accepted: {', '.join(_BY_FORMAT)}"
    return failure("unsupported-image", detail, field=field, allowed=allowed)
