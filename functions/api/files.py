"""Sends a file of this machine, or says that the caller has it already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.staticfiles import NotModifiedResponse


def send_file(
    request: Request,
    path: Path,
    *,
    headers: Mapping[str, str],
    media_type: str | None = None,
    filename: str | None = None,
) -> Response:
    """The file with its ETag, or 304 where the caller names that.

    Args:
        request: What is answered.
        path: The file.
        headers: To send along, such as Cache-Control.
        media_type: Guessed from the name unless given.
        filename: What to call it when it is saved.
    """
    response = FileResponse(
        path,
        stat_result=path.stat(),
        headers=headers,
        media_type=media_type,
        filename=filename,
        content_disposition_type="inline",
    )
    known = (tag.strip() for tag in request.headers.get("if-none-match", "").split(","))
    return NotModifiedResponse(response.headers) if response.headers["etag"] in known else response
