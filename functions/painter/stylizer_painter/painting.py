"""Paints one job, whichever way it came in."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from PIL import Image

import stylizer
from stylizer.errors import MissingWeights, StylizerError
from stylizer.images import ImageSource, encode
from stylizer.progress import Progress
from stylizer_painter.decoding import SANDBOXED
from stylizer_service.jobs.leases import GivenUp, Lease, LeaseLost, claim
from stylizer_service.models import names_file
from stylizer_service.ports import Ports, Unavailable
from stylizer_service.problems import from_error, problem
from stylizer_service.settings import Settings

Outcome = Literal["succeeded", "failed", "released", "lost", "nothing"]
"""What became of a delivery. "lost": canceled, or another painter has it; "nothing": nothing to do."""

PREVIEW_SIDE = 320
_REPORT_EVERY = 0.5  # seconds
_WITHOUT_PREVIEW = 5.0  # seconds, after a store has failed
_PREVIEW_SHARE = 0.1  # of the time of a painting

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The painter has to go; the job shall be painted by another one."""


class DeadlineExceeded(Exception):
    """The time that the painter has for one painting is over."""


def paint_job(
    ports: Ports,
    settings: Settings,
    job_id: str,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    is_late: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Claim a job, paint it and end it. Safe to call for any job at any time, any number of times.

    Args:
        ports: Where the job and its files are.
        settings: Limits and lifetimes.
        job_id: The job to paint.
        should_stop: Asked between the steps of painting; once it says yes the job is handed back, as if never begun.
        is_late: Asked at the same times; once it says yes the job has used up one attempt, and is handed back, or ended
            as too slow if that was the last.

    Raises:
        Unavailable: A store is out of reach. The job is as it was, or as one whose painter has died.
    """
    try:
        lease = claim(ports, settings, job_id)
    except GivenUp:
        return "failed"
    if lease is None:
        return "nothing"
    try:
        with _kept_alive(lease, settings.lease_seconds / 3) as lost:
            return _paint_and_end(ports, settings, lease, _Reporter(lease, lost, should_stop, is_late))
    except LeaseLost:
        lease.abandon()
        return "lost"


def _paint_and_end(ports: Ports, settings: Settings, lease: Lease, reporter: _Reporter) -> Outcome:
    options = lease.job.options
    try:
        painting = _paint(ports, settings, lease, reporter)
        image = painting.encode(options.format, options.format_quality)
        width, height = painting.image.size
        preview = small_jpeg(painting.image)
        lease.succeed(image, preview=preview, width=width, height=height, features=painting.features)
    except (LeaseLost, Unavailable):
        # Without its stores the job can neither go on nor end; once the lease is over, another painter takes it.
        raise
    except Interrupted:
        lease.release()
        return "released"
    except DeadlineExceeded:
        return _end_late(settings, lease)
    except MissingWeights as error:
        log.error("painting %s failed: %s", lease.job.id, error.detail)  # with paths, which are no caller's business
        detail = f"features is {options.features!r}, whose weights are not on this server"
        lease.fail(problem(error.code, detail, field=error.field, allowed=error.allowed))
        return "failed"
    except StylizerError as error:
        lease.fail(from_error(error))
        return "failed"
    except Exception:
        log.exception("painting %s failed", lease.job.id)
        lease.fail(problem("internal", "the painting could not be finished; the log says why"))
        return "failed"
    return "succeeded"


def _end_late(settings: Settings, lease: Lease) -> Outcome:
    if lease.job.attempt < settings.max_attempts:
        lease.release(counts=True)
        return "released"
    detail = f"{lease.job.attempt} painters ran out of time; a smaller size, a lower quality or another method may help"
    lease.fail(problem("too-slow", detail, field="size"))
    return "failed"


def _paint(ports: Ports, settings: Settings, lease: Lease, reporter: _Reporter) -> stylizer.Painting:
    job = lease.job
    with ExitStack() as files:

        def source(name: str) -> ImageSource:
            return files.enter_context(ports.blobs.open(job.input_key(name)))

        # A built-in style goes by its id: the core has it.
        styles = [
            (source(f"style-{index}") if names_file(entry.style) else entry.style, entry.weight)
            for index, entry in enumerate(job.styles)
        ]
        return stylizer.stylize(
            source("content"),
            styles,
            method=job.method,
            options=stylizer.Options(**job.options.model_dump(exclude={"format", "format_quality"})),
            mask=source("mask") if job.mask else None,
            content_mask=source("content_mask") if job.content_mask else None,
            limits=settings.picture_limits,
            on_progress=reporter,
            decoder=SANDBOXED,
        )


class _Reporter:
    """Hears from the core after each step, tells the job now and then, and ends a painting nobody wants.

    However often the core reports and however slow previews are, a painting that was canceled learns of it in about
    half a second or a step, whichever is longer.
    """

    def __init__(
        self, lease: Lease, lost: threading.Event, should_stop: Callable[[], bool], is_late: Callable[[], bool]
    ):
        self._lease = lease
        self._lost = lost
        self._should_stop = should_stop
        self._is_late = is_late
        self._next_report = 0.0
        self._next_preview = 0.0

    def __call__(self, progress: Progress) -> None:
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
            self._lease.report(progress.fraction, preview)
        except Unavailable as error:  # Nobody sees how far it is, and it goes on: the store may be back before the end.
            log.warning("could not tell how far %s is: %s", self._lease.job.id, error)
            self._next_preview = time.monotonic() + _WITHOUT_PREVIEW  # which may be what there is no room for
            preview = None
        ended = time.monotonic()
        self._next_report = ended + _REPORT_EVERY
        if preview is not None:
            # They take no more than their share of the time, however large the picture or slow the disk.
            self._next_preview = ended + (ended - began) / _PREVIEW_SHARE


@contextmanager
def _kept_alive(lease: Lease, every: float) -> Iterator[threading.Event]:
    """Renew the lease in the background, so that one long step does not lose it.

    Yields:
        An event that is set once the lease is lost.
    """
    lost, done = threading.Event(), threading.Event()

    def beat() -> None:
        while not done.wait(every):
            try:
                lease.renew()
            except LeaseLost:
                lost.set()
                return
            except Unavailable as error:  # There are two more beats before the lease ends.
                log.warning("could not renew the lease of %s: %s", lease.job.id, error)
            except Exception:
                log.warning("could not renew the lease of %s", lease.job.id, exc_info=True)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        done.set()
        thread.join()


def small_jpeg(image: Image.Image) -> bytes:
    """A preview: a JPEG of at most 320 pixels a side."""
    small = image.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return encode(small, format="jpeg", quality=80)
