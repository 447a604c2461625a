"""Where a painting goes: its name, its format, and a file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from stylizer.errors import OptionError
from stylizer.images.encoding import DEFAULT_QUALITY, FORMATS, LOSSY, Format, check_quality
from stylizer.options import check_choice

STANDARD_STREAM = "-"
"""In place of a file name: stdin or stdout."""

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


class Target(NamedTuple):
    """Where to write (None: to stdout) and in which format."""

    path: Path | None
    format: Format


def choose_target(photo: str, styles: list[str], output: str | None, wanted: Format | None, force: bool) -> Target:
    """Settle where the painting goes, and refuse what cannot work before any time is spent on painting."""
    if wanted is not None:
        check_choice("format", wanted, FORMATS)
    if output == STANDARD_STREAM:
        if sys.stdout.isatty():
            raise OptionError("output is -, but stdout is a screen; redirect it to a file", field="output")
        return Target(None, wanted or "jpeg")
    if output is None or Path(output).is_dir():
        if photo == STANDARD_STREAM:
            raise OptionError("the photo from stdin has no name: give one with -o FILE", field="output")
        path = Path(output or "") / _default_name(photo, styles, wanted)
    else:
        path = Path(output)
    form = wanted if wanted and not path.suffix else format_of(path)
    if wanted and wanted != form:
        detail = f"format is {wanted}, but the suffix of {str(path)!r} says {form}; leave one out"
        raise OptionError(detail, field="format", allowed=form)
    _check_writable(path, force)
    return Target(path, form)


def _default_name(photo: str, styles: list[str], wanted: Format | None) -> str:
    """Name "cat.png" in woodcut "cat-woodcut.png"; what we cannot write, such as HEIC, becomes a JPEG."""
    suffix = Path(photo).suffix if Path(photo).suffix.lower() in SUFFIXES else ".jpg"
    if wanted is not None and SUFFIXES[suffix.lower()] != wanted:
        suffix = next(suffix for suffix, name in SUFFIXES.items() if name == wanted)
    return "-".join([Path(photo).stem, *(Path(style).stem for style in styles)]) + suffix


def _check_writable(path: Path, force: bool) -> None:
    problem = None
    if not path.parent.is_dir():
        problem = "is in a folder that does not exist"
    elif path.exists() and not path.is_file():
        problem = "is not a file"
    elif path.exists() and not force:
        problem = "is already there; --force replaces it"
    elif not os.access(path.parent, os.W_OK):
        problem = "is in a folder that may not be written to"
    if problem:
        raise OptionError(f"output {str(path)!r} {problem}", field="output")


def choose_quality(quality: int | None, name: Format) -> int:
    """Settle the encoder quality: the default unless given, refused where it would mean nothing."""
    if quality is None:
        return DEFAULT_QUALITY
    if name not in LOSSY:
        allowed = ", ".join(LOSSY)
        detail = f"format_quality is {quality}, but {name} is lossless; it goes with {allowed}"
        raise OptionError(detail, field="format_quality", allowed=LOSSY)
    check_quality(quality)
    return quality


def write_whole(path: Path, data: bytes) -> None:
    """Write all of it or nothing: whoever looks never sees half a picture."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
