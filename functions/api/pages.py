"""The web page and the page of the API: plain files, no build, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.responses import Response as AnyResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from functions.api.files import send_file

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# Always asked for again, and answered 304 by the ETag: a new version is seen at once.
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> AnyResponse:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response


def add_pages(app: FastAPI, folder: Path) -> None:
    """Serve `GET /`, `GET /docs` and what they need."""

    @app.get("/", include_in_schema=False)
    def get_page(request: Request) -> Response:
        return send_file(request, folder / "index.html", headers=_HEADERS)

    @app.get("/docs", include_in_schema=False)
    def get_docs(request: Request) -> Response:
        return send_file(request, folder / "docs.html", headers=_HEADERS)

    @app.get("/favicon.ico", include_in_schema=False)
    def get_icon(request: Request) -> Response:
        return send_file(request, folder / "icon.svg", headers=_HEADERS)

    app.mount("/page", _Files(directory=folder), name="page")
