"""What stops `stylizer-server` from doing what it was told."""

from __future__ import annotations


class CannotStartError(Exception):
    """Why not, in one line."""
