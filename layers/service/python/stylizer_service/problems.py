"""Every error visible to callers, as an RFC 9457 problem with one stable type each.

Errors of the core (`stylizer.errors`) keep their codes, so that an image rejected on arrival and one rejected by the
painter read the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, Field

from stylizer.errors import StylizerError

KINDS: dict[str, tuple[int, str]] = {
    # Core errors.
    "invalid-option": (422, "An option is not valid"),
    # Not 503, which invites a retry: waiting does not install the weights, but other features may work.
    "missing-weights": (422, "The requested features are not installed"),
    "missing-video-support": (422, "This service does not support videos"),
    # Not 503 either: the same painting would not fit later.
    "out-of-memory": (422, "The painting does not fit into memory"),
    "unknown-style": (422, "The style does not exist"),
    "unusable-image": (422, "The image cannot be used"),
    "unreadable-image": (422, "The image cannot be read"),
    "empty-image": (422, "The file is empty"),
    "unsupported-image": (422, "The file is not an image in a supported format"),
    "corrupt-image": (422, "The image is damaged or truncated"),
    "image-too-large": (413, "The file is too large"),
    "too-many-pixels": (422, "The image has too many pixels"),
    "image-too-small": (422, "The image is too small"),
    "extreme-aspect-ratio": (422, "The aspect ratio of the image is too extreme"),
    "unfetchable-url": (422, "The file cannot be downloaded from its URL"),
    "clip-too-long": (422, "The clip is too long"),
    "mask-mismatch": (422, "The mask does not have the photo's width and height"),
    # Service errors.
    "malformed-request": (400, "The request cannot be parsed"),
    "malformed-json": (400, "The body is not valid JSON"),
    "invalid-request": (422, "The request is not valid"),
    "unsupported-media-type": (415, "The media type of the body is not supported"),
    "too-large": (413, "The request is too large"),
    "missing-api-key": (403, "An API key is required"),
    "forbidden": (403, "Access denied"),
    "foreign-site": (403, "Cross-origin request refused"),
    "not-found": (404, "The resource does not exist"),
    "method-not-allowed": (405, "The resource does not support this method"),
    "request-timeout": (408, "The request was not received in time"),
    "conflict": (409, "The state of the resource does not allow this"),
    "upload-incomplete": (409, "The upload has no file yet"),
    "expired": (410, "The resource has expired"),
    "idempotency-mismatch": (422, "The idempotency key was used for another request"),
    "unavailable": (503, "A store is unavailable"),
    "too-many-connections": (503, "Too many connections are open"),
    "queue-full": (429, "Too many jobs are queued"),
    "too-many-uploads": (429, "Too many uploads are stored"),
    "too-many-styles": (409, "Too many styles are stored"),
    "throttled": (429, "Too many requests"),
    "storage-full": (507, "Storage is full"),
    # Errors of accepted jobs.
    "too-slow": (422, "The painting takes too long"),
    "not-painted": (503, "The job was not painted in time"),
    "painting-failed": (500, "The painting failed"),
    "painter-died": (500, "The painter crashed"),
    "internal": (500, "Internal server error"),
}


class Problem(BaseModel):
    """A failure, as in RFC 9457, with three additional members.

    Attributes:
        type: "/problems/<code>"; stable, meant for programs.
        title: Kind of failure; the same for every problem of a type.
        status: The HTTP status that goes with it.
        detail: Explanation of this failure, for people.
        field: The input at fault, such as "content" or "styles[0].weight".
        allowed: What is accepted: the choices, or a range in words.
        request_id: The request that failed; filled in by the HTTP layer.
    """

    model_config = ConfigDict(frozen=True)

    type: str = Field(examples=["/problems/unsupported-image"])
    title: str
    status: int = Field(examples=[422])
    detail: str
    field: str | None = Field(default=None, examples=["content"])
    allowed: str | list[str] | None = Field(default=None, examples=[["image/jpeg", "image/png"]])
    request_id: str | None = None

    @property
    def code(self) -> str:
        """The last part of the type, such as "not-found"."""
        return self.type.rpartition("/")[2]


class ProblemError(Exception):
    """Raised by use cases and adapters; carries the problem to return.

    Attributes:
        problem: The problem to return.
        retry_after: Seconds after which the same request may succeed; None for the default of the problem type.
    """

    def __init__(self, problem: Problem, *, retry_after: int | None = None):
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after = retry_after


def problem(code: str, detail: str, *, field: str | None = None, allowed: str | Sequence[str] | None = None) -> Problem:
    """Create a problem. An unknown code gets the status and title of `invalid-request` instead of raising.

    Args:
        code: A key of `KINDS`.
        detail: What happened, human-readable.
        field: The invalid input.
        allowed: What would have been accepted.
    """
    status, title = KINDS.get(code, KINDS["invalid-request"])
    choices = allowed if allowed is None or isinstance(allowed, str) else list(allowed)
    return Problem(type=f"/problems/{code}", title=title, status=status, detail=detail, field=field, allowed=choices)


def failure(
    code: str, detail: str, *, field: str | None = None, allowed: str | Sequence[str] | None = None
) -> ProblemError:
    """Return `problem` wrapped in a `ProblemError`, ready to raise."""
    return ProblemError(problem(code, detail, field=field, allowed=allowed))


def from_error(error: StylizerError) -> Problem:
    """Convert a core error, which has a code, field and allowed values, to a problem."""
    return problem(error.code, error.detail, field=error.field, allowed=error.allowed)


@contextmanager
def as_problems() -> Iterator[None]:
    """Convert core errors raised in the block to `ProblemError`."""
    try:
        yield
    except StylizerError as error:
        raise ProblemError(from_error(error)) from error


def not_found(what: str, name: str, *, field: str | None = None) -> ProblemError:
    """Return `not-found`, identical for another owner's resource and a nonexistent one."""
    return failure("not-found", f"there is no {what} {name!r}", field=field)


def invalid(field: str, detail: str, allowed: str | Sequence[str] | None = None) -> ProblemError:
    """Return `invalid-request` for a value of the request."""
    return failure("invalid-request", detail, field=field, allowed=allowed)


def expired(what: str, name: str, *, field: str | None = None) -> ProblemError:
    """Return `expired` for a resource whose lifetime is over."""
    return failure("expired", f"the {what} {name!r} has expired: its files are deleted", field=field)
