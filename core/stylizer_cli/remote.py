"""Painting by a service, several errands at once, and what is said when that fails."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stylizer import errors
from stylizer.errors import OptionError, StylizerError, UnknownStyle
from stylizer_cli.errands import Errand, OnEnd, Painted
from stylizer_cli.screen import Bars, Show
from stylizer_cli.service import Service
from stylizer_cli.targets import write
from stylizer_cli.tickets import Picture, Request, Ticket, key_of, picture_of
from stylizer_client import (
    AsyncClient,
    ServiceUnavailable,
    Client,
    ClientError,
    NotAllowed,
    NotFound,
    PaintingCanceled,
    Problem,
    Stylization,
)


class NoService(StylizerError):
    """The service does not answer, or not to us: nothing else will work either."""

    code = "no-service"


def paint(errands: Iterable[Errand], service: Service, bars: Bars, on_end: OnEnd) -> None:
    """Paint all, several at a time, and write each as soon as it is done.

    An interrupted command can be given again: what it has asked for is taken up, by the tickets it has left.
    """
    try:
        asyncio.run(_paint(errands, service, bars, on_end))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


@contextmanager
def connected(service: Service) -> Iterator[Client]:
    """Talk to a service; what goes wrong in the block is told as the library tells it."""
    with _checked(service.api):
        client = Client(service.api, key=service.key)
    with client, translated():
        yield client


def add_style(service: Service, title: str, file: str) -> str:
    """Make a style from a picture; gives its id."""
    picture = Picture(file, "style")
    with connected(service) as client:
        return client.add_style(title, client.upload(picture.content, name=picture.name)).id


async def _paint(errands: Iterable[Errand], service: Service, bars: Bars, on_end: OnEnd) -> None:
    _cancel_when_interrupted()
    with _checked(service.api):
        client = AsyncClient(service.api, key=service.key)
    async with client, asyncio.TaskGroup() as group:
        errands = list(errands)
        with translated():
            await _check_styles(client, {name for errand in errands for name in errand.wish.names})
        waiting = iter(errands)
        painter = _Painter(client, service.api)

        async def work() -> None:
            for errand in waiting:
                end: Painted | StylizerError
                with bars.bar(errand.name) as show:
                    try:
                        with translated():
                            end = await painter.paint(errand, show)
                    except StylizerError as error:
                        end = error
                on_end(errand, end)

        for _ in range(service.jobs):
            group.create_task(work())


def _cancel_when_interrupted() -> None:
    """Have Ctrl-C cancel this task, however often it comes.

    By itself asyncio does so for the first only, and raises from wherever it is for a second, of which it may hang.
    """
    task = asyncio.current_task()
    assert task is not None  # it runs in one
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        with suppress(NotImplementedError):  # Windows, where it stays as it is by itself
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)


async def _check_styles(client: AsyncClient, names: Iterable[str]) -> None:
    """Raise an UnknownStyle, as painting on this machine would, before anything is sent in vain."""
    for name in names:
        if picture_of(name) is not None:
            continue
        try:
            await client.style(name)
        except NotFound:
            known = [style.id for style in await client.styles()]
            detail = f"style is {name!r}, which is neither a file nor one of {', '.join(known)}"
            raise UnknownStyle(detail, field="style", allowed=known) from None


class _Painter:
    """Carries errands to the service. A picture that several need, such as a style, is sent once."""

    def __init__(self, client: AsyncClient, api: str):
        self._client = client
        self._api = api
        self._uploads: dict[str, asyncio.Task[str]] = {}

    async def paint(self, errand: Errand, show: Show) -> Painted:
        """Have one painted, and write it."""
        ticket = Ticket(errand, self._api)
        job = await self._take_up(ticket) or await self._ask_for(ticket)
        try:
            done = await self._client.wait(job, on_progress=lambda job: _show(job, show))
        except (Problem, PaintingCanceled):
            ticket.discard()
            raise
        except asyncio.CancelledError:
            if ticket.path is None:  # nobody could come back for it
                with suppress(ClientError):
                    await self._client.cancel(job)
            raise
        await self._fetch(done, errand)
        ticket.discard()
        assert done.result is not None  # since it has succeeded
        result = done.result
        return Painted(result.width, result.height, result.seconds.painting, result.features)

    async def _take_up(self, ticket: Ticket) -> Stylization | None:
        """The job that an earlier command has asked for, unless that came to nothing."""
        request = ticket.read()
        if request is None:
            return None
        try:
            job = await self._ask(request)
        except ServiceUnavailable:  # it may be at work on that job, and would paint a second one
            raise
        except Problem:  # its uploads or its key are over
            return None
        return None if job.status in ("failed", "canceled", "expired") else job

    async def _ask_for(self, ticket: Ticket) -> Stylization:
        ids = [await self._upload(picture) for picture in ticket.pictures.values()]
        request = ticket.request(dict(zip(ticket.pictures, ids, strict=True)))
        ticket.write(request)  # before it is sent, so that not even the answer need arrive
        try:
            return await self._ask(request)
        except Problem:
            ticket.discard()
            raise

    async def _ask(self, request: Request) -> Stylization:
        return await self._client.stylize(**request, idempotency_key=key_of(request))

    async def _upload(self, picture: Picture) -> str:
        async def send() -> str:
            return (await self._client.upload(picture.content, name=picture.name)).id

        if picture.sha256 not in self._uploads:
            self._uploads[picture.sha256] = asyncio.create_task(send())
        return await self._uploads[picture.sha256]

    async def _fetch(self, job: Stylization, errand: Errand) -> None:
        if errand.target.path is not None:
            await self._client.download(job, errand.target.path)
            return
        with tempfile.TemporaryDirectory() as folder:
            write(errand.target, (await self._client.download(job, Path(folder) / job.id)).read_bytes())


def _show(job: Stylization, show: Show) -> None:
    show(round(1000 * job.progress), None if job.status == "queued" else 1000)


@contextmanager
def _checked(api: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        allowed = "an address such as https://art.example.com/prod"
        raise OptionError(f"api is {api!r}; it must be {allowed}", field="api", allowed=allowed) from error


@contextmanager
def translated() -> Iterator[None]:
    """Tell what a client meets as the library would: the kinds of problems have the codes of its errors."""
    try:
        yield
    except NotAllowed as error:
        raise NoService(f"{error.detail} (--key or STYLIZER_KEY gives one)", field="key") from error
    except Problem as error:
        kind = OptionError if error.code == "invalid-request" else _kinds().get(error.code, StylizerError)
        raise kind(error.detail, field=error.field, allowed=error.allowed) from error
    except PaintingCanceled as error:
        raise StylizerError(error.detail) from error
    except ClientError as error:
        raise NoService(error.detail) from error


def _kinds() -> dict[str, type[StylizerError]]:
    """The errors of the library by their codes."""
    classes = (kind for kind in vars(errors).values() if isinstance(kind, type))
    return {kind.code: kind for kind in classes if issubclass(kind, StylizerError)}
