"""Exceptions of the client.

    ClientError                         base of all
    ├── Unreachable                     no response after every retry: network, TLS, timeouts
    ├── InvalidResponse                 a response that this service does not send, or a damaged file
    ├── TimedOut                        the `timeout` of `wait` has passed; the job continues
    ├── PaintingCanceled                the awaited job has been canceled
    └── Problem                         an error response (RFC 9457)
        ├── NotAllowed                  401, 403: missing or wrong key, or an invalid link
        ├── NotFound                    404
        ├── Conflict                    409
        ├── Expired                     410: the upload, painting or form has expired
        ├── Invalid                     400, 413, 415, 422: invalid request; see `field`
        ├── ServiceUnavailable          429, 503, 507, after every retry
        └── PaintingFailed              an accepted job has failed

Any other status is a plain `Problem`. Programs go by its `code`; its `detail` is a sentence for people, the same as the
command line prints for a painting on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of every error this package raises on purpose.

    Attributes:
        detail: What happened, for people.
    """

    def __init__(self, detail: str):
        super().__init__(detail)
        self.detail = detail


class Unreachable(ClientError):
    """No response.

    Attributes:
        was_sent: Whether the request may have reached the service.
    """

    def __init__(self, detail: str, *, was_sent: bool):
        super().__init__(detail)
        self.was_sent = was_sent


class InvalidResponse(ClientError):
    """A response that this service does not send."""


class TimedOut(ClientError):
    """The job did not end within the `timeout` of `wait`."""


class PaintingCanceled(ClientError):
    """The job was canceled before it succeeded."""


class Problem(ClientError):
    """An error response.

    Attributes:
        type: URI of the kind of problem, such as "/problems/unsupported-image"; "about:blank" without one.
        title: Summary of the kind.
        status: The HTTP status.
        detail: What happened in this case, for people.
        field: Input at fault, such as "content" or "styles[0].weight"; None if unknown.
        allowed: Accepted values: a range in words, or the choices.
        request_id: Identifies the request in the log of the service.
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
        """Last segment of the type, such as "unsupported-image"."""
        return self.type.rpartition("/")[2]


class NotAllowed(Problem):
    """Missing or wrong key, or an invalid signed link."""


class NotFound(Problem):
    """No such resource, or it belongs to another caller."""


class Conflict(Problem):
    """The state of the resource does not allow this operation."""


class Expired(Problem):
    """The resource has expired."""


class Invalid(Problem):
    """An invalid request."""


class ServiceUnavailable(Problem):
    """The service is throttling or overloaded, and still was after every retry."""


class PaintingFailed(Problem):
    """An accepted job has failed; the attributes say why."""


_BY_STATUS: dict[int, type[Problem]] = {
    400: Invalid,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: Expired,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: ServiceUnavailable,
    503: ServiceUnavailable,
    507: ServiceUnavailable,
}


def problem_from(facts: Mapping[str, object], status: int) -> Problem:
    """Build the error for a response, of the class that belongs to its status.

    Args:
        facts: Members of an `application/problem+json`; any may be missing.
        status: HTTP status of the response.
    """
    return _BY_STATUS.get(status, Problem)(**_problem_fields(facts, status))


def painting_failed(facts: Mapping[str, object]) -> PaintingFailed:
    """Build the error for a failed job from its `error`."""
    status = facts.get("status")
    return PaintingFailed(**_problem_fields(facts, status if isinstance(status, int) else 0))


def _problem_fields(facts: Mapping[str, object], status: int) -> dict[str, Any]:
    title = str(facts.get("title") or f"status {status}")
    known = {name: facts[name] for name in ("type", "field", "allowed", "request_id") if facts.get(name) is not None}
    return {"detail": str(facts.get("detail") or title), "title": title, "status": status, **known}
