"""Progress callback of a painting, and the exceptions by which it stops one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from PIL import Image

from stylizer.images import encode
from stylizer_service.jobs.leases import Lease, LeaseLost
from stylizer_service.ports import Unavailable

PREVIEW_SIDE = 320
_REPORT_EVERY = 0.5  # seconds
_PREVIEW_BACKOFF = 5.0  # seconds without previews after a failed write
_PREVIEW_SHARE = 0.1  # maximum share of a painting's time

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The painter is shutting down; another one has to paint the job."""


class DeadlineExceeded(Exception):
    """The painter's time limit for one painting has passed."""


class Progress(Protocol):
    """Progress report of the core, of a picture or of a segment of a clip."""

    @property
    def fraction(self) -> float:
        """Progress, 0-1."""

    def preview(self) -> Image.Image:
        """Return an image of the current state."""


class Reporter:
    """Progress callback that reports to the store periodically, and raises to stop the painting.

    However often the core reports and however slow previews are, cancellation is noticed within about half a second or
    one step, whichever is longer.
    """

    def __init__(
        self,
        lease: Lease,
        lost: threading.Event,
        should_stop: Callable[[], bool],
        is_late: Callable[[], bool],
        yield_to_pending: Callable[[], None] | None = None,
    ):
        self._lease = lease
        self._lost = lost
        self._should_stop = should_stop
        self._is_late = is_late
        self._yield_to_pending = yield_to_pending
        self._next_report = 0.0
        self._next_preview = 0.0
        self._done, self._total, self._share = 0, 1, 1

    def begin(self, done: int, total: int, *, share: int = 1) -> None:
        """Begin `share` of `total` units of work, after `done` of them; first yield to pending jobs."""
        if done and self._yield_to_pending is not None:
            self._yield_to_pending()
        self._done, self._total, self._share = done, total, share

    def __call__(self, progress: Progress) -> None:
        """Report progress if a report is due.

        Raises:
            LeaseLost: The job was canceled, or claimed by another painter.
            Interrupted: The painter is shutting down.
            DeadlineExceeded: The painter's time limit has passed.
        """
        if self._lost.is_set():
            raise LeaseLost(self._lease.job.id)
        if self._should_stop():
            raise Interrupted
        if self._is_late():
            raise DeadlineExceeded
        began = time.monotonic()
        if began < self._next_report:
            return
        preview = small_jpeg(progress.preview()) if began >= self._next_preview else None
        try:
            self._lease.report((self._done + self._share * progress.fraction) / self._total, preview)
        except Unavailable as error:  # not fatal: the store may be back before the painting is done
            log.warning("could not report the progress of %s: %s", self._lease.job.id, error)
            self._next_preview = time.monotonic() + _PREVIEW_BACKOFF  # the preview may be what fills a full disk
            preview = None
        ended = time.monotonic()
        self._next_report = ended + _REPORT_EVERY
        if preview is not None:
            # Bounds the share of time spent on previews, however large the image or slow the disk.
            self._next_preview = ended + (ended - began) / _PREVIEW_SHARE


def small_jpeg(image: Image.Image) -> bytes:
    """Return a preview: a JPEG of at most 320 pixels a side."""
    small = image.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return encode(small, format="jpeg", quality=80)
