"""Faster process startup."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def frozen_imports() -> Iterator[None]:
    """Disable garbage collection during imports, then freeze what they created so that it is never scanned.

    Repeated collections while importing took a fifth of the API's import time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
