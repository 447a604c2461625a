"""Sources of pictures: files, stdin and URLs."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from stylizer.errors import OptionError

STANDARD_STREAM = "-"
"""File name that stands for stdin or stdout."""


def is_url(source: str) -> bool:
    """Return whether a source is a URL rather than a file."""
    return source.lower().startswith(("http://", "https://"))


def check_url(source: str, field: str) -> None:
    """Raise an OptionError for a URL that is not https."""
    allowed = "an https address such as https://example.com/cat.jpg"
    shown = source.partition("?")[0]  # queries may have secrets
    try:
        parts = urlsplit(source)
        is_allowed = parts.scheme == "https" and bool(parts.hostname) and (parts.port or 443) > 0
    except ValueError:
        is_allowed = False
    if not is_allowed:
        raise OptionError(f"{field} is {shown!r}; it must be {allowed}", field=field, allowed=allowed)


def file_name(source: str) -> str:
    """Return the name of a file; of a URL the last segment of its path, empty without one."""
    if not is_url(source):
        return Path(source).name
    name = unquote(PurePosixPath(urlsplit(source).path).name)
    return re.sub(r"[\x00-\x1f\x7f/\\:]", "_", name)[-100:]
