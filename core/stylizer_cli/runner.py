"""Running paint jobs, on this machine or by a service."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache

from stylizer.compute import configure_process
from stylizer.errors import StylizerError
from stylizer.progress import Progress
from stylizer_cli.jobs import OnEnd, Painted, PaintJob
from stylizer_cli.screen import Bars, ProgressCallback, progress_bars
from stylizer_cli.service import Service
from stylizer_cli.targets import STANDARD_STREAM, write

_configure_once = cache(configure_process)


def run_jobs(jobs: Iterable[PaintJob], service: Service | None, on_end: OnEnd, *, quiet: bool) -> None:
    """Run all jobs, and write each painting as soon as it is finished.

    Args:
        jobs: What to paint.
        service: Service to paint by; None paints on this machine, one job after the other.
        on_end: Called with the outcome of each job.
        quiet: Whether to hide the progress bars.
    """

    def finish(job: PaintJob, end: Painted | StylizerError) -> None:
        if job.sheet is not None and isinstance(end, Painted):
            from stylizer_cli.variant_sheet import write_sheet  # imports Pillow's fonts

            write_sheet(job)
        on_end(job, end)

    with progress_bars(quiet=quiet) as bars:
        if service is None:
            _run_locally(jobs, bars, finish)
        else:
            from stylizer_cli import api_backend  # imports httpx

            api_backend.run_by_api(jobs, service, bars, finish)


def _run_locally(jobs: Iterable[PaintJob], bars: Bars, on_end: OnEnd) -> None:
    for job in jobs:
        end: Painted | StylizerError
        with bars.bar(job.name) as on_progress:
            try:
                end = _paint(job, on_progress)
            except StylizerError as error:
                end = error
        on_end(job, end)


def _paint(job: PaintJob, on_progress: ProgressCallback) -> Painted:
    _configure_once()
    from stylizer import stylize, variants  # imports torch, which takes seconds: only after all checks without it

    request, targets = job.request, job.targets
    photo: str | bytes = sys.stdin.buffer.read() if job.photo == STANDARD_STREAM else job.photo
    seconds = 0.0

    def report(progress: Progress) -> None:
        on_progress(done * progress.total + progress.step, len(targets) * progress.total)

    for done, options in enumerate(variants(request.options, request.variants, method=request.method)):
        painting = stylize(
            photo,
            request.styles,
            method=request.method,
            options=options,
            mask=request.mask,
            content_mask=request.content_mask,
            on_progress=report,
        )
        write(targets[done], painting.encode(job.target.format, quality=job.quality))
        seconds += painting.seconds
    return Painted(*painting.image.size, seconds, painting.features)
