"""File name suffixes and media types."""

from __future__ import annotations

from pathlib import PurePosixPath

_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}
_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".gif": "image/gif",
    ".heic": "image/heic",
}


def suffix(image_format: str) -> str:
    """Return the conventional file name suffix of a format, such as "jpg" for "jpeg"."""
    return _SUFFIXES.get(image_format, image_format)


def media_type_of(key: str) -> str:
    """Return the media type a link serves a file with: derived from the key, never from what an uploader claimed."""
    return _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
