"""The two clients: one that waits for each answer, and one for an event loop."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from stylizer_client.conversations import Api, Blend, OnProgress, Options, Source, StyleSource
from stylizer_client.errors import Unreachable
from stylizer_client.files import Picture
from stylizer_client.resources import Status, Style, Stylization, Upload
from stylizer_client.steps import NOTHING, Answer, Call, Conversation, Pause

TIMEOUT = 60.0
RETRIES = 5
_CONNECT_TIMEOUT = 10.0
T = TypeVar("T")


class Client:
    """The service, for programs that do one thing after the other. Safe to share between threads.

    Every call is tried again, after growing and random pauses, when there is no answer or one that says that it may
    pass (429, 5xx), and says so only when all tries are used up. No retry ever paints twice.

    Args:
        base_url: Where the service is, such as "http://localhost:8000" or "https://art.example.com/prod".
        key: The API key; None where the service asks for none, as one on your own machine.
        timeout: Seconds that the other side may be silent; connecting takes 10 at most.
        retries: How often a call is tried again.
        transport: Carries the requests, if not the network.

    Raises:
        ValueError: `base_url` is no address of http or https, or `key` has other characters than printable ASCII
            without spaces.
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
        self._api = _api(base_url, key, retries)
        self._http = httpx.Client(timeout=_timeouts(timeout), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def styles(self) -> list[Style]:
        """The built-in styles, then those of your own."""
        return self._talk(self._api.styles())

    def style(self, id: str) -> Style:  # noqa: A002 - what it is called everywhere
        """One style.

        Raises:
            NotFound: There is none of that id.
        """
        return self._talk(self._api.style(id))

    def add_style(self, title: str, picture: Source) -> Style:
        """Make a style of your own; it does not expire.

        Args:
            title: What people call it, 1 to 100 characters.
            picture: What it looks like.

        Raises:
            Invalid: The picture cannot be used.
            OSError: The file cannot be read.
        """
        return self._talk(self._api.add_style(title, picture))

    def upload(self, picture: Picture, *, name: str | None = None) -> Upload:
        """Send a picture, straight to where the service keeps files. It can be used for many paintings.

        Args:
            picture: A path, the bytes of a file, or an open one.
            name: Of the file, whose suffix says what it is, for a picture that has none.

        Raises:
            Invalid: It has too many bytes. (What is wrong inside is told by the first call that uses it.)
            OSError: The file cannot be read.
        """
        return self._talk(self._api.upload(picture, name))

    def stylize(
        self,
        content: Source,
        style: StyleSource | Blend,
        *,
        mask: Source | None = None,
        content_mask: Source | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> Stylization:
        """Have a photo painted; gives the job at once. Pictures that are not uploaded yet are.

        Args:
            content: The photo.
            style: The id of a style, a picture, or a list of up to four of them with weights (only ratios matter).
            mask: Paint only where it is white; of the photo's shape.
            content_mask: Methods neighbor and texture: keep the photo's structure where it is white; of the photo's
                shape.
            idempotency_key: Called again with the same key and the same uploads, this gives the same job. By itself
                each call has a key of its own.
            options: See `Options`.

        Raises:
            Invalid: A picture or an option cannot be honored; `field` says which.
            OSError: A file cannot be read.
        """
        return self._talk(self._api.stylize(content, style, mask, content_mask, options, idempotency_key))

    def job(self, id: str) -> Stylization:  # noqa: A002
        """How a painting is.

        Raises:
            NotFound: There is none of that id, or it is not yours.
        """
        return self._talk(self._api.job(id))

    def jobs(self, *, status: Status | None = None, limit: int | None = None) -> list[Stylization]:
        """Your paintings, newest first: all, or the first `limit`, of any status or of one."""
        return self._talk(self._api.jobs(status, limit))

    def wait(
        self, job: Stylization | str, *, on_progress: OnProgress | None = None, timeout: float | None = None
    ) -> Stylization:
        """Wait until a painting is done.

        Args:
            job: The painting, or its id.
            on_progress: Called with it each time it was looked at; raise from it to stop waiting.
            timeout: Seconds to wait at most.

        Raises:
            PaintingFailed: It has failed.
            PaintingCanceled: It has been canceled.
            Expired: It was done, and is over.
            TimedOut: It takes longer; it goes on.
        """
        return self._talk(self._api.wait(job, on_progress, timeout))

    def cancel(self, job: Stylization | str) -> Stylization:
        """Stop a painting; to do so twice is fine.

        Raises:
            Conflict: It has already ended.
        """
        return self._talk(self._api.cancel(job))

    def delete(self, what: Stylization | Style | Upload | str) -> None:
        """Delete a painting, a style of your own or an upload, with its files, before its time.

        Args:
            what: The thing, or its id. Of a painting the bare record is left for a while, as `expired`.

        Raises:
            NotFound: There is none of that id, or it is not yours, or it has been deleted.
            Conflict: It is a built-in style.
        """
        return self._talk(self._api.delete(what))

    def download(self, job: Stylization | str, path: str | os.PathLike[str]) -> Path:
        """Write a finished painting to a file, which is there whole or not at all. One that is there is replaced.

        Raises:
            Conflict: It is not done.
            Expired: It is over.
            BadAnswer: What came is not what was painted, by its digest.
            OSError: It cannot be written there.
        """
        return self._talk(self._api.download(job, path))

    def _talk(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                try:
                    answer = self._do(step)
                except Unreachable as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            conversation.close()

    def _do(self, step: Call | Pause) -> Answer:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return NOTHING
        try:
            with self._http.stream(**_request(step)) as response:
                if step.sink is not None and response.status_code == httpx.codes.OK:
                    step.sink.begin()
                    for piece in response.iter_bytes():
                        step.sink.write(piece)
                    return _answer(response, b"")
                return _answer(response, response.read())
        except httpx.RequestError as error:
            raise _unreachable(step, error) from error


class AsyncClient:
    """The same for an event loop: each method as in `Client`, to be awaited."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ):
        self._api = _api(base_url, key, retries)
        self._http = httpx.AsyncClient(timeout=_timeouts(timeout), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def styles(self) -> list[Style]:
        """See `Client.styles`."""
        return await self._talk(self._api.styles())

    async def style(self, id: str) -> Style:  # noqa: A002
        """See `Client.style`."""
        return await self._talk(self._api.style(id))

    async def add_style(self, title: str, picture: Source) -> Style:
        """See `Client.add_style`."""
        return await self._talk(self._api.add_style(title, picture))

    async def upload(self, picture: Picture, *, name: str | None = None) -> Upload:
        """See `Client.upload`."""
        return await self._talk(self._api.upload(picture, name))

    async def stylize(
        self,
        content: Source,
        style: StyleSource | Blend,
        *,
        mask: Source | None = None,
        content_mask: Source | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> Stylization:
        """See `Client.stylize`."""
        return await self._talk(self._api.stylize(content, style, mask, content_mask, options, idempotency_key))

    async def job(self, id: str) -> Stylization:  # noqa: A002
        """See `Client.job`."""
        return await self._talk(self._api.job(id))

    async def jobs(self, *, status: Status | None = None, limit: int | None = None) -> list[Stylization]:
        """See `Client.jobs`."""
        return await self._talk(self._api.jobs(status, limit))

    async def wait(
        self, job: Stylization | str, *, on_progress: OnProgress | None = None, timeout: float | None = None
    ) -> Stylization:
        """See `Client.wait`."""
        return await self._talk(self._api.wait(job, on_progress, timeout))

    async def cancel(self, job: Stylization | str) -> Stylization:
        """See `Client.cancel`."""
        return await self._talk(self._api.cancel(job))

    async def delete(self, what: Stylization | Style | Upload | str) -> None:
        """See `Client.delete`."""
        return await self._talk(self._api.delete(what))

    async def download(self, job: Stylization | str, path: str | os.PathLike[str]) -> Path:
        """See `Client.download`."""
        return await self._talk(self._api.download(job, path))

    async def _talk(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                try:
                    answer = await self._do(step)
                except Unreachable as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            conversation.close()

    async def _do(self, step: Call | Pause) -> Answer:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return NOTHING
        try:
            async with self._http.stream(**_request(step)) as response:
                if step.sink is not None and response.status_code == httpx.codes.OK:
                    step.sink.begin()
                    async for piece in response.aiter_bytes():
                        step.sink.write(piece)
                    return _answer(response, b"")
                return _answer(response, await response.aread())
        except httpx.RequestError as error:
            raise _unreachable(step, error) from error


def _api(base_url: str, key: str | None, retries: int) -> Api:
    try:
        httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url is {base_url!r}, which is no address: {error}") from error
    return Api(base_url, key, retries)


def _timeouts(timeout: float) -> httpx.Timeout:
    return httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT), pool=None)


def _request(call: Call) -> dict[str, Any]:
    """What httpx is asked with."""
    body: dict[str, Any] = {}
    if call.file is not None:
        body = {"data": call.form, "files": {"file": call.file}}
    elif call.json is not None:
        body = {"json": call.json}
    return {"method": call.method, "url": call.url, "headers": call.headers, **body}


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def _unreachable(call: Call, error: httpx.RequestError) -> Unreachable:
    url = httpx.URL(call.url)
    where = f"{url.scheme}://{url.netloc.decode()}"
    if isinstance(error, httpx.TimeoutException):
        said = "does not answer: its time is over"
    else:
        said = f"cannot be reached: {_reason(error)}"
    never_left = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Unreachable(f"{where} {said}", was_sent=not never_left)


def _reason(error: BaseException) -> str:
    """What the system says of it, which lies at the bottom of what libraries have made of it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
