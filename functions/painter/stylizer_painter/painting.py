"""Run one job, independent of the entry point it came through."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Literal, cast

import stylizer
from stylizer.errors import MissingWeights, StylizerError
from stylizer.options import Format
from stylizer_painter.clip_painting import SERVICE_ONLY_OPTIONS, Inputs, paint_clip
from stylizer_painter.decoding import SANDBOXED
from stylizer_painter.reporting import DeadlineExceeded, Interrupted, Reporter, small_jpeg
from stylizer_painter.url_inputs import fetch_inputs
from stylizer_service.jobs.leases import AttemptsExhausted, Lease, LeaseLost, claim
from stylizer_service.models import names_file
from stylizer_service.outbound.fetch import Fetcher
from stylizer_service.ports import Ports, Unavailable
from stylizer_service.problems import Problem, ProblemError, from_error, problem
from stylizer_service.records import Job, style_mask_key
from stylizer_service.settings import Settings

Outcome = Literal["succeeded", "waiting-for-chunks", "failed", "released", "lost", "skipped"]
"""Outcome of a delivery. "lost": canceled, or leased to another painter; "skipped": gone, final or leased."""

log = logging.getLogger(__name__)


def paint_job(
    ports: Ports,
    settings: Settings,
    job_id: str,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    is_late: Callable[[], bool] = lambda: False,
    fetcher: Fetcher | None = None,
    yield_to_pending: Callable[[], None] | None = None,
) -> Outcome:
    """Claim a job, paint it and finish it. Idempotent: safe to call for any job, at any time, any number of times.

    Args:
        ports: Stores of the job and its files.
        settings: Limits and lifetimes.
        job_id: The job to paint.
        should_stop: Polled between painting steps; once true, the job is released without counting an attempt.
        is_late: Polled likewise; once true, the job is released and an attempt counted, or failed as too slow if that
            was the last attempt.
        fetcher: Downloads pictures given by URL; None for the default.
        yield_to_pending: Called between the segments of a clip, to paint another job.

    Raises:
        Unavailable: A store is unavailable. The job is unchanged, or is left with a lease that expires.
    """
    try:
        lease = claim(ports, settings, job_id)
    except AttemptsExhausted:
        return "failed"
    if lease is None:
        return "skipped"
    try:
        with _heartbeat(lease, settings.lease_seconds / 3) as lost:
            between = yield_to_pending if lease.job.options.animate else None
            reporter = Reporter(lease, lost, should_stop, is_late, between)
            return _paint_and_finish(ports, settings, lease, reporter, fetcher)
    except LeaseLost:
        lease.abandon()
        return "lost"


def _paint_and_finish(
    ports: Ports, settings: Settings, lease: Lease, reporter: Reporter, fetcher: Fetcher | None
) -> Outcome:
    options = lease.job.options
    try:
        fetch_inputs(ports, settings, lease, fetcher)
        if options.animate:
            with _open_inputs(ports, lease.job) as inputs:
                if not paint_clip(lease, settings, inputs, reporter):
                    return "waiting-for-chunks"
        else:
            _paint_variants(ports, settings, lease, reporter)
    except (LeaseLost, Unavailable):
        # Without stores the job can neither continue nor finish; another painter claims it once the lease expires.
        raise
    except Interrupted:
        lease.release()
        return "released"
    except DeadlineExceeded:
        return _on_deadline(settings, lease)
    except MissingWeights as error:
        log.error("painting %s failed: %s", lease.job.id, error.detail)  # has file paths, which must not reach callers
        detail = f"features is {options.features!r}, whose weights are not on this server"
        lease.fail(problem(error.code, detail, field=error.field, allowed=error.allowed))
        return "failed"
    except StylizerError as error:
        lease.fail(_with_request_field(lease.job, from_error(error)))
        return "failed"
    except ProblemError as error:
        lease.fail(error.problem)
        return "failed"
    except Exception:
        log.exception("painting %s failed", lease.job.id)
        lease.fail(problem("internal", "the painting could not be finished; see the log"))
        return "failed"
    return "succeeded"


def _paint_variants(ports: Ports, settings: Settings, lease: Lease, reporter: Reporter) -> None:
    """Paint the variants that no earlier painter has finished, and finish the job."""
    job = lease.job
    base = stylizer.Options(**job.options.model_dump(exclude=SERVICE_ONLY_OPTIONS))
    options = stylizer.variants(base, job.variants, method=job.method)
    for index in range(len(job.results), job.variants):
        reporter.begin(index, job.variants)
        painting = _paint(ports, settings, job, options[index], reporter)
        image = painting.encode(cast(Format, job.options.format), job.options.format_quality)
        width, height = painting.image.size
        store = lease.succeed if index + 1 == job.variants else lease.add_variant
        store(
            image,
            preview=small_jpeg(painting.image),
            width=width,
            height=height,
            features=painting.features,
            seed=options[index].seed,
            style_scale=options[index].style_scale,
        )


def _with_request_field(job: Job, error: Problem) -> Problem:
    """Return a problem of the core, with its field replaced by that of the input's URL in the request."""
    name = {"content": "content", "style": "style-0"}.get(error.field or "", "")
    return error.model_copy(update={"field": job.urls[name][1]}) if name in job.urls else error


def _on_deadline(settings: Settings, lease: Lease) -> Outcome:
    if lease.job.attempt < settings.max_attempts:
        lease.release(counts=True)
        return "released"
    detail = f"{lease.job.attempt} painters ran out of time; a smaller size, a lower quality or another method may help"
    lease.fail(problem("too-slow", detail, field="size"))
    return "failed"


def _paint(
    ports: Ports, settings: Settings, job: Job, options: stylizer.Options, reporter: Reporter
) -> stylizer.Painting:
    with _open_inputs(ports, job) as inputs:
        return stylizer.stylize(
            inputs.content,
            inputs.styles,
            method=job.method,
            options=options,
            mask=inputs.mask,
            content_mask=inputs.content_mask,
            limits=settings.picture_limits,
            on_progress=reporter,
            decoder=SANDBOXED,
        )


@contextmanager
def _open_inputs(ports: Ports, job: Job) -> Iterator[Inputs]:
    with ExitStack() as files:

        def source(name: str) -> BinaryIO:
            return files.enter_context(ports.blobs.open(job.input_key(name)))

        # Built-in styles are passed by id: they are part of the core.
        styles = [
            stylizer.WeightedStyle(
                source(f"style-{index}") if names_file(entry.style) else entry.style,
                entry.weight,
                source(style_mask_key(index)) if entry.mask else None,
            )
            for index, entry in enumerate(job.styles)
        ]
        yield Inputs(
            content=source("content"),
            styles=styles,
            mask=source("mask") if job.mask else None,
            content_mask=source("content_mask") if job.content_mask else None,
        )


@contextmanager
def _heartbeat(lease: Lease, every: float) -> Iterator[threading.Event]:
    """Renew the lease in the background, so that a long step does not lose it.

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
            except Unavailable as error:  # two more renewals are due before the lease expires
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
