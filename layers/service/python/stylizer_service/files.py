"""What files are, by the names they are stored under."""

from __future__ import annotations

from pathlib import PurePosixPath

_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".gif": "image/gif",
    ".heic": "image/heic",
}


def media_type_of(key: str) -> str:
    """The type that a link gives a file as: what its name says, and never what someone who sent it claimed."""
    return _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
