"""Warm-up of a painter process, so that the first job does not wait for imports and model loading."""

from __future__ import annotations

from PIL import Image

import stylizer
import stylizer.methods
from stylizer.compute import configure_process
from stylizer_painter.decoding import SANDBOXED

_SIDE = 64


def warm_up() -> None:
    """Load all methods, and paint once by the default one. Idempotent."""
    SANDBOXED.start()
    configure_process()
    for name in stylizer.METHOD_NAMES:
        stylizer.methods.load(name)
    gray = Image.new("RGB", (_SIDE, _SIDE), "gray")
    stylizer.stylize(gray, gray, options=stylizer.Options(size=_SIDE, quality="draft"))
