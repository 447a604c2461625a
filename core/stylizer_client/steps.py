"""Steps of a flow, and retries; neither performs I/O.

A flow is a generator that yields requests and sleeps and is sent the responses. `Client` runs flows with blocking I/O,
`AsyncClient` in an event loop, so that requests, retries and parsing are written once.
"""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from stylizer_client.errors import Unreachable

MAX_SLEEP = 120.0
"""Longest wait before a retry, seconds; a longer `Retry-After` ends the retries."""

_FIRST_BACKOFF, _MAX_BACKOFF = 0.5, 20.0
_TRANSIENT = (429, 500, 502, 503, 504, 507)
_NOT_PROCESSED = (429, 503, 507)  # statuses which guarantee that the request had no effect


class BodySink(Protocol):
    """Destination of a streamed response body."""

    def begin(self) -> object:
        """Discard everything written so far, because a retry sends the body again."""

    def write(self, piece: bytes) -> object:
        """Append bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request.

    Attributes:
        method: GET or POST.
        url: Absolute URL.
        headers: Request headers.
        json: JSON body.
        form: Fields of a multipart form, which precede the file.
        file: File of the form: name, content, media type.
        sink: Destination of the body of a 200; None keeps the body in the response.
        idempotent: Whether repeating the request is harmless.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    form: Mapping[str, str] | None = None
    file: tuple[str, bytes, str] | None = None
    sink: BodySink | None = None
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Sleep:
    """A pause, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


NO_RESPONSE = Response(0, {}, b"")
"""What a flow is sent after a `Sleep`."""

T = TypeVar("T")
Flow = Generator[Request | Sleep, Response, T]


def with_retries(request: Request, retries: int) -> Flow[Response]:
    """Send a request, and retry transient failures with exponential backoff and jitter.

    A `Retry-After` header replaces the backoff.

    Args:
        request: What to send.
        retries: Most attempts after the first one.

    Raises:
        Unreachable: The last attempt got no response either.
    """
    attempt = 0
    while True:
        backoff = min(_MAX_BACKOFF, _FIRST_BACKOFF * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        try:
            response = yield request
        except Unreachable as error:
            if attempt == retries or (error.was_sent and not request.idempotent):
                raise
            delay = backoff
        else:
            can_retry = response.status in (_TRANSIENT if request.idempotent else _NOT_PROCESSED)
            asked = retry_after(response)
            delay = backoff if asked is None else asked + random.uniform(0, _FIRST_BACKOFF)  # noqa: S311 - no secret
            if not can_retry or attempt == retries or delay > MAX_SLEEP:
                return response
        yield Sleep(delay)
        attempt += 1


def retry_after(response: Response) -> float | None:
    """Return the seconds of a `Retry-After` header, given as a number or a date; None without a valid one."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
