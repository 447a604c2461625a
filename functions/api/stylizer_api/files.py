"""Sends a file of this machine, or says that the caller has it already."""

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
"""What the contract says of an answer that is a picture."""


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
    known = (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))
    return NotModifiedResponse(response.headers) if response.headers["etag"] in known else response


def content_tag(path: Path) -> str:
    """An ETag that tells files of this program by what is in them.

    Their times do not tell them apart once the program came as an archive, in which all have the same.
    """
    about = path.stat()
    return _content_tag(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=256)
def _content_tag(path: Path, mtime: int, size: int) -> str:  # noqa: ARG001 - a file that is changed is read again
    return f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}"'
