"""Progress reports of the painting of a clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stylizer.progress import Progress

if TYPE_CHECKING:  # Pillow takes long to import
    from PIL import Image


@dataclass(frozen=True, slots=True)
class ClipProgress:
    """Progress report of a running painting of a clip.

    Attributes:
        frame: Number of finished frames, 0 <= frame <= frames.
        frames: Number of frames of the call.
        fraction: Finished fraction of the work, 0-1, including unfinished frames.
        preview: Renders the last finished frame, or the current state of the first one, when called; valid only inside
            the callback.
    """

    frame: int
    frames: int
    fraction: float
    preview: Callable[[], Image.Image]


OnClipProgress = Callable[[ClipProgress], None]
"""Progress callback, called several times for each frame. To cancel, raise an exception from it (`Canceled`)."""


class Reporter(NamedTuple):
    """Adapter from the progress of single frames to that of the whole call."""

    on_progress: OnClipProgress | None
    done: int
    frames: int

    def frame_progress(self, number: int, progress: Progress) -> None:
        """Report progress within the frame `number` of the segment."""
        self._report(number, progress.fraction, progress.preview)

    def frame_done(self, number: int, image: Callable[[], Image.Image]) -> None:
        """Report that the frame `number` of the segment is finished."""
        self._report(number + 1, 0.0, image)

    def _report(self, number: int, part: float, preview: Callable[[], Image.Image]) -> None:
        if self.on_progress is not None:
            frame = self.done + number
            self.on_progress(ClipProgress(frame, self.frames, min(1.0, (frame + part) / self.frames), preview))
