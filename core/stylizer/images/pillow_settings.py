"""Pillow's settings of the whole process, which a calling program may have changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

# Pillow's own defaults, as its modules have them before anybody changes them.
_DEFAULT_MAX_PIXELS = 1024**3 // 4 // 3

_lock = threading.Lock()
_users = 0
_callers: tuple[bool, int | None] = False, _DEFAULT_MAX_PIXELS


@contextmanager
def default_pillow_settings() -> Iterator[None]:
    """Decode as with Pillow's default settings, whatever LOAD_TRUNCATED_IMAGES and MAX_IMAGE_PIXELS are set to.

    A program that tolerates cut-off files of its own would otherwise have us paint their gray rest, and one that allows
    small pictures only would have us refuse what `Limits` allow. Where they differ from the defaults they are changed
    as long as any thread decodes, and restored by the last one; Pillow has no way to set them for a single call.
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
