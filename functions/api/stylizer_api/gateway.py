"""Adapter from API Gateway REST API proxy events to the ASGI app.

The caller's identity, the request id and the mount point come from the event's request context, which callers cannot
forge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.types import LambdaContext
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylizer_api.access_log import AccessLogMiddleware
from stylizer_api.app import create_app
from stylizer_api.context import missing_key
from stylizer_api.middleware import RequestContext
from stylizer_service.usecases import Service

Event = dict[str, Any]  # loosely typed, as JSON is; only this module reads it
Handler = Callable[[Event, LambdaContext], dict[str, Any]]

_TEXT = [*DEFAULT_TEXT_MIME_TYPES, "+json", "+xml"]
_EXPOSED = ["Idempotency-Replayed", "Location", "Preference-Applied", "Retry-After", "X-Request-Id"]
_TWO_YEARS = 2 * 365 * 24 * 60 * 60  # seconds
_RESERVE_SECONDS = 2.0  # reserved of the function's time for the response
_PARAMETER = re.compile(r"\{(\w+)\+?\}")


def make_handler(service: Service, *, form_bytes: int, allowed_origins: Sequence[str] = ()) -> Handler:
    """Create the Lambda handler for the gateway's proxy events.

    Args:
        service: The use cases.
        form_bytes: Maximum size of a multipart form; API Gateway and Lambda pass less than 6 MB.
        allowed_origins: CORS origins, or "*" for any. The gateway itself answers preflight requests (OPTIONS).
    """
    app: ASGIApp = create_app(
        service, identify=_key_id, seconds_left=_seconds_left, form_bytes=form_bytes, needs_key=True
    )
    if allowed_origins:
        app = CORSMiddleware(app, allow_origins=allowed_origins, expose_headers=_EXPOSED)
    return Mangum(_Mounted(AccessLogMiddleware(app)), lifespan="off", text_mime_types=_TEXT)


def prefix_and_path(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return the prefix that callers see the API mounted under, and the full path of the request.

    The prefix is a stage ("/prod") on the gateway's own host and a base path ("/art") on a custom domain. The event's
    `path` omits the stage but includes the base path, so neither it nor the stage name identifies the prefix; it is the
    part of the full path before the matched API resource.
    """
    given = event["pathParameters"] or {}
    inside = unquote(_PARAMETER.sub(lambda parameter: given[parameter[1]], event["resource"]))
    whole = unquote(event["requestContext"]["path"])
    # Compare without trailing slashes, which the parameter of a catch-all resource ({proxy+}) lacks.
    stem, tail = whole.rstrip("/"), inside.rstrip("/")
    return (stem.removesuffix(tail) if stem.endswith(tail) else ""), whole


class _Mounted:
    """ASGI wrapper that sets the root path and caller from the event, and adds HSTS to the response."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = scope["aws.event"]["requestContext"]
        scope["state"] = {"request_id": context["requestId"], "owner": context["identity"].get("apiKeyId")}
        scope["root_path"], scope["path"] = prefix_and_path(scope["aws.event"])
        if scope["path"] == scope["root_path"]:
            # Without the trailing slash, the page's relative URLs would resolve beside the stage.
            to_page = RequestContext(RedirectResponse(f"{scope['root_path']}/"))
            await to_page(scope, receive, _over_https(send))
            return
        await self._app(scope, receive, _over_https(send))


def _over_https(send: Send) -> Send:
    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Strict-Transport-Security"] = f"max-age={_TWO_YEARS}"
        await send(message)

    return send_with_header


def _key_id(request: Request) -> str:
    owner: str | None = request.state.owner
    if owner is None:
        raise missing_key()
    return owner


def _seconds_left(request: Request) -> float:
    milliseconds: int = request.scope["aws.context"].get_remaining_time_in_millis()
    return milliseconds / 1000 - _RESERVE_SECONDS
