"""The web page and the API reference page: static files, no build step, no external resources."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

from stylizer_api.files import content_tag, send_file
from stylizer_service.ports import Ports


def add_pages(app: FastAPI, folder: Path, ports: Ports) -> None:
    """Serve `GET /`, `GET /docs` and their assets.

    Args:
        app: The app to extend.
        folder: The static files.
        ports: Provide the other origins that the page uploads files to and downloads them from.
    """

    @app.get("/", include_in_schema=False)
    def get_page(request: Request) -> Response:
        return _send(request, folder / "index.html", ports)

    @app.get("/docs", include_in_schema=False)
    def get_docs(request: Request) -> Response:
        return _send(request, folder / "docs.html", ports)

    @app.get("/favicon.ico", include_in_schema=False)
    def get_icon(request: Request) -> Response:
        return _send(request, folder / "icon.svg", ports)

    app.mount("/page", _Files(folder, ports), name="page")


class _Files(StaticFiles):
    def __init__(self, folder: Path, ports: Ports):
        super().__init__(directory=folder)
        self._ports = ports

    def file_response(
        self,
        full_path: PathLike,
        stat_result: os.stat_result,  # noqa: ARG002 - used by the base class
        scope: Scope,
        status_code: int = 200,  # noqa: ARG002
    ) -> Response:
        return _send(Request(scope), Path(full_path), self._ports)


def _send(request: Request, path: Path, ports: Ports) -> Response:
    return send_file(request, path, headers=_headers(path, ports))


def _headers(path: Path, ports: Ports) -> Mapping[str, str]:
    return {
        "Content-Security-Policy": _policy(ports),
        # Always revalidated, and answered 304 by ETag: users see a new version at once.
        "Cache-Control": "no-cache",
        "ETag": content_tag(path),
    }


def _policy(ports: Ports) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "media-src blob:",
            " ".join(["connect-src 'self'", *_file_origins(ports)]),
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _file_origins(ports: Ports) -> list[str]:
    """Return the other origins that store files, read from links of the adapter, which alone knows them."""
    expires_at = ports.clock.now() + timedelta(minutes=1)
    form = ports.blobs.upload_form("uploads/any/file", media_type="image/png", max_bytes=1, expires_at=expires_at)
    link = ports.blobs.url("jobs/any/result.jpg", expires_at=expires_at, filename="result.jpg")
    parts = [urlsplit(address) for address in (form.url, link)]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts if part.netloc})
