"""Puts the API together. Knows no adapter: whoever composes it says what it runs on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware

from stylizer_api import problem_json
from stylizer_api.context import Context
from stylizer_api.contract import describe
from stylizer_api.middleware import BodyLimit, HeadAsGet, RequestContext
from stylizer_api.pages import add_pages
from stylizer_api.routers import health, styles, stylizations, uploads, webhooks
from stylizer_service import __version__
from stylizer_service.usecases import Service

_JSON_BYTES = 256 * 1024
_FORM_FILES = 4  # content, style, mask, content_mask
_FORM_OVERHEAD = 2**20
_FORM_PATHS = re.compile(r"/v1/stylizations|/v1/uploads/[^/]+/file")
"""What takes a form: paintings, and files where they are sent to this service itself."""


def create_app(
    service: Service,
    *,
    identify: Callable[[Request], str],
    stopping: Callable[[], bool] = lambda: False,
    worker_alive: Callable[[], bool | None] = lambda: None,
    seconds_left: Callable[[Request], float] = lambda request: math.inf,  # noqa: ARG005
    form_bytes: int | None = None,
    needs_key: bool = False,
    middleware: Sequence[Middleware] = (),
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """Make the app.

    Args:
        service: The use cases on some set of adapters.
        identify: Tells the owner that a request speaks for.
        stopping: Whether the process is about to end; callers that wait are then answered at once.
        worker_alive: Whether a painter runs beside the API, or None where that cannot be told.
        seconds_left: How long a request may still take, where something would cut it off.
        form_bytes: Most bytes of a multipart form; None has room for every file a form can carry.
        needs_key: Whether the contract is to say that each call takes an API key.
        middleware: What only this composition has each request pass, before its body is read.
        routers: Calls that only this composition has.
    """
    form_bytes = form_bytes or _FORM_FILES * service.settings.max_bytes + _FORM_OVERHEAD
    app = FastAPI(
        title="Image Stylizer",
        version=__version__,
        docs_url=None,  # pages.py has a page that needs nothing from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # what clients that are made from the contract call it
        middleware=[
            Middleware(RequestContext),
            Middleware(HeadAsGet),
            *middleware,
            Middleware(BodyLimit, json_bytes=_JSON_BYTES, form_bytes=form_bytes, form_paths=_FORM_PATHS),
        ],
    )
    app.state.context = Context(
        service=service,
        identify=identify,
        stopping=stopping,
        worker_alive=worker_alive,
        seconds_left=seconds_left,
        version=app.version,
    )
    for router in (stylizations.router, styles.router, uploads.router, webhooks.router, health.router, *routers):
        app.include_router(router)
    add_pages(app, Path(__file__).parent / "page", service.ports)
    problem_json.install(app)
    describe(app, needs_key=needs_key)
    return app
