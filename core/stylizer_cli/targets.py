"""Where a painting goes, by what the command line was given: the name of the file, its format, the encoder quality."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from stylizer.errors import OptionError
from stylizer.images.encoding import DEFAULT_QUALITY, FORMATS, LOSSY, Format, check_quality
from stylizer.options import check_choice
from stylizer.output import SUFFIXES, format_from_suffix, write_atomically

STANDARD_STREAM = "-"
"""In place of a file name: stdin or stdout."""


class Target(NamedTuple):
    """Where to write (None: to stdout) and in which format."""

    path: Path | None
    format: Format


def choose_target(photo: str, styles: list[str], output: str | None, wanted: Format | None, force: bool) -> Target:
    """Settle where the painting goes, and refuse what cannot work before any time is spent on painting.

    Args:
        photo: A path, or - for stdin.
        styles: By which it is called where it is given no name.
        output: A file, a folder, - for stdout, or None for the working folder.
        wanted: The format, if it was named.
        force: Whether a file that is there may be replaced.

    Raises:
        OptionError: It cannot go there; `field` is "output" or "format".
    """
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
    form = wanted if wanted and not path.suffix else format_from_suffix(path)
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
    """Settle the encoder quality, 1-100: the default unless given.

    Raises:
        OptionError: It is out of its range, or the format is lossless, so that it would mean nothing.
    """
    if quality is None:
        return DEFAULT_QUALITY
    if name not in LOSSY:
        allowed = ", ".join(LOSSY)
        detail = f"format_quality is {quality}, but {name} is lossless; it goes with {allowed}"
        raise OptionError(detail, field="format_quality", allowed=LOSSY)
    check_quality(quality)
    return quality


def write(target: Target, data: bytes) -> None:
    """Bring a painting where it is to go."""
    if target.path is None:
        sys.stdout.buffer.write(data)
    else:
        write_atomically(target.path, data)
