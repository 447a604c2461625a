"""The worker with a stand-in for the core; a job's seed chooses its conduct. Run as a process by tests."""

from __future__ import annotations

import os
import signal
import sys
import time

from PIL import Image

import stylizer
from functions.painter.local_worker import main
from stylizer.progress import OnProgress, Progress

PAINT_AT_ONCE, KILL_THE_PAINTER, PAINT_FOREVER = range(3)


def stylize(
    *_: object, options: stylizer.Options, on_progress: OnProgress, **__: object
) -> stylizer.Painting:
    image = Image.new("RGB", (options.size, options.size), "teal")
    on_progress(Progress(1, 2, image.copy))
    if options.seed == KILL_THE_PAINTER:
        os.kill(os.getpid(), signal.SIGKILL)
    while options.seed == PAINT_FOREVER:
        time.sleep(0.02)
        on_progress(Progress(1, 2, image.copy))
    return stylizer.Painting(image=image, method="texture", options=options, seconds=0.0, features=None)


if __name__ == "__main__":
    stylizer.stylize = stylize  # type: ignore[assignment]
    sys.exit(main())
