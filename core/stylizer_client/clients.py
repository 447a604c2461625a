"""The synchronous and the asynchronous client."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from stylizer_client.errors import Unreachable
from stylizer_client.files import Picture
from stylizer_client.flows import ApiFlows, Blend, OnProgress, Options, Source, StyleSource
from stylizer_client.resources import Status, Style, Stylization, Upload
from stylizer_client.steps import NO_RESPONSE, Flow, Request, Response, Sleep

TIMEOUT = 60.0
RETRIES = 5
_CONNECT_TIMEOUT = 10.0
T = TypeVar("T")


class Client:
    """Synchronous client, safe to share between threads.

    Requests without a response, or with a transient error (429, 5xx), are retried with exponential backoff and jitter.
    No retry ever paints twice.

    Args:
        base_url: Base URL of the service, such as "http://localhost:8000" or "https://art.example.com/prod".
        key: API key; None if the service requires none, as on your own machine.
        timeout: Longest silence of the service, seconds; connecting takes at most 10.
        retries: Most retries of a request.
        transport: httpx transport to use instead of the network.

    Raises:
        ValueError: `base_url` is not an http or https URL, or `key` has characters other than printable ASCII without
            spaces.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        transport: httpx.BaseTransport | None = None,
    ):
        self._flows = _flows_for(base_url, key, retries)
        self._http = httpx.Client(timeout=_httpx_timeout(timeout), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def styles(self) -> list[Style]:
        """List the built-in styles, then your own."""
        return self._run(self._flows.styles())

    def style(self, id: str) -> Style:  # noqa: A002 - the name in the API
        """Get a style.

        Raises:
            NotFound: No style has this id.
        """
        return self._run(self._flows.style(id))

    def add_style(self, title: str, picture: Source) -> Style:
        """Create a style of your own, which does not expire.

        Args:
            title: Display name, 1 to 100 characters.
            picture: Picture in that style.

        Raises:
            Invalid: The image cannot be used.
            OSError: The file cannot be read.
        """
        return self._run(self._flows.add_style(title, picture))

    def upload(self, picture: Picture, *, name: str | None = None) -> Upload:
        """Upload a picture directly to the store of the service, for use in any number of paintings.

        Args:
            picture: A path, the bytes of a file, or an open file.
            name: File name, whose suffix gives the media type; needed only without a path.

        Raises:
            Invalid: The file is too large. The first operation that uses the upload checks its content.
            OSError: The file cannot be read.
        """
        return self._run(self._flows.upload(picture, name))

    def stylize(
        self,
        content: Source | None = None,
        style: StyleSource | Blend | None = None,
        *,
        mask: Source | None = None,
        content_mask: Source | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> Stylization:
        """Start painting a photo, and return the job. Pictures are uploaded as necessary.

        Args:
            content: The photo. Options `content_url` and `style_url` take the place of `content` and `style`.
            style: Id of a style, a picture, or up to four of either with weights, of which only the ratios matter, and
                optional masks of where each paints, which have the shape of the photo.
            mask: Paint only where this picture is white; it has the shape of the photo.
            content_mask: Neighbor, feedforward, texture: keep the structure of the photo where this picture is white.
                It has the shape of the photo.
            idempotency_key: The same key with the same uploads returns the same job. By default each call has a new
                key.
            options: See `Options`.

        Raises:
            Invalid: A picture or an option is invalid; `field` names it.
            OSError: A file cannot be read.
        """
        return self._run(self._flows.stylize(content, style, mask, content_mask, options, idempotency_key))

    def job(self, id: str) -> Stylization:  # noqa: A002
        """Get a job.

        Raises:
            NotFound: You have no job of this id.
        """
        return self._run(self._flows.job(id))

    def jobs(self, *, status: Status | None = None, limit: int | None = None) -> list[Stylization]:
        """List your jobs, newest first: all or the first `limit`, of any status or of one."""
        return self._run(self._flows.jobs(status, limit))

    def wait(
        self, job: Stylization | str, *, on_progress: OnProgress | None = None, timeout: float | None = None
    ) -> Stylization:
        """Wait until a job has succeeded.

        Args:
            job: The job, or its id.
            on_progress: Called with the job after each poll; raise from it to stop waiting.
            timeout: Most seconds to wait.

        Raises:
            PaintingFailed: The job has failed.
            PaintingCanceled: The job has been canceled.
            Expired: The job has expired.
            TimedOut: The job has not ended within `timeout`, and continues.
        """
        return self._run(self._flows.wait(job, on_progress, timeout))

    def cancel(self, job: Stylization | str) -> Stylization:
        """Cancel a job. Canceling twice is harmless.

        Raises:
            Conflict: The job has already ended.
        """
        return self._run(self._flows.cancel(job))

    def delete(self, what: Stylization | Style | Upload | str) -> None:
        """Delete a job, a style of your own or an upload, with its files, before it expires.

        Args:
            what: The resource, or its id. The record of a job remains for a while, with status `expired`.

        Raises:
            NotFound: You have no such resource, or it was deleted before.
            Conflict: Built-in styles cannot be deleted.
        """
        return self._run(self._flows.delete(what))

    def download(self, job: Stylization | str, path: str | os.PathLike[str], *, variant: int | None = None) -> Path:
        """Download a painting. The file is replaced atomically, and only after its SHA-256 was checked.

        Args:
            job: The job, or its id.
            path: Where to write the file.
            variant: Which of `results`, from 1; None for the first, once all have been painted.

        Raises:
            Conflict: The job has not succeeded, or the variant is not painted yet.
            Expired: The painting has expired.
            InvalidResponse: The digest of the file is wrong.
            OSError: The file cannot be written.
        """
        return self._run(self._flows.download(job, path, variant))

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    response = self._perform(step)
                except Unreachable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            flow.close()

    def _perform(self, step: Request | Sleep) -> Response:
        if isinstance(step, Sleep):
            time.sleep(step.seconds)
            return NO_RESPONSE
        try:
            with self._http.stream(**_httpx_request(step)) as response:
                if step.sink is not None and response.status_code == httpx.codes.OK:
                    step.sink.begin()
                    for piece in response.iter_bytes():
                        step.sink.write(piece)
                    return _to_response(response, b"")
                return _to_response(response, response.read())
        except httpx.RequestError as error:
            raise _to_unreachable(step, error) from error


class AsyncClient:
    """Asynchronous client, with the same methods as `Client`."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ):
        self._flows = _flows_for(base_url, key, retries)
        self._http = httpx.AsyncClient(timeout=_httpx_timeout(timeout), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def styles(self) -> list[Style]:
        """See `Client.styles`."""
        return await self._run(self._flows.styles())

    async def style(self, id: str) -> Style:  # noqa: A002
        """See `Client.style`."""
        return await self._run(self._flows.style(id))

    async def add_style(self, title: str, picture: Source) -> Style:
        """See `Client.add_style`."""
        return await self._run(self._flows.add_style(title, picture))

    async def upload(self, picture: Picture, *, name: str | None = None) -> Upload:
        """See `Client.upload`."""
        return await self._run(self._flows.upload(picture, name))

    async def stylize(
        self,
        content: Source | None = None,
        style: StyleSource | Blend | None = None,
        *,
        mask: Source | None = None,
        content_mask: Source | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> Stylization:
        """See `Client.stylize`."""
        return await self._run(self._flows.stylize(content, style, mask, content_mask, options, idempotency_key))

    async def job(self, id: str) -> Stylization:  # noqa: A002
        """See `Client.job`."""
        return await self._run(self._flows.job(id))

    async def jobs(self, *, status: Status | None = None, limit: int | None = None) -> list[Stylization]:
        """See `Client.jobs`."""
        return await self._run(self._flows.jobs(status, limit))

    async def wait(
        self, job: Stylization | str, *, on_progress: OnProgress | None = None, timeout: float | None = None
    ) -> Stylization:
        """See `Client.wait`."""
        return await self._run(self._flows.wait(job, on_progress, timeout))

    async def cancel(self, job: Stylization | str) -> Stylization:
        """See `Client.cancel`."""
        return await self._run(self._flows.cancel(job))

    async def delete(self, what: Stylization | Style | Upload | str) -> None:
        """See `Client.delete`."""
        return await self._run(self._flows.delete(what))

    async def download(
        self, job: Stylization | str, path: str | os.PathLike[str], *, variant: int | None = None
    ) -> Path:
        """See `Client.download`."""
        return await self._run(self._flows.download(job, path, variant))

    async def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    response = await self._perform(step)
                except Unreachable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            flow.close()

    async def _perform(self, step: Request | Sleep) -> Response:
        if isinstance(step, Sleep):
            await asyncio.sleep(step.seconds)
            return NO_RESPONSE
        try:
            async with self._http.stream(**_httpx_request(step)) as response:
                if step.sink is not None and response.status_code == httpx.codes.OK:
                    step.sink.begin()
                    async for piece in response.aiter_bytes():
                        step.sink.write(piece)
                    return _to_response(response, b"")
                return _to_response(response, await response.aread())
        except httpx.RequestError as error:
            raise _to_unreachable(step, error) from error


def _flows_for(base_url: str, key: str | None, retries: int) -> ApiFlows:
    try:
        httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url is {base_url!r}, which is not a URL: {error}") from error
    return ApiFlows(base_url, key, retries)


def _httpx_timeout(timeout: float) -> httpx.Timeout:
    return httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT), pool=None)


def _httpx_request(request: Request) -> dict[str, Any]:
    """Build the arguments of `httpx.Client.stream`."""
    body: dict[str, Any] = {}
    if request.file is not None:
        body = {"data": request.form, "files": {"file": request.file}}
    elif request.json is not None:
        body = {"json": request.json}
    return {"method": request.method, "url": request.url, "headers": request.headers, **body}


def _to_response(response: httpx.Response, body: bytes) -> Response:
    return Response(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def _to_unreachable(request: Request, error: httpx.RequestError) -> Unreachable:
    url = httpx.URL(request.url)
    where = f"{url.scheme}://{url.netloc.decode()}"
    if isinstance(error, httpx.TimeoutException):
        reason = "does not respond: timeout"
    else:
        reason = f"cannot be reached: {_reason(error)}"
    never_left = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Unreachable(f"{where} {reason}", was_sent=not never_left)


def _reason(error: BaseException) -> str:
    """Return the message of the operating system, from the innermost cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
