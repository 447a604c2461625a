"""Pictures on this machine: what is sent, and where paintings go."""

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
"""A picture as its encoded bytes, the path of its file, or an open binary file."""

_TYPES = {
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
}


def read(picture: Picture) -> tuple[str, bytes]:
    """The name and the content of a picture.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(picture, bytes):
        return "picture", picture
    if isinstance(picture, str | os.PathLike):
        return Path(picture).name, Path(picture).read_bytes()
    return "picture", picture.read()


def told_name(path: str) -> str:
    """The name of a file as the service is told it: without its folders, and with "?" for bytes that are no text."""
    return Path(path).name.encode(errors="replace").decode()


def media_type(name: str) -> str:
    """What a file seems to be by its name; the service looks at the file itself before it uses it."""
    return _TYPES.get(Path(name).suffix.lower(), "image/jpeg")


class Draft:
    """A file that is being written.

    Attributes:
        length: Bytes written so far.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self.begin()

    def begin(self) -> None:
        """Start anew."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.length = 0

    def write(self, piece: bytes) -> None:
        """Append some bytes."""
        self._file.write(piece)
        self._digest.update(piece)
        self.length += len(piece)

    @property
    def sha256(self) -> str:
        """Of what has been written, in hexadecimal."""
        return self._digest.hexdigest()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let errors name `path` rather than a temporary file."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from error


@contextmanager
def draft(target: Path) -> Iterator[Draft]:
    """Write a file, which is at `target` when the block ends well, and nowhere otherwise.

    Raises:
        OSError: It cannot be written there.
    """
    real = Path(os.path.realpath(target))  # through a symbolic link, and with the mode of what is replaced, as cp does
    part = real.with_name(f".{secrets.token_hex(6)}.part")  # short, whatever the length of the name
    try:
        with _named(target):
            file = part.open("xb")
        with file:
            yield Draft(file)
        with _named(target):
            with suppress(FileNotFoundError):
                part.chmod(stat.S_IMODE(real.stat().st_mode))
            part.replace(real)
    finally:
        part.unlink(missing_ok=True)
