"""Opaque, URL-safe pagination cursors."""

from __future__ import annotations

import base64
import binascii
import json

from stylizer_service.ports import BadCursor


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
