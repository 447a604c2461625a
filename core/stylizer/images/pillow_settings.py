"""Pillow's process-wide settings, which the calling program may have changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

# The defaults in Pillow's source, since the modules' current values may already be changed.
_DEFAULT_MAX_PIXELS = 1024**3 // 4 // 3

_lock = threading.Lock()
_users = 0
_callers: tuple[bool, int | None] = False, _DEFAULT_MAX_PIXELS


@contextmanager
def default_pillow_settings() -> Iterator[None]:
    """Decode as with Pillow's default settings, whatever LOAD_TRUNCATED_IMAGES and MAX_IMAGE_PIXELS are set to.

    A program that tolerates its own truncated files would otherwise make us paint their gray rest, and one with a lower
    pixel limit would make us reject what `Limits` allow. Values that differ from the defaults are overridden as long as
    any thread decodes, and restored by the last one; Pillow cannot set them per call.
    """
    global _users, _callers
    with _lock:
        if not _users:
            _callers = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, _DEFAULT_MAX_PIXELS
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = _callers
