"""Presenters: from records to API resources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stylizer import styles
from stylizer_service.files import suffix
from stylizer_service.models import Status
from stylizer_service.ports import Ports
from stylizer_service.problems import failure
from stylizer_service.records import Job, ResultRecord, StyleRecord, is_final
from stylizer_service.resources import Result, Style, StyleLinks, Stylization, StylizationLinks, Variant
from stylizer_service.settings import Settings


def file_name(job: Job, number: int = 1) -> str:
    """Return the file name for saving the painting, or the variant of that number."""
    variant = f"-{number}" if job.variants > 1 else ""
    return f"{job.id}{variant}.{suffix(job.options.format)}"


def builtin_style(style: styles.Style) -> Style:
    """Return the resource of a built-in style."""
    return Style(
        id=style.id,
        title=style.title,
        artist=style.artist,
        year=style.year,
        license=style.license,
        description=style.description,
        own=False,
        created_at=None,
        links=_style_links(style.id),
    )


def own_style(record: StyleRecord) -> Style:
    """Return the resource of a custom style."""
    return Style(
        id=record.id,
        title=record.title,
        artist=None,
        year=None,
        license=None,
        description=None,
        own=True,
        created_at=record.created_at,
        links=_style_links(record.id),
    )


def present(ports: Ports, settings: Settings, job: Job) -> Stylization:
    """Return the current resource of a job, with a fresh link to the painting."""
    expired = is_expired(job, ports.clock.now())
    urls = [
        link(ports, settings, result.key, filename=file_name(job, number))
        for number, result in enumerate(results_of(job), start=1)
        if not expired
    ]
    return stylization(job, expired=expired, urls=urls)


def results_of(job: Job) -> tuple[ResultRecord, ...]:
    """Return the variants painted so far, also of a job stored before there were several."""
    return job.results or ((job.result,) if job.result else ())


def variant_of(job: Job, number: int) -> ResultRecord | None:
    """Return a variant of a job, or None if it is not painted yet. Raises `not-found` if it never will be."""
    if not 1 <= number <= job.variants:
        detail = f"there is no variant {number}"
        raise failure("not-found", detail, field="variant", allowed=f"a whole number from 1 to {job.variants}")
    return next(iter(results_of(job)[number - 1 :]), None)


def is_expired(job: Job, now: datetime) -> bool:
    """Return whether a job has expired, even if the sweep has not processed it yet."""
    return job.status == "expired" or (is_final(job) and job.expires_at <= now)


def link(ports: Ports, settings: Settings, key: str, *, filename: str) -> str:
    """Return a fresh signed link to a file."""
    return ports.blobs.url(key, expires_at=ports.clock.now() + settings.url_ttl, filename=filename)


def stylization(job: Job, *, expired: bool, urls: Sequence[str]) -> Stylization:
    """Return the resource of a job.

    Args:
        job: The job.
        expired: Whether it has expired, even if the sweep has not processed it yet.
        urls: A signed link to each variant painted so far; none if they have expired.
    """
    status: Status = "expired" if expired else job.status
    path = f"/v1/stylizations/{job.id}"
    return Stylization(
        id=job.id,
        status=status,
        progress=job.progress,
        method=job.method,
        options=job.options,
        content=job.content,
        styles=list(job.styles),
        mask=job.mask,
        content_mask=job.content_mask,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
        webhook=job.webhook,
        preview=f"{path}/preview" if job.preview_key and not expired else None,
        variants=job.variants,
        frames=job.result.frames if job.result else job.frames,
        result=_result(job.result, urls[0]) if job.result and urls else None,
        results=[
            _variant(job, number, result, url)
            for number, (result, url) in enumerate(zip(results_of(job), urls, strict=False), start=1)
        ],
        error=job.error,
        links=StylizationLinks(self=path, image=f"{path}/image", cancel=f"{path}/cancel"),
    )


def _result(record: ResultRecord, url: str) -> Result:
    return Result(
        width=record.width,
        height=record.height,
        media_type=record.media_type,
        bytes=record.bytes,
        sha256=record.sha256,
        url=url,
        seconds=record.seconds,
        features=record.features,
        frames=record.frames,
        duration=record.duration,
    )


def _variant(job: Job, number: int, record: ResultRecord, url: str) -> Variant:
    return Variant(
        **dict(_result(record, url)),
        seed=job.options.seed if record.seed is None else record.seed,
        style_scale=job.options.style_scale if record.style_scale is None else record.style_scale,
        preview=f"/v1/stylizations/{job.id}/preview?variant={number}"
        if record.preview_key or job.preview_key
        else None,
    )


def _style_links(style_id: str) -> StyleLinks:
    path = f"/v1/styles/{style_id}"
    return StyleLinks(self=path, image=f"{path}/image")
