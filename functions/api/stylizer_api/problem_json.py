"""Every failure as `application/problem+json`: the service's, the framework's, and validation errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from stylizer_api.context import is_form
from stylizer_api.links import inner_path
from stylizer_api.openapi_problems import MEDIA_TYPE, RETRY_AFTER
from stylizer_api.validation import Schema, from_validation
from stylizer_service.ports import StorageFull, Unavailable
from stylizer_service.problems import Problem, ProblemError, problem

log = logging.getLogger(__name__)


class ProblemResponse(Response):
    """Response that carries a problem."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, request_id: str | None, headers: Mapping[str, str] | None = None):
        said = problem.model_copy(update={"request_id": request_id}).model_dump()
        # Input can contain an unpaired surrogate ("\ud800" in JSON), which UTF-8 cannot encode.
        body = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
        super().__init__(body, status_code=problem.status, headers=headers)
        self._code = problem.code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, and record the problem's code in the scope's state for the metrics."""
        scope["state"]["problem"] = self._code
        await super().__call__(scope, receive, send)


def install(app: FastAPI) -> None:
    """Register handlers that turn every exception of a request into a problem."""

    async def of_service(request: Request, error: Exception) -> Response:
        failed = cast(ProblemError, error)
        again = {} if failed.retry_after is None else {"Retry-After": str(failed.retry_after)}
        return _respond(request, failed.problem, again)

    async def of_store(request: Request, error: Exception) -> Response:
        log.error("request %s failed: %s", request.state.request_id, error)
        if isinstance(error, StorageFull):
            busy = problem("storage-full", "the disk of this service is full; try again later")
        else:
            busy = problem("unavailable", "a store of this service is unavailable; try again later")
        return _respond(request, busy)

    async def of_validation(request: Request, error: Exception) -> Response:
        errors = cast(RequestValidationError, error).errors()
        return _respond(request, from_validation(errors, _operation(request, app), app.openapi()))

    async def of_http(request: Request, error: Exception) -> Response:
        return _of_http(request, cast(HTTPException, error), app)

    app.add_exception_handler(ProblemError, of_service)
    app.add_exception_handler(Unavailable, of_store)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)


def _respond(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    seconds = RETRY_AFTER.get(problem.status)
    again = {"Retry-After": str(seconds)} if seconds else {}
    return ProblemResponse(problem, request.state.request_id, {**again, **(headers or {})})


def _of_http(request: Request, error: HTTPException, app: FastAPI) -> Response:
    method, path = request.method, request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _respond(request, problem("not-found", f"there is nothing at {path}; GET /openapi.json lists the calls"))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _methods_at(request, app) or (error.headers or {}).get("Allow", "GET").split(", ")
        detail = f"{path} does not take {method}"
        return _respond(request, problem("method-not-allowed", detail, allowed=allowed), {"Allow": ", ".join(allowed)})
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        detail = "the body is too long"
        if is_form(request.headers):
            detail = "the form is too long: send larger files by POST /v1/uploads, and pass their ids"
        return _respond(request, problem("too-large", detail, allowed=error.detail))
    return _respond(request, problem("malformed-json", f"the body cannot be read: {error.detail}", allowed="JSON"))


def _methods_at(request: Request, app: FastAPI) -> list[str]:
    """Return every method allowed at a path; the router itself reports only those of the first matching route."""
    return sorted(method.upper() for method in _calls_at(request, app))


def _operation(request: Request, app: FastAPI) -> Schema:
    return _calls_at(request, app)[request.method.lower()]


def _calls_at(request: Request, app: FastAPI) -> dict[str, Schema]:
    """Return the contract's operations at the path of a request, by method."""
    path = inner_path(request.scope)
    paths: dict[str, dict[str, Schema]] = app.openapi()["paths"]
    fitting = [calls for template, calls in paths.items() if compile_path(template)[0].match(path)]
    return {method: call for calls in fitting for method, call in calls.items()}
