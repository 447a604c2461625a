"""Output files: format by file name suffix, and atomic writes."""

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
"""Formats by file name suffix."""


def format_from_suffix(path: str | os.PathLike[str]) -> Format:
    """Return the format that the suffix of a file name stands for.

    Raises:
        OptionError: The suffix is unknown; `allowed` lists the known ones.
    """
    form = SUFFIXES.get(Path(path).suffix.lower())
    if form is None:
        detail = f"output is {os.fspath(path)!r}; its suffix must be one of {', '.join(SUFFIXES)}"
        raise OptionError(detail, field="output", allowed=tuple(SUFFIXES))
    return form


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file atomically: readers see the old content or the new one.

    Symbolic links are followed, and a replaced file keeps its mode, as with cp.

    Raises:
        OSError: The file cannot be written; `filename` is `path`.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{secrets.token_hex(6)}.part")  # of fixed length: the name itself may be at the limit
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
