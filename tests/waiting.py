"""Waiting for what other threads and processes do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds that a thing may take on a busy machine; nothing here measures time."""


def wait_for(
    look: Callable[[], T | None],
    what: str = "what should be",
    *,
    process: subprocess.Popen[Any] | None = None,
    log: Callable[[], object] = str,
) -> T:
    """Look until there is something to see, and give it.

    Args:
        look: What gives nothing, or something false, until it is so.
        what: What it looks for, in words.
        process: What is to bring it about: once that has ended there is nothing to wait for.
        log: What more to say when it was in vain.

    Raises:
        AssertionError: It took too long, or the process has ended.
    """
    deadline, has_ended = time.monotonic() + PATIENCE, False
    while not (found := look()):
        assert not has_ended, f"it ended before {what}\n{log()}"
        assert time.monotonic() < deadline, f"waited in vain for {what}\n{log()}"
        has_ended = process is not None and process.poll() is not None  # perhaps after the last look
        time.sleep(0.05)
    return found


def is_running(pid: int) -> bool:
    """Whether a process has not ended. Unreaped orphans stay as zombies."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
