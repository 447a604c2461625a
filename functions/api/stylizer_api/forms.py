"""Multipart forms, read strictly: known fields only, each once, each file bounded while it streams in."""

from __future__ import annotations

import errno
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from stylizer_api.context import is_form, unsupported
from stylizer_service.ports import StorageFull, Unavailable
from stylizer_service.problems import failure, invalid

MAX_TEXT = 64 * 1024
"""Most bytes of a field that is not a file."""

Form = dict[str, str | UploadFile]
Check = Callable[[Mapping[str, str]], object]


class _StrictParser(MultiPartParser):
    """Starlette's parser, with our rules checked as soon as they can be: before the rest is even sent."""

    def __init__(
        self,
        headers: Headers,
        stream: AsyncGenerator[bytes, None],
        fields: Collection[str],
        max_bytes: int,
        before_file: Check | None = None,
    ):
        super().__init__(headers, stream, max_part_size=MAX_TEXT)
        self._fields = list(fields)
        self._max_bytes = max_bytes
        self._before_file = before_file
        self._seen: set[str] = set()
        self._file_bytes = 0

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        name = self._current_part.field_name
        self._file_bytes = 0
        if name not in self._fields:
            raise invalid(name, f"there is no field {name!r}", self._fields)
        if name in self._seen:
            raise invalid(name, f"{name} was given twice", f"{name} once")
        self._seen.add(name)
        if self._before_file and self._current_part.file is not None:
            self._before_file({name: value for name, value in self.items if isinstance(value, str)})

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._file_bytes += end - start
        if self._current_part.file is not None and self._file_bytes > self._max_bytes:
            field = self._current_part.field_name
            allowed = f"a file of at most {self._max_bytes} bytes"
            raise failure(
                "image-too-large",
                f"{field} is longer than {self._max_bytes} bytes",
                field=field,
                allowed=allowed,
            )
        super().on_part_data(data, start, end)


@asynccontextmanager
async def read_form(
    request: Request, *, fields: Collection[str], max_bytes: int, before_file: Check | None = None
) -> AsyncIterator[Form]:
    """Read the form of a request; its files live as long as the context.

    A file field left empty in a browser's form (no name and no bytes) counts as not given.

    Args:
        request: A request with a multipart body.
        fields: The names that may occur.
        max_bytes: Most bytes of one file.
        before_file: Given the texts that came before a file, raises if the file is not to be taken in at all.

    Raises:
        ProblemError: The form is broken, or breaks a rule.
    """
    if not is_form(request.headers):
        raise unsupported(request, "multipart/form-data")
    parser = _StrictParser(request.headers, _stream(request), fields, max_bytes, before_file)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise failure(
            "invalid-request", f"the form cannot be read: {error.message}", allowed="multipart/form-data"
        ) from error
    except OSError as error:
        kind = StorageFull if error.errno == errno.ENOSPC else Unavailable
        raise kind(f"the form could not be put down while it came in: {error}") from error
    try:
        yield {name: value for name, value in form.multi_items() if not _is_blank(value)}
    finally:
        await form.close()


async def _stream(request: Request) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        yield chunk


def _is_blank(value: str | UploadFile) -> bool:
    return isinstance(value, UploadFile) and not value.filename and not value.size
