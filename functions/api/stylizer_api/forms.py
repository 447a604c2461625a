"""Strict multipart forms: known fields only, each once, with each file's size bounded while it streams in."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from stylizer_api.context import is_form, unsupported
from stylizer_service.files import SentFile
from stylizer_service.ports import StorageFull, Unavailable
from stylizer_service.problems import failure, invalid

MAX_TEXT = 64 * 1024
"""Maximum size of a text field in bytes."""

Form = dict[str, str | SentFile]
Check = Callable[[Mapping[str, str]], object]
MaxBytes = Callable[[str, bytes], int]
_HEAD = 64


class _StrictParser(MultiPartParser):
    """Starlette's parser with our rules checked as early as possible, before the rest of the body arrives."""

    def __init__(
        self,
        headers: Headers,
        stream: AsyncGenerator[bytes, None],
        fields: Collection[str],
        max_bytes: MaxBytes,
        before_file: Check | None = None,
    ):
        super().__init__(headers, stream, max_part_size=MAX_TEXT)
        self._fields = list(fields)
        self._max_bytes = max_bytes
        self._before_file = before_file
        self._seen: set[str] = set()
        self._file_bytes = 0
        self._head = b""
        self._digests: dict[str, hashlib._Hash] = {}

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        name = self._current_part.field_name
        self._file_bytes, self._head = 0, b""
        if name not in self._fields:
            raise invalid(name, f"there is no field {name!r}", self._fields)
        if name in self._seen:
            raise invalid(name, f"{name} was given twice", f"{name} once")
        self._seen.add(name)
        if self._current_part.file is not None:
            self._digests[name] = hashlib.sha256()
            if self._before_file:
                self._before_file({name: value for name, value in self.items if isinstance(value, str)})

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is not None:
            field = self._current_part.field_name
            self._file_bytes += end - start
            if len(self._head) < _HEAD:
                self._head += data[start : min(end, start + _HEAD)]
            most = self._max_bytes(field, self._head)
            if self._file_bytes > most:
                allowed = f"a file of at most {most} bytes"
                detail = f"{field} is longer than {most} bytes"
                raise failure("image-too-large", detail, field=field, allowed=allowed)
            self._digests[field].update(memoryview(data)[start:end])
        super().on_part_data(data, start, end)

    def sent_file(self, field: str, file: UploadFile) -> SentFile:
        """Return a file of the parsed form, with its digest."""
        return SentFile(file.file, file.size or 0, self._digests[field].hexdigest())


@asynccontextmanager
async def read_form(
    request: Request, *, fields: Collection[str], max_bytes: MaxBytes, before_file: Check | None = None
) -> AsyncIterator[Form]:
    """Parse a request's form; its files are hashed while they arrive, and open as long as the context.

    An empty file field of a browser form (no name and no bytes) counts as omitted.

    Args:
        request: A request with a multipart body.
        fields: Allowed field names.
        max_bytes: Maximum size of a file, by its field and its first 64 bytes, or fewer if no more have arrived.
        before_file: Called with the text fields that precede a file; raises to reject the file before it is read.

    Raises:
        ProblemError: The form is malformed, or breaks a rule.
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
        yield {
            name: parser.sent_file(name, value) if isinstance(value, UploadFile) else value
            for name, value in form.multi_items()
            if not _is_blank(value)
        }
    finally:
        await form.close()


async def _stream(request: Request) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        yield chunk


def _is_blank(value: str | UploadFile) -> bool:
    return isinstance(value, UploadFile) and not value.filename and not value.size
