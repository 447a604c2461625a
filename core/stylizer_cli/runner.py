"""Running paint jobs, on this machine or by a service."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import cast

from stylizer.clips.info import ClipFormat
from stylizer.clips.progress import ClipProgress
from stylizer.compute import configure_process
from stylizer.errors import StylizerError, UnreadableImage
from stylizer.options import Format
from stylizer.progress import Progress
from stylizer_cli.jobs import OnEnd, Painted, PaintJob, PaintRequest
from stylizer_cli.screen import Bars, ProgressCallback, progress_bars
from stylizer_cli.service import Service
from stylizer_cli.sources import STANDARD_STREAM, is_url
from stylizer_cli.targets import write

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
                end = (_paint_clip if job.animate else _paint)(job, on_progress)
            except StylizerError as error:
                end = error
        on_end(job, end)


def _paint(job: PaintJob, on_progress: ProgressCallback) -> Painted:
    _configure_once()
    from stylizer import stylize, variants  # imports torch, which takes seconds: only after all checks without it

    request, targets = job.request, job.targets
    photo = _read_photo(job.photo)
    styles = read_styles(request)
    seconds = 0.0

    def report(progress: Progress) -> None:
        on_progress(done * progress.total + progress.step, len(targets) * progress.total)

    for done, options in enumerate(variants(request.options, request.variants, method=request.method)):
        painting = stylize(
            photo,
            styles,
            method=request.method,
            options=options,
            mask=request.mask,
            content_mask=request.content_mask,
            on_progress=report,
        )
        write(targets[done], painting.encode(cast(Format, job.target.format), quality=job.quality))
        seconds += painting.seconds
    return Painted(*painting.image.size, seconds, painting.features)


def _paint_clip(job: PaintJob, on_progress: ProgressCallback) -> Painted:
    _configure_once()
    from stylizer import stylize_clip  # imports torch

    request = job.request

    def report(progress: ClipProgress) -> None:
        on_progress(round(1000 * progress.fraction), 1000)

    clip = stylize_clip(
        job.photo,
        read_styles(request),
        method=request.method,
        options=request.options,
        mask=request.mask,
        content_mask=request.content_mask,
        format=cast(ClipFormat, job.target.format),
        format_quality=job.quality,
        on_progress=report,
    )
    write(job.target, clip.data)
    return Painted(*clip.size, clip.seconds, None, clip.info.frames)


def _read_photo(source: str) -> str | bytes:
    """Return what `stylize` accepts: the path of a file, or the bytes from stdin or a URL."""
    if is_url(source):
        from stylizer_cli.downloads import download  # imports httpx

        return download(source, "content")
    if source != STANDARD_STREAM:
        return source
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise UnreadableImage(f"the photo cannot be read: {error.strerror}", field="content") from error


def read_styles(request: PaintRequest) -> list[tuple[str | bytes, float, str | None]]:
    """Return the styles as `stylize` accepts them; downloads those given by URL."""
    return [(_read_style(style.name), style.weight, style.mask) for style in request.styles]


def _read_style(name: str) -> str | bytes:
    if is_url(name):
        from stylizer_cli.downloads import download_style  # imports httpx

        return download_style(name)
    return name
