"""Gets a process ready to paint, so that the first job does not wait for it."""

from __future__ import annotations

from PIL import Image

import stylizer
from functions.painter.decoding import GUARDED
from stylizer.compute import configure_process

_SIDE = 64


def warm_up() -> None:
    """Load everything that a painting by the default method takes, by making one; safe to call again."""
    GUARDED.start()
    configure_process()
    gray = Image.new("RGB", (_SIDE, _SIDE), "gray")
    stylizer.stylize(gray, gray, options=stylizer.Options(size=_SIDE, quality="draft"))
