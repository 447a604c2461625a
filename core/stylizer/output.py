"""Files that paintings are written to: their format by their name, and there whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from stylizer.errors import OptionError
from stylizer.options import Format

SUFFIXES: dict[str, Format] = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".avif": "avif",
    ".tif": "tiff",
    ".tiff": "tiff",
}
"""What the end of a file name says about its format."""


def format_of(path: str | os.PathLike[str]) -> Format:
    """Tell the format from the suffix of a file name.

    Raises:
        OptionError: The suffix names none; `allowed` lists those that do.
    """
    form = SUFFIXES.get(Path(path).suffix.lower())
    if form is None:
        detail = f"output is {os.fspath(path)!r}; its suffix must be one of {', '.join(SUFFIXES)}"
        raise OptionError(detail, field="output", allowed=tuple(SUFFIXES))
    return form


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically: readers see the old contents or the new ones.

    A symbolic link stays, and the file it points to is written; a file that is replaced keeps its mode, as with cp.

    Raises:
        OSError: It cannot be written; `filename` is `path`.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{secrets.token_hex(6)}.part")  # short, whatever the length of the name
    try:
        mode = _mode_of(target)
        part.write_bytes(data)
        if mode is not None:
            part.chmod(mode)
        part.replace(target)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _mode_of(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None
