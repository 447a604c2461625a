"""Files sent with a request, file name suffixes and media types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}
_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".mp4": "video/mp4",
}


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that came with a request, in a form, rather than as an upload. Open while the request is handled.

    Attributes:
        file: Seekable reader.
        length: Length in bytes.
        sha256: SHA-256 of the content, hexadecimal, computed while the file arrived.
    """

    file: BinaryIO
    length: int
    sha256: str

    @property
    def name(self) -> str:
        """Name of the file in requests and jobs, where an upload has its id: `sha256:` and the digest."""
        return f"sha256:{self.sha256}"


def suffix(image_format: str) -> str:
    """Return the conventional file name suffix of a format, such as "jpg" for "jpeg"."""
    return _SUFFIXES.get(image_format, image_format)


def media_type_of(key: str) -> str:
    """Return the media type a link serves a file with: derived from the key, never from what an uploader claimed."""
    return _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
