"""Middleware for every request: request id, security headers, body limit, and a response even to a crash."""

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
    # For everything but the web page, which has a policy of its own: no other response may run scripts or be framed.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Other sites cannot embed responses without the visitor's knowledge; pages allowed to call the API use CORS as
    # usual.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Default headers of every response; a response may override them."""

_UNKEPT = "no-store"
"""Default Cache-Control: most responses are private to one caller, so cacheable ones opt in."""


class RequestContext:
    """Assign each request an id, add default headers to responses, and turn an unhandled exception into a problem.

    Each such exception is logged once. The server or gateway may have set the id in the scope's state. Otherwise a
    well-formed incoming `X-Request-Id` is kept, so that a proxy's id reaches the log.
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
                # A 304's headers replace those the browser cached with the page: add none.
                if message["status"] != HTTPStatus.NOT_MODIFIED:
                    for name, value in {**HEADERS, "Cache-Control": _UNKEPT}.items():
                        headers.setdefault(name, value)
            await send(message)

        # Quoted to prevent log injection: a path can contain anything, including line breaks.
        path = quote(scope["path"])
        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("request %s: %s %s was left by its caller", request_id, scope["method"], path)
        except Exception:
            log.exception("request %s: %s %s failed", request_id, scope["method"], path)
            if started:
                raise
            crash = problem("internal", "the server failed to process this request; see its log")
            await ProblemResponse(crash, request_id)(scope, receive, send_with_headers)


class HeadAsGet:
    """Answer HEAD like GET without the body (RFC 9110, 9.3.2), so that no endpoint has to handle it.

    Behind an API gateway this is unused: the gateway forwards only configured methods, and HEAD is not one of them.
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
    """Reject an oversized body: at once by its Content-Length, otherwise as soon as it exceeds the limit.

    The server discards what the client still sends after the response, so that a client that reads only after it has
    sent everything receives it as well.

    Args:
        app: The next application.
        json_bytes: Maximum size of an ordinary body.
        form_bytes: Maximum size of a multipart form, including all its files.
        form_paths: Paths of the calls that accept a form. Bodies of all others are buffered in memory before their
            media type is checked, so the lower limit applies.
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
    # An HTTPException, not a ProblemError: FastAPI passes only the former through while it reads a body.
    return HTTPException(413, f"at most {limit} bytes")
