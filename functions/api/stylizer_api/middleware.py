"""What holds for every request: an id, safe headers, a bounded body, and an answer even to a crash."""

from __future__ import annotations

import logging
import re
import secrets
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylizer_api.context import is_form
from stylizer_api.links import inner_path
from stylizer_api.problem_json import ProblemResponse
from stylizer_service.problems import problem

log = logging.getLogger(__name__)

_SANE_ID = re.compile(r"[A-Za-z0-9._:=/+-]{8,128}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # For everything but the page, which has a policy of its own: nothing here is meant to run or be framed.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Other sites cannot draw in what is here behind a visitor's back; pages that may call the API use CORS, as ever.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""What every answer says to browsers, unless it says otherwise itself."""

_UNKEPT = "no-store"
"""Most answers are about what one caller has: those that may be kept say so."""


class RequestContext:
    """Gives each request an id, each answer its headers, and turns a crash into a problem with one log entry.

    What the app runs behind may have put the id into the scope's state. Otherwise an `X-Request-Id` that comes in
    is kept if it looks like one, so that a proxy's id reaches the log.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        own = given if _SANE_ID.fullmatch(given) else secrets.token_hex(12)
        request_id: str = scope.setdefault("state", {}).setdefault("request_id", own)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                # The headers of a 304 replace those the browser has kept with the page: leave them be.
                if message["status"] != HTTPStatus.NOT_MODIFIED:
                    for name, value in {**HEADERS, "Cache-Control": _UNKEPT}.items():
                        headers.setdefault(name, value)
            await send(message)

        # Quoted, because a path can hold anything, such as the end of a line of log and the beginning of another.
        path = quote(scope["path"])
        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("request %s: %s %s was left by its caller", request_id, scope["method"], path)
        except Exception:
            log.exception("request %s: %s %s failed", request_id, scope["method"], path)
            if started:
                raise
            crash = problem("internal", "the server failed to answer this request; its log says why")
            await ProblemResponse(crash, request_id)(scope, receive, send_with_headers)


class HeadAsGet:
    """Answers HEAD as GET is answered, without the body (RFC 9110, 9.3.2), so that no call has to know of it.

    An API gateway lets through only the methods that it is told of, and HEAD is none of them.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)


class BodyLimit:
    """Refuses a body that is too long: at once if it says so, and otherwise as soon as it is.

    What the client still sends after the answer is thrown away by the server, so that even a client that
    reads only when it has sent everything gets to see it.

    Args:
        app: The next application.
        json_bytes: Most bytes of an ordinary body.
        form_bytes: Most bytes of a multipart form, all its files together.
        form_paths: Those of the calls that take a form. Elsewhere a body is held in memory before anybody looks what it
            says it is.
    """

    def __init__(self, app: ASGIApp, json_bytes: int, form_bytes: int, form_paths: re.Pattern[str]):
        self._app = app
        self._json_bytes = json_bytes
        self._form_bytes = form_bytes
        self._form_paths = form_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        takes_form = is_form(headers) and self._form_paths.fullmatch(inner_path(scope))
        limit = self._form_bytes if takes_form else self._json_bytes
        length = headers.get("content-length", "")
        announced = int(length) if length.isdecimal() else 0
        read = 0

        async def receive_within_limit() -> Message:
            nonlocal read
            if announced > limit:
                raise _too_large(limit)
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, receive_within_limit, send)


def _too_large(limit: int) -> HTTPException:
    # An HTTPException and not a ProblemError, because FastAPI lets only those through while it reads a body.
    return HTTPException(413, f"at most {limit} bytes")
