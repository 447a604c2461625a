"""The `Prefer` request header (RFC 7240)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?:;.*)?", re.IGNORECASE)


def wait_seconds(headers: Iterable[str]) -> int | None:
    """Return the whole seconds of `wait` from the values of all `Prefer` headers, or None.

    Per RFC 7240 a malformed preference is ignored, and the first of several counts.
    """
    preferences = (preference for header in headers for preference in header.split(","))
    return next((int(match[1]) for match in map(_WAIT.fullmatch, preferences) if match), None)
