"""Serve local files with ETags and conditional requests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.staticfiles import NotModifiedResponse

BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
"""OpenAPI media type of a binary image response."""


def send_file(
    request: Request,
    path: Path,
    *,
    headers: Mapping[str, str],
    media_type: str | None = None,
    filename: str | None = None,
) -> Response:
    """Return the file with its ETag, or 304 if it matches If-None-Match.

    Args:
        request: The request to answer.
        path: The file.
        headers: Additional response headers, such as Cache-Control.
        media_type: Guessed from the file name by default.
        filename: Suggested file name for saving.
    """
    response = FileResponse(
        path,
        stat_result=path.stat(),
        headers=headers,
        media_type=media_type,
        filename=filename,
        content_disposition_type="inline",
    )
    known = (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))
    return NotModifiedResponse(response.headers) if response.headers["etag"] in known else response


def content_tag(path: Path) -> str:
    """Return an ETag computed from the content of a program file.

    Modification times do not distinguish versions of the program: a program unpacked from an archive has the same time
    on every file.
    """
    about = path.stat()
    return _content_tag(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=256)
def _content_tag(path: Path, mtime: int, size: int) -> str:  # noqa: ARG001 - cache key: a changed file is read again
    return f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}"'
