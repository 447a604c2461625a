"""What a conversation with the service consists of, without saying who carries it out.

A conversation is a generator that yields steps and is given the answers. `Client` carries them out one after the
other, `AsyncClient` in an event loop: what is asked, retried and made of the answers is written once.
"""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from stylizer_client.errors import Unreachable

LONGEST_PAUSE = 120.0
"""Who is asked to come back later than this, in seconds, gives up instead."""

_FIRST_PAUSE, _LONGEST_BACKOFF = 0.5, 20.0
_PASSING = (429, 500, 502, 503, 504, 507)
_NOT_DONE = (429, 503, 507)  # of these it is certain that the request has not been carried out


class Sink(Protocol):
    """Where the body of an answer goes, piece by piece."""

    def begin(self) -> object:
        """Forget what has come, for it comes again."""

    def write(self, piece: bytes) -> object:
        """Take some bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        method: GET or POST.
        url: Absolute.
        headers: Of the request.
        json: The body as JSON.
        form: Or the fields of a multipart form,
        file: and the file after them: name, content, media type.
        sink: Where the body of a 200 goes; None keeps it in the answer.
        is_repeatable: Whether it does no harm when it is carried out twice.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    form: Mapping[str, str] | None = None
    file: tuple[str, bytes, str] | None = None
    sink: Sink | None = None
    is_repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """Some seconds in which nothing is done."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers by their names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


NOTHING = Answer(0, {}, b"")
"""What a pause is answered with."""

T = TypeVar("T")
Conversation = Generator[Call | Pause, Answer, T]


def insist(call: Call, retries: int) -> Conversation[Answer]:
    """Make a call, and again while what hinders it may pass.

    Pauses grow and are random, so that many who were refused together do not come back together; where the service
    says when to come (`Retry-After`), that counts.

    Args:
        call: What is asked.
        retries: How often it is tried again, after the first time.

    Raises:
        Unreachable: There is no answer, to the last try either.
    """
    tried = 0
    while True:
        backoff = min(_LONGEST_BACKOFF, _FIRST_PAUSE * 2**tried) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        try:
            answer = yield call
        except Unreachable as error:
            if tried == retries or (error.was_sent and not call.is_repeatable):
                raise
            pause = backoff
        else:
            may_pass = answer.status in (_PASSING if call.is_repeatable else _NOT_DONE)
            asked = retry_after(answer)
            pause = backoff if asked is None else asked + random.uniform(0, _FIRST_PAUSE)  # noqa: S311 - no secret
            if not may_pass or tried == retries or pause > LONGEST_PAUSE:
                return answer
        yield Pause(pause)
        tried += 1


def retry_after(answer: Answer) -> float | None:
    """Seconds after which the service wants to be asked again; None if it does not say."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None
