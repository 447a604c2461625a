"""Acceptance of a clip: the job of a request whose content turned out to be one."""

from __future__ import annotations

from dataclasses import replace

from stylizer.clips.info import CLIP_FORMATS, ClipFormat, ClipInfo, default_format
from stylizer.clips.limits import check_output
from stylizer.options import FORMATS, check_clip_metadata
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import as_problems, failure
from stylizer_service.records import Job
from stylizer_service.routing import Capacity, select_backend, size_to_route
from stylizer_service.settings import Settings


def check_picture_format(request: StylizationRequest) -> None:
    """Raise `invalid-option` if a single picture is asked for in a format of clips."""
    if request.animate is False and request.format not in FORMATS:
        detail = f"format is {request.format}, which is for clips, and animate is false"
        raise failure("invalid-option", detail, field="format", allowed=FORMATS)


def clip_job(job: Job, request: StylizationRequest, info: ClipInfo | None, settings: Settings) -> Job:
    """Return the job with what follows from its content being a clip: format, size, number of frames and backend.

    Args:
        job: The job, not stored yet.
        request: The request.
        info: The clip; None if only the painters can read it, which then check it.
        settings: Limits.

    Raises:
        ProblemError: A clip cannot be painted with these options.
    """
    if request.variants > 1:
        detail = f"variants is {request.variants}; a clip is painted once"
        raise failure("invalid-option", detail, field="variants", allowed="1 for a clip")
    with as_problems():
        check_clip_metadata(request.keep_metadata)
    name = _format(request, info)
    frames = info.frames if info else None
    if info:
        with as_problems():
            check_output(info, request.size, settings.clip_limits, name)
    size, description = size_to_route(
        request, (info.width, info.height) if info else None, settings.clip_limits.max_size
    )
    backend = select_backend(
        request.method,
        size,
        request.quality,
        Capacity.of(settings),
        features=request.features,
        regions=request.region_count,
        frames=frames or settings.max_clip_frames,
        size_description=description,
    )
    # As a number, "original" is what the disk must hold; the largest size times the frames would be refused.
    known = {"size": size} if info else {}
    options = job.options.model_copy(update={"animate": True, "format": name} | known)
    return replace(job, options=options, frames=frames, backend=backend)


def _format(request: StylizationRequest, info: ClipInfo | None) -> ClipFormat:
    if "format" not in request.model_fields_set:
        return default_format(info.format) if info else "mp4"
    for name in CLIP_FORMATS:
        if request.format == name:
            return name
    allowed = ", ".join(CLIP_FORMATS)
    detail = f"format is {request.format}, which holds a single picture; a clip is painted as {allowed}"
    raise failure("invalid-option", detail, field="format", allowed=CLIP_FORMATS)
