"""The local worker with a fake core, whose behavior is chosen by the seed of a job. Run as a process by tests."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass

from PIL import Image

import stylizer
from stylizer.capabilities import long_side
from stylizer.images import encode
from stylizer.options import Format
from stylizer_painter.local_worker import main

PAINT_AT_ONCE, KILL_THE_PAINTER, PAINT_FOREVER = range(3)


@dataclass
class Painting:
    """The part of a painting that the painter uses, without importing torch into each process."""

    image: Image.Image
    features: str | None = None

    def encode(self, format: Format, quality: int) -> bytes:  # noqa: A002
        return encode(self.image, format=format, quality=quality)


def stylize(*_: object, options: stylizer.Options, on_progress: stylizer.OnProgress, **__: object) -> Painting:
    side = long_side(options.size, (64, 64))
    image = Image.new("RGB", (side, side), "teal")
    on_progress(stylizer.Progress(1, 2, image.copy))
    if options.seed == KILL_THE_PAINTER:
        os.kill(os.getpid(), signal.SIGKILL)
    while options.seed == PAINT_FOREVER:
        time.sleep(0.02)
        on_progress(stylizer.Progress(1, 2, image.copy))
    return Painting(image)


if __name__ == "__main__":
    stylizer.stylize = stylize  # type: ignore[assignment]
    sys.exit(main())
