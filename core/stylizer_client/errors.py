"""Everything that can go wrong, as one tree.

    ClientError                         catch this to catch them all
    ├── Unreachable                     no answer, after every retry: network, TLS, timeouts
    ├── BadAnswer                       an answer that makes no sense: another site, or a damaged file
    ├── TimedOut                        `wait` was given a time, and it is over; the job goes on
    ├── PaintingCanceled                the job that was waited for has been canceled
    └── Problem                         the service said no (RFC 9457)
        ├── NotAllowed                  401, 403: no key, a wrong one, or a link that is not valid
        ├── NotFound                    404
        ├── Conflict                    409
        ├── Expired                     410: the upload, the painting or the form is over
        ├── Invalid                     400, 413, 415, 422: something in the request cannot be honored; see `field`
        ├── Busy                        429, 503, 507, after every retry
        └── PaintingFailed              a job that was accepted, and has failed

A `Problem` of any other status is a plain `Problem`. Its `code` names the kind for programs, its `detail` is a
sentence for people, and the same as the command line prints for a painting on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of every error this package raises on purpose.

    Attributes:
        detail: What happened, for a person to read.
    """

    def __init__(self, detail: str):
        super().__init__(detail)
        self.detail = detail


class Unreachable(ClientError):
    """There is no answer.

    Attributes:
        was_sent: Whether the request may have arrived all the same.
    """

    def __init__(self, detail: str, *, was_sent: bool):
        super().__init__(detail)
        self.was_sent = was_sent


class BadAnswer(ClientError):
    """The answer is not one that this service gives."""


class TimedOut(ClientError):
    """The painting was not done in the time that `wait` was given."""


class PaintingCanceled(ClientError):
    """The painting was canceled before it was done."""


class Problem(ClientError):
    """The service said no.

    Attributes:
        type: Names the kind of problem, such as "/problems/unsupported-image"; "about:blank" where it has no name.
        title: The kind in words.
        status: The HTTP status.
        detail: What happened this time, for a person to read.
        field: The input at fault, such as "content" or "styles[0].weight"; None where there is none.
        allowed: What would have been accepted: a range in words, or the choices.
        request_id: Finds the request in the log of the service.
    """

    def __init__(
        self,
        detail: str,
        *,
        type: str = "about:blank",  # noqa: A002 - the name that the RFC gives it
        title: str = "",
        status: int = 0,
        field: str | None = None,
        allowed: str | list[str] | None = None,
        request_id: str | None = None,
    ):
        super().__init__(detail)
        self.type = type
        self.title = title
        self.status = status
        self.field = field
        self.allowed = allowed
        self.request_id = request_id

    @property
    def code(self) -> str:
        """The last part of the type, such as "unsupported-image"."""
        return self.type.rpartition("/")[2]


class NotAllowed(Problem):
    """The key is missing or wrong, or a signed link is not valid."""


class NotFound(Problem):
    """There is no such thing, or it is not yours."""


class Conflict(Problem):
    """The thing is not in a state that allows this."""


class Expired(Problem):
    """Its time is over."""


class Invalid(Problem):
    """Something in the request cannot be honored."""


class Busy(Problem):
    """The service asks to come again later, and still did after every retry."""


class PaintingFailed(Problem):
    """A painting that was accepted has failed; the rest says why."""


_KINDS: dict[int, type[Problem]] = {
    400: Invalid,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: Expired,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Busy,
    503: Busy,
    507: Busy,
}


def problem_of(facts: Mapping[str, object], status: int) -> Problem:
    """The error of the class that fits the status.

    Args:
        facts: The members of an `application/problem+json`, of which any may be missing.
        status: Of the answer.
    """
    return _KINDS.get(status, Problem)(**_members(facts, status))


def painting_failed(facts: Mapping[str, object]) -> PaintingFailed:
    """The error of a failed job, from its `error`."""
    status = facts.get("status")
    return PaintingFailed(**_members(facts, status if isinstance(status, int) else 0))


def _members(facts: Mapping[str, object], status: int) -> dict[str, Any]:
    title = str(facts.get("title") or f"status {status}")
    known = {name: facts[name] for name in ("type", "field", "allowed", "request_id") if facts.get(name) is not None}
    return {"detail": str(facts.get("detail") or title), "title": title, "status": status, **known}
