"""Local files: pictures to upload, and atomic writes of results."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

Picture = bytes | str | os.PathLike[str] | BinaryIO
"""A picture: its encoded bytes, the path of its file, or an open binary file."""

_TYPES = {
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".apng": "image/png",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/webm",
}


def read_picture(picture: Picture) -> tuple[str, bytes]:
    """Return the file name and content of a picture.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(picture, bytes):
        return "picture", picture
    if isinstance(picture, str | os.PathLike):
        return Path(picture).name, Path(picture).read_bytes()
    return "picture", picture.read()


def safe_filename(path: str) -> str:
    """Strip the folders from a path, and replace undecodable bytes by "?"."""
    return Path(path).name.encode(errors="replace").decode()


def media_type(name: str) -> str:
    """Guess the media type from the suffix; the service checks the content before it uses the file."""
    return _TYPES.get(Path(name).suffix.lower(), "image/jpeg")


class AtomicFile:
    """A partially written file.

    Attributes:
        length: Bytes written so far.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self.begin()

    def begin(self) -> None:
        """Discard everything written so far."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.length = 0

    def write(self, piece: bytes) -> None:
        """Append bytes."""
        self._file.write(piece)
        self._digest.update(piece)
        self.length += len(piece)

    @property
    def sha256(self) -> str:
        """SHA-256 of everything written so far, in hexadecimal."""
        return self._digest.hexdigest()


@contextmanager
def _errors_naming(path: Path) -> Iterator[None]:
    """Make an OSError name `path` instead of a temporary file."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from error


@contextmanager
def open_atomic(target: Path) -> Iterator[AtomicFile]:
    """Write a file that appears at `target` if the block succeeds, and nowhere otherwise.

    Raises:
        OSError: `target` cannot be written.
    """
    real = Path(os.path.realpath(target))  # follows a symbolic link and keeps the mode of the replaced file, as cp does
    part = real.with_name(f".{secrets.token_hex(6)}.part")  # short, whatever the length of the name
    try:
        with _errors_naming(target):
            file = part.open("xb")
        with file:
            yield AtomicFile(file)
        with _errors_naming(target):
            with suppress(FileNotFoundError):
                part.chmod(stat.S_IMODE(real.stat().st_mode))
            part.replace(real)
    finally:
        part.unlink(missing_ok=True)
