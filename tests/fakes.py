"""What stands in for the core and for time where neither is what is tested."""

from __future__ import annotations

from PIL import Image

import stylizer

SQUARE = Image.new("RGB", (640, 320), "teal")


def painting(options: stylizer.Options, image: Image.Image = SQUARE) -> stylizer.Painting:
    """What the core's `stylize` gives."""
    return stylizer.Painting(image=image, method="texture", options=options, seconds=0.0, features=None)


def report(on_progress: stylizer.OnProgress, step: int = 1) -> None:
    """One of four steps is done."""
    on_progress(stylizer.Progress(step, 4, SQUARE.copy))


class Time:
    """Painting where time passes only as it is told to, and what the job was told when."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.reports: list[float] = []
        self.previews: list[float] = []

    def monotonic(self) -> float:
        """The time, in seconds."""
        return self.now

    def slow_preview(self) -> Image.Image:
        """A preview that takes 0.3 seconds."""
        self.previews.append(self.now)
        self.now += 0.3
        return SQUARE.copy()
