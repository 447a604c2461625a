"""FastAPI dependencies of the endpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers

from stylizer_service.cursors import MAX_PAGE
from stylizer_service.problems import ProblemError, failure
from stylizer_service.usecases import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Application state that the composition root provides.

    Attributes:
        service: The use cases.
        identify: Return the owner that a request acts for; must not block.
        stopping: Whether the process is shutting down, so that long polls end at once.
        worker_alive: Whether a painter runs beside the API; None where that is unknown.
        seconds_left: Time left for a request before the platform cuts it off; infinite without a cutoff.
        version: Project version.
    """

    service: Service
    identify: Callable[[Request], str]
    stopping: Callable[[], bool]
    worker_alive: Callable[[], bool | None]
    seconds_left: Callable[[Request], float]
    version: str


def _of(request: Request) -> Context:
    return cast(Context, request.app.state.context)


# Coroutines, although they await nothing: FastAPI runs each plain function on a thread pool, and together these
# dependencies would cost a request as much as its work.


async def _context(request: Request) -> Context:
    return _of(request)


async def _owner(request: Request) -> str:
    return _of(request).identify(request)


async def _service(request: Request) -> Service:
    return _of(request).service


def is_json(headers: Headers) -> bool:
    """Return whether the Content-Type is JSON."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def is_form(headers: Headers) -> bool:
    """Return whether the Content-Type is a multipart form."""
    return headers.get("content-type", "").lower().startswith("multipart/form-data")


async def json_only(request: Request) -> None:
    """Dependency that rejects bodies of any type but JSON."""
    if not is_json(request.headers):
        raise unsupported(request, "application/json")


def unsupported(request: Request, *allowed: str) -> ProblemError:
    """Return the problem for an unsupported media type."""
    kind = request.headers.get("content-type") or "without a media type"
    return failure("unsupported-media-type", f"the body is {kind}", field="Content-Type", allowed=allowed)


def missing_key() -> ProblemError:
    """Return the problem for a missing API key, which is also the one for an invalid key."""
    return failure("missing-api-key", "this call requires an API key", field="X-Api-Key", allowed="a valid key")


AppContext = Annotated[Context, Depends(_context)]
OwnerDep = Annotated[str, Depends(_owner)]
ServiceDep = Annotated[Service, Depends(_service)]


class PageQuery(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=MAX_PAGE, description="Maximum number of entries per page.")
    cursor: str | None = Field(default=None, max_length=1000, description="`next_cursor` of the previous page.")
