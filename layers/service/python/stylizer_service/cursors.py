"""Pagination: page sizes, and opaque, URL-safe cursors."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import TypeVar

from stylizer_service.ports import BadCursor
from stylizer_service.problems import ProblemError, invalid

MAX_PAGE = 100
"""Maximum number of entries of a page."""
T = TypeVar("T")


def encode(*position: str) -> str:
    """Encode the sort key of the last record seen as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[str]:
    """Decode a cursor into its sort key of `length` parts. Raises `BadCursor`."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = json.loads(raw)
    except (binascii.Error, ValueError) as error:
        raise BadCursor(cursor) from error
    if not isinstance(position, list) or len(position) != length:
        raise BadCursor(cursor)
    if not all(isinstance(part, str) for part in position):
        raise BadCursor(cursor)
    return position


def check_limit(limit: int) -> None:
    """Raise `invalid-request` unless a page may have so many entries."""
    if not 1 <= limit <= MAX_PAGE:
        raise invalid("limit", f"limit is {limit}", f"a whole number from 1 to {MAX_PAGE}")


def read_page(read: Callable[[], T]) -> T:
    """Return what `read` returns, with the caller's problem in place of `BadCursor`."""
    try:
        return read()
    except BadCursor:
        raise refused() from None


def refused() -> ProblemError:
    """Return the problem of a cursor that does not belong to the list."""
    return invalid("cursor", "the cursor is not one this list gave out", "the next_cursor of an earlier page")
