"""Output targets: file name, format and encoder quality."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stylizer.clips.info import ClipFormat
from stylizer.errors import OptionError
from stylizer.images.encoding import check_quality
from stylizer.options import DEFAULT_FORMAT_QUALITY, FORMATS, LOSSY, Format, check_choice
from stylizer.output import SUFFIXES, format_from_suffix, write_atomically
from stylizer_cli.sources import STANDARD_STREAM, file_name


class Target(NamedTuple):
    """Path (None for stdout) and format."""

    path: Path | None
    format: Format | ClipFormat


def choose_target(photo: str, styles: list[str], output: str | None, wanted: Format | None, force: bool) -> Target:
    """Choose path and format of a painting, and check that it can be written.

    Args:
        photo: Path, URL, or - for stdin.
        styles: Names of the styles, for the default file name.
        output: A file, a folder, - for stdout, or None for the working folder.
        wanted: Format, if given.
        force: Whether an existing file may be replaced.

    Raises:
        OptionError: The target is invalid; `field` is "output" or "format".
    """
    if wanted is not None:
        check_choice("format", wanted, FORMATS)
    if output == STANDARD_STREAM:
        if sys.stdout.isatty():
            raise OptionError("output is -, but stdout is a terminal; redirect it to a file", field="output")
        return Target(None, wanted or "jpeg")
    if output is None or Path(output).is_dir():
        if photo == STANDARD_STREAM:
            raise OptionError("the photo from stdin has no name: give one with -o FILE", field="output")
        if not file_name(photo):
            raise OptionError("the photo at this URL has no name: give one with -o FILE", field="output")
        path = Path(output or "") / _default_name(photo, styles, wanted)
    else:
        path = Path(output)
    form = wanted if wanted and not path.suffix else format_from_suffix(path)
    if wanted and wanted != form:
        detail = f"format is {wanted}, but the suffix of {str(path)!r} says {form}; leave one out"
        raise OptionError(detail, field="format", allowed=form)
    check_writable(path, force)
    return Target(path, form)


def _default_name(photo: str, styles: list[str], wanted: Format | None) -> str:
    """Return "cat-woodcut.png" for "cat.png" in woodcut; formats we cannot write, such as HEIC, become JPEG."""
    name = Path(file_name(photo))
    suffix = name.suffix if name.suffix.lower() in SUFFIXES else ".jpg"
    if wanted is not None and SUFFIXES[suffix.lower()] != wanted:
        suffix = next(suffix for suffix, name in SUFFIXES.items() if name == wanted)
    return default_stem(photo, styles) + suffix


def default_stem(source: str, styles: list[str]) -> str:
    """Return "cat-woodcut" for "cat.png" in woodcut."""
    return "-".join(Path(file_name(name)).stem for name in (source, *styles))


def check_writable(path: Path, force: bool) -> None:
    """Raise an OptionError unless a file can be written; an existing one only with `force`."""
    problem = None
    if not path.parent.is_dir():
        problem = "is in a folder that does not exist"
    elif path.exists() and not path.is_file():
        problem = "is not a file"
    elif path.exists() and not force:
        problem = "already exists; --force replaces it"
    elif not os.access(path.parent, os.W_OK):
        problem = "is in a folder without write permission"
    if problem:
        raise OptionError(f"output {str(path)!r} {problem}", field="output")


def choose_quality(quality: int | None, name: str, lossy: Sequence[str] = LOSSY) -> int:
    """Return the given encoder quality, 1-100, or the default.

    Raises:
        OptionError: The quality is out of range, or the format takes none.
    """
    if quality is None:
        return DEFAULT_FORMAT_QUALITY
    if name not in lossy:
        allowed = ", ".join(lossy)
        detail = f"format_quality is {quality}, but {name} has none; it goes with {allowed}"
        raise OptionError(detail, field="format_quality", allowed=lossy)
    check_quality(quality)
    return quality


def write(target: Target, data: bytes) -> None:
    """Write an encoded painting to its target."""
    if target.path is None:
        sys.stdout.buffer.write(data)
    else:
        write_atomically(target.path, data)
