"""Uploads whose file is there, without a request to their form."""

from __future__ import annotations

import hashlib
import io

from stylizer_service.files import SentFile
from stylizer_service.inputs import upload_key
from stylizer_service.usecases import Service


def store_upload(service: Service, file: bytes, owner: str = "ann") -> str:
    """Register an upload and store its file, as its signed form does. Returns its id."""
    upload = service.create_upload(owner, "image/png")
    with service.ports.intake.file(len(file)):
        service.ports.blobs.put(upload_key(upload.id), file, "image/png")
    return upload.id


def sent_file(file: bytes) -> SentFile:
    """Return a file as the form of a request carries it."""
    return SentFile(io.BytesIO(file), len(file), hashlib.sha256(file).hexdigest())
