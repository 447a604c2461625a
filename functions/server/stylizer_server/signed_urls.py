"""Signed upload forms and download links, which S3 serves on AWS."""

from __future__ import annotations

import shutil

from fastapi import APIRouter, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from stylizer_api.files import send_file
from stylizer_api.forms import read_form
from stylizer_service.adapters.local import Local
from stylizer_service.adapters.local.blobs import UploadPolicy
from stylizer_service.files import SentFile
from stylizer_service.problems import invalid

_FIELDS = ("key", "Content-Type", "policy", "signature", "file")
_CHUNK = 2**20


def signed_url_router(local: Local) -> APIRouter:
    """Create the routes behind signed URLs. They are not in the OpenAPI contract: callers only follow links."""
    router = APIRouter(include_in_schema=False)

    @router.post("/v1/uploads/{id}/file")
    async def receive_file(id: str, request: Request) -> Response:  # noqa: A002
        key = f"uploads/{id}/file"
        await run_in_threadpool(local.service.ports.intake.check_space)
        async with read_form(
            request,
            fields=_FIELDS,
            max_bytes=lambda _, head: local.service.settings.max_file_bytes("content", head),
            # No key is required here, so nothing is stored before a valid signature.
            before_file=lambda fields: local.blobs.check_form(key, fields),
        ) as form:
            file = form.get("file")
            if not isinstance(file, SentFile):
                raise invalid("file", "the form has no file", "a file, after the other fields")
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            policy = local.blobs.check_form(key, fields)
            await run_in_threadpool(_store, local, policy, file)
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    @router.get("/v1/files/{key:path}")
    def give_file(request: Request, key: str, expires: str = "", filename: str = "", signature: str = "") -> Response:
        stored = local.blobs.resolve(key, expires=expires, filename=filename, signature=signature)
        return send_file(
            request,
            stored.path,
            media_type=stored.media_type,
            filename=stored.filename,
            # Other sites may embed a linked picture, as with S3.
            headers={"Cache-Control": "private, no-cache", "Cross-Origin-Resource-Policy": "cross-origin"},
        )

    return router


def _store(local: Local, policy: UploadPolicy, file: SentFile) -> None:
    reservation = local.service.ports.intake.file(file.length)
    with reservation, local.blobs.writer(policy.key, max_bytes=policy.max_bytes) as writer:
        shutil.copyfileobj(file.file, writer, _CHUNK)
