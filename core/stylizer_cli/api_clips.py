"""Painting of a clip by a service: `stylizer paint --api`. Unlike pictures, it is canceled when interrupted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stylizer.options import DEFAULT_FORMAT_QUALITY
from stylizer_cli.api_backend import connect
from stylizer_cli.clips import ClipJob
from stylizer_cli.resume_files import local_picture
from stylizer_cli.screen import print_note, print_output, progress_bars
from stylizer_cli.service import Service
from stylizer_client import Client, ClientError, Stylization


def paint_clip_by_api(job: ClipJob, service: Service, *, quiet: bool) -> None:
    """Have a clip painted by a service, write it as a whole, and report."""
    with connect(service) as client:
        stylization = _create(client, job)
        try:
            with progress_bars(quiet=quiet) as bars, bars.bar("painting") as on_progress:
                done = client.wait(stylization, on_progress=lambda seen: on_progress(round(1000 * seen.progress), 1000))
        except KeyboardInterrupt:
            with suppress(ClientError):
                client.cancel(stylization)
            raise
        client.download(done, job.path)
    if quiet or done.result is None:
        return
    print_output(job.path)
    result = done.result
    print_note(
        f"painted {result.frames} frames of {result.width} x {result.height} pixels in {result.seconds.painting:.1f} s"
    )


def _create(client: Client, job: ClipJob) -> Stylization:
    request = job.request
    styles: list[tuple[Any, ...]] = []
    for name, weight, mask in request.styles:
        file = local_picture(name)
        styles.append((name if file is None else Path(file), weight, *([] if mask is None else [Path(mask)])))
    options: dict[str, Any] = {
        **asdict(request.options),
        "method": request.method,
        "animate": True,
        "format": job.format,
        "format_quality": request.format_quality or DEFAULT_FORMAT_QUALITY,
    }
    masks = {"mask": request.mask, "content_mask": request.content_mask}
    files: dict[str, Any] = {field: Path(mask) for field, mask in masks.items() if mask is not None}
    return client.stylize(job.source, styles, **files, **options)
