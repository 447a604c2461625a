"""Interruptible waiting."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.1


def wait(seconds: float, should_stop: Callable[[], bool]) -> None:
    """Sleep for some seconds, or until `should_stop` returns True."""
    end = time.monotonic() + seconds
    while not should_stop() and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
