"""What files are called, and what they are by that."""

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
    """The file name suffix people expect of a format: "jpg" of "jpeg"."""
    return _SUFFIXES.get(image_format, image_format)


def media_type_of(key: str) -> str:
    """The type that a link gives a file as: what its name says, and never what someone who sent it claimed."""
    return _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
