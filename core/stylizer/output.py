"""Files that paintings are written to: their format by their name, and there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from stylizer.errors import OptionError
from stylizer.images.encoding import Format

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
    """Write all of it or nothing: whoever looks never sees half a picture."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
