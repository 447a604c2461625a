"""Application factory. It knows no adapter: the composition root passes in what the API runs on."""

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
from stylizer_api.request_body import FILES
from stylizer_api.routers import health, styles, stylizations, uploads, webhooks
from stylizer_service import __version__
from stylizer_service.usecases import Service

_JSON_BYTES = 256 * 1024
_FORM_FILES = len(FILES)
_FORM_OVERHEAD = 2**20
_FORM_PATHS = re.compile(r"/v1/stylizations|/v1/uploads/[^/]+/file")
"""Paths that accept a multipart form: new stylizations, and uploads where files go through this service."""


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
    """Create the FastAPI app.

    Args:
        service: The use cases on some set of adapters.
        identify: Return the owner that a request acts for.
        stopping: Whether the process is shutting down; long-polling callers are then answered at once.
        worker_alive: Whether a painter runs beside the API, or None where that is unknown.
        seconds_left: Time left for a request before the platform cuts it off.
        form_bytes: Maximum size of a multipart form; None allows for every file a form can carry.
        needs_key: Whether the contract requires an API key for each call.
        middleware: Additional middleware of this composition, run before the body is read.
        routers: Additional routers of this composition.
    """
    settings = service.settings
    files = (_FORM_FILES - 1) * settings.max_bytes + max(settings.max_bytes, settings.max_clip_bytes)
    form_bytes = form_bytes or files + _FORM_OVERHEAD
    app = FastAPI(
        title="Image Stylizer",
        version=__version__,
        docs_url=None,  # pages.py serves an API page that loads nothing from other hosts
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # method names in clients generated from the contract
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
