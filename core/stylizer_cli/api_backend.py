"""Painting by a service: concurrent jobs, resuming after an interruption, error translation."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from stylizer import errors
from stylizer.errors import OptionError, StylizerError, UnknownStyle
from stylizer_cli.jobs import OnEnd, Painted, PaintJob
from stylizer_cli.resume_files import ApiRequest, InputPicture, ResumeFile, idempotency_key, local_picture
from stylizer_cli.screen import Bars, ProgressCallback
from stylizer_cli.service import Service
from stylizer_cli.sources import is_url
from stylizer_cli.targets import write
from stylizer_client import (
    AsyncClient,
    Client,
    ClientError,
    NotAllowed,
    NotFound,
    PaintingCanceled,
    Problem,
    ServiceUnavailable,
    Stylization,
)

CANCEL_SECONDS = 10.0  # at most, after an interruption


class ServiceError(StylizerError):
    """The service is unreachable or refuses access, so every other request would fail as well."""

    code = "no-service"


def run_by_api(jobs: Iterable[PaintJob], service: Service, bars: Bars, on_end: OnEnd) -> None:
    """Run jobs concurrently, and write each painting as soon as it is finished.

    Resume files let the same command resume after an interruption.
    """
    try:
        asyncio.run(_run_concurrently(jobs, service, bars, on_end))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


@contextmanager
def connect(service: Service) -> Iterator[Client]:
    """Open a client; errors in the block are raised as errors of the library."""
    with _invalid_url_as_option_error(service.api):
        client = Client(service.api, key=service.key)
    with client, _library_errors():
        yield client


def add_style(service: Service, title: str, file: str) -> str:
    """Create a style from a picture, and return its id."""
    picture = InputPicture(file, "style")
    with connect(service) as client:
        return client.add_style(title, client.upload(picture.content, name=picture.name)).id


async def _run_concurrently(jobs: Iterable[PaintJob], service: Service, bars: Bars, on_end: OnEnd) -> None:
    _cancel_on_interrupt()
    with _invalid_url_as_option_error(service.api):
        client = AsyncClient(service.api, key=service.key)
    async with client, asyncio.TaskGroup() as group:
        jobs = list(jobs)
        with _library_errors():
            await _check_styles(client, {name for job in jobs for name in job.request.names})
        pending = iter(jobs)
        painter = _ApiPainter(client, service.api)

        async def work() -> None:
            for job in pending:
                end: Painted | StylizerError
                with bars.bar(job.name) as on_progress:
                    try:
                        with _library_errors():
                            end = await painter.paint(job, on_progress)
                    except StylizerError as error:
                        end = error
                on_end(job, end)

        for _ in range(service.jobs):
            group.create_task(work())


def _cancel_on_interrupt() -> None:
    """Make every Ctrl-C cancel this task.

    asyncio.run cancels on the first one only; the second raises KeyboardInterrupt anywhere, and may hang the loop.
    """
    task = asyncio.current_task()
    assert task is not None
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        with suppress(NotImplementedError):  # Windows, which keeps the behavior of asyncio.run
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)


async def _check_styles(client: AsyncClient, names: Iterable[str]) -> None:
    """Raise the UnknownStyle that local painting would raise, before anything is uploaded."""
    for name in names:
        if is_url(name) or local_picture(name) is not None:
            continue
        try:
            await client.style(name)
        except NotFound:
            known = [style.id for style in await client.styles()]
            detail = f"style is {name!r}, which is neither a file nor one of {', '.join(known)}"
            raise UnknownStyle(detail, field="style", allowed=known) from None


class _ApiPainter:
    """Runs paint jobs by the API. A picture that several jobs share, such as a style, is uploaded once."""

    def __init__(self, client: AsyncClient, api: str):
        self._client = client
        self._api = api
        self._uploads: dict[str, asyncio.Task[str]] = {}

    async def paint(self, job: PaintJob, on_progress: ProgressCallback) -> Painted:
        """Create or resume a stylization, wait for it, and write the painting."""
        resume_file = ResumeFile(job, self._api)
        stylization = await self._resume(resume_file) or await self._create(resume_file)
        try:
            done = await self._client.wait(stylization, on_progress=lambda seen: _report_progress(seen, on_progress))
        except (Problem, PaintingCanceled):
            resume_file.discard()
            raise
        except asyncio.CancelledError:
            if resume_file.path is None:  # no later command can resume it
                await self._cancel(stylization)
            raise
        await self._download(done, job)
        resume_file.discard()
        assert done.result is not None  # since it has succeeded
        result = done.result
        seconds = sum(each.seconds.painting for each in done.results or (result,))
        return Painted(result.width, result.height, seconds, result.features, result.frames)

    async def _resume(self, resume_file: ResumeFile) -> Stylization | None:
        """Return the stylization created by an earlier command; None if it cannot succeed any more."""
        request = resume_file.read()
        if request is None:
            return None
        try:
            stylization = await self._stylize(request)
        except ServiceUnavailable:  # the stylization may exist: a new one would paint twice
            raise
        except Problem:  # its uploads or its idempotency key have expired
            return None
        return None if stylization.status in ("failed", "canceled", "expired") else stylization

    async def _create(self, resume_file: ResumeFile) -> Stylization:
        ids = [await self._upload(picture) for picture in resume_file.pictures.values()]
        request = resume_file.request(dict(zip(resume_file.pictures, ids, strict=True)))
        resume_file.write(request)  # before the request is sent, because its response may get lost
        try:
            return await (self._stylize(request) if resume_file.path else self._stylize_or_cancel(request))
        except Problem:
            resume_file.discard()
            raise

    async def _stylize_or_cancel(self, request: ApiRequest) -> Stylization:
        """Create a stylization that no later command can resume; when interrupted, await it and cancel."""
        response = asyncio.create_task(self._stylize(request))
        try:
            return await asyncio.shield(response)
        except asyncio.CancelledError:
            await self._cancel(response)
            raise

    async def _cancel(self, stylization: Stylization | asyncio.Task[Stylization]) -> None:
        with suppress(ClientError, TimeoutError):
            async with asyncio.timeout(CANCEL_SECONDS):
                await self._client.cancel(await stylization if isinstance(stylization, asyncio.Task) else stylization)

    async def _stylize(self, request: ApiRequest) -> Stylization:
        return await self._client.stylize(**request, idempotency_key=idempotency_key(request))

    async def _upload(self, picture: InputPicture) -> str:
        async def upload() -> str:
            return (await self._client.upload(picture.content, name=picture.name)).id

        if picture.sha256 not in self._uploads:
            self._uploads[picture.sha256] = asyncio.create_task(upload())
        return await self._uploads[picture.sha256]

    async def _download(self, stylization: Stylization, job: PaintJob) -> None:
        if job.target.path is not None:
            numbers = [None] if job.request.variants == 1 else range(1, job.request.variants + 1)
            for number, target in zip(numbers, job.targets, strict=True):
                await self._client.download(stylization, cast(Path, target.path), variant=number)
            return
        with tempfile.TemporaryDirectory() as folder:
            write(job.target, (await self._client.download(stylization, Path(folder) / stylization.id)).read_bytes())


def _report_progress(stylization: Stylization, on_progress: ProgressCallback) -> None:
    on_progress(round(1000 * stylization.progress), None if stylization.status == "queued" else 1000)


@contextmanager
def _invalid_url_as_option_error(api: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        allowed = "an address such as https://art.example.com/prod"
        raise OptionError(f"api is {api!r}; it must be {allowed}", field="api", allowed=allowed) from error


@contextmanager
def _library_errors() -> Iterator[None]:
    """Translate client errors into the library's; problem types have the codes of its errors."""
    try:
        yield
    except NotAllowed as error:
        raise ServiceError(f"{error.detail} (set --key or STYLIZER_KEY)", field="key") from error
    except Problem as error:
        kind = OptionError if error.code == "invalid-request" else _errors_by_code().get(error.code, StylizerError)
        raise kind(error.detail, field=error.field, allowed=error.allowed) from error
    except PaintingCanceled as error:
        raise StylizerError(error.detail) from error
    except ClientError as error:
        raise ServiceError(error.detail) from error


def _errors_by_code() -> dict[str, type[StylizerError]]:
    classes = (kind for kind in vars(errors).values() if isinstance(kind, type))
    return {kind.code: kind for kind in classes if issubclass(kind, StylizerError)}
