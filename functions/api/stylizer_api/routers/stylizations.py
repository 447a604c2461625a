"""Stylizations: create, poll, download, cancel and delete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from stylizer_api.context import AppContext, Context, OwnerDep, PageQuery, ServiceDep
from stylizer_api.files import BINARY
from stylizer_api.links import Mounted
from stylizer_api.prefer_header import wait_seconds
from stylizer_api.request_body import BODY, read_request
from stylizer_service.models import FINAL, MAX_VARIANTS, RESULT_MEDIA_TYPES, Status
from stylizer_service.resources import Page, Stylization

router = APIRouter(prefix="/v1/stylizations", tags=["Stylizations"])

_SHORTEST_PAUSE = 0.15
_LONGEST_PAUSE = 1.0
_PAUSE_SHARE = 0.1  # of the time waited so far: a long wait ends a little later and costs few polls
_PAINTINGS = dict.fromkeys(RESULT_MEDIA_TYPES.values(), BINARY)


class ListQuery(PageQuery):
    """Which paintings to list."""

    status: Status | None = None


VariantQuery = Annotated[
    int | None,
    Query(ge=1, le=MAX_VARIANTS, description="Number of the variant in `results`, from 1; available once painted."),
]


class VariantFiles:
    """The files of a stylization, or of one of its variants."""

    def __init__(
        self,
        owner: OwnerDep,
        mount: Mounted,
        id: str,  # noqa: A002
        variant: VariantQuery = None,
    ) -> None:
        self._mount, self._named = mount, (owner, id, variant)

    def redirect(self, url_of: Callable[[str, str, int | None], str]) -> Response:
        """Redirect to the signed URL that `url_of` returns."""
        return RedirectResponse(self._mount.link(url_of(*self._named)), status.HTTP_303_SEE_OTHER)


VariantFilesDep = Annotated[VariantFiles, Depends()]


@router.post(
    "",
    summary="Create a stylization",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra=BODY,
    responses={
        200: {
            "description": "The job ended within the time in `Prefer: wait`.",
            "model": Stylization,
        },
        202: {"description": "Accepted; poll the job at `Location`."},
    },
)
async def create_stylization(
    owner: OwnerDep,
    context: AppContext,
    mount: Mounted,
    request: Request,
    response: Response,
    prefer: Annotated[
        list[str] | None,
        Header(alias="Prefer", description="`wait=60` waits up to 60 seconds for the job to end."),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="1 to 255 visible ASCII characters. Repeating the request returns the same job.",
        ),
    ] = None,
) -> Stylization:
    """Accepts JSON that references uploads, or a multipart form that contains the files."""
    service = context.service
    async with read_request(request, max_bytes=service.settings.max_file_bytes) as (body, files):
        job, is_new = await run_in_threadpool(service.create_stylization, owner, body, idempotency_key, files=files)
    response.headers["Location"] = mount.link(job.links.self)
    request.state.job_id = job.id
    if is_new:
        request.state.accepted = job.method
    else:
        response.headers["Idempotency-Replayed"] = "true"
    wait = wait_seconds(prefer or ())
    if wait is not None:
        wait = _bounded(wait, context, request)
        response.headers["Preference-Applied"] = f"wait={wait}"
        started = time.monotonic()
        job = await _until_ended(job, wait, owner, context, request)
        request.state.waited = time.monotonic() - started
        if _has_ended(job):
            response.status_code = status.HTTP_200_OK
    _say_when_to_ask_again(job, response)
    return mount.resource(job)


def _bounded(wait: int, context: Context, request: Request) -> int:
    """Return the requested wait in seconds, capped by the settings and the time left."""
    longest = min(context.service.settings.max_wait, context.seconds_left(request))
    return min(wait, max(0, int(longest)))


async def _until_ended(job: Stylization, seconds: int, owner: str, context: Context, request: Request) -> Stylization:
    """Return the job once it has ended, or its current state on timeout, client disconnect or server shutdown."""
    began = now = time.monotonic()
    while not _has_ended(job) and (left := began + seconds - now) > 0:
        if context.stopping() or await request.is_disconnected():
            break
        pause = max(_SHORTEST_PAUSE, _PAUSE_SHARE * (now - began))
        await asyncio.sleep(min(pause, _LONGEST_PAUSE, left))
        now = time.monotonic()
        job = await run_in_threadpool(context.service.get_stylization, owner, job.id)
    return job


def _has_ended(job: Stylization) -> bool:
    return job.status in FINAL or job.status == "expired"


def _say_when_to_ask_again(job: Stylization, response: Response) -> None:
    if not _has_ended(job):
        response.headers["Retry-After"] = "1"


@router.get("", summary="List stylizations")
def list_stylizations(
    owner: OwnerDep, service: ServiceDep, mount: Mounted, query: Annotated[ListQuery, Query()]
) -> Page[Stylization]:
    """Newest first, of any status unless filtered."""
    page = service.list_stylizations(owner, limit=query.limit, cursor=query.cursor, status=query.status)
    return mount.resource(page)


@router.get("/{id}", summary="Get a stylization")
async def get_stylization(
    owner: OwnerDep,
    service: ServiceDep,
    mount: Mounted,
    id: str,  # noqa: A002
    response: Response,
) -> Stylization:
    """Status and progress, and finally the result or error. `Retry-After` is the polling interval."""
    # The most frequent call. As a plain function, FastAPI would use the thread pool for validating its response as
    # well.
    job = await run_in_threadpool(service.get_stylization, owner, id)
    _say_when_to_ask_again(job, response)
    return mount.resource(job)


@router.get(
    "/{id}/image",
    summary="Download the painting",
    status_code=status.HTTP_303_SEE_OTHER,
    response_class=Response,
    responses={
        200: {"description": "The file, after following the redirect.", "content": _PAINTINGS},
        303: {"description": "Short-lived link to the file; `curl -L` follows it."},
    },
)
def get_stylization_image(files: VariantFilesDep, service: ServiceDep) -> Response:
    """Redirects to the file: 409 while there is none, 410 once it has expired."""
    return files.redirect(service.image_url)


@router.get(
    "/{id}/preview",
    summary="Get the preview of a painting",
    status_code=status.HTTP_303_SEE_OTHER,
    response_class=Response,
    responses={
        200: {"description": "The image, after following the redirect.", "content": {"image/jpeg": BINARY}},
        303: {"description": "Short-lived link to a small image of the current state."},
    },
)
def get_stylization_preview(files: VariantFilesDep, service: ServiceDep) -> Response:
    """Redirects to a small image: 404 while there is none."""
    return files.redirect(service.preview_url)


@router.post("/{id}/cancel", summary="Cancel a stylization")
def cancel_stylization(owner: OwnerDep, service: ServiceDep, mount: Mounted, id: str) -> Stylization:  # noqa: A002
    """Takes effect at once and can be repeated; 409 if the job has ended otherwise."""
    return mount.resource(service.cancel_stylization(owner, id))


@router.post("/{id}/delete", summary="Delete a stylization")
def delete_stylization(owner: OwnerDep, service: ServiceDep, mount: Mounted, id: str) -> Stylization:  # noqa: A002
    """Deletes the job's files at once, including its copy of the photo, and stops it if necessary. Can be repeated.

    Its record remains for 30 days, with the `status` `expired` and without an image.
    """
    return mount.resource(service.delete_stylization(owner, id))
