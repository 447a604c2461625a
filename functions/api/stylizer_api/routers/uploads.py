"""Uploads: clients send files directly to the object store with a signed form."""

from __future__ import annotations

from fastapi import APIRouter, Depends, status

from stylizer_api.context import OwnerDep, ServiceDep, json_only
from stylizer_api.links import Mounted
from stylizer_service.models import UploadRequest
from stylizer_service.resources import Upload

router = APIRouter(prefix="/v1/uploads", tags=["Uploads"])


@router.post(
    "",
    summary="Create an upload",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Depends(json_only)],
)
def create_upload(owner: OwnerDep, service: ServiceDep, mount: Mounted, body: UploadRequest) -> Upload:
    """Returns a signed form for one file.

    POST its `fields`, then the file as `file`, as multipart/form-data to `url`.
    The file is validated when it is first used.
    """
    return mount.resource(service.create_upload(owner, body.media_type))


@router.post("/{id}/delete", summary="Delete an upload", status_code=status.HTTP_204_NO_CONTENT)
def delete_upload(owner: OwnerDep, service: ServiceDep, id: str) -> None:  # noqa: A002
    """Deletes the file at once; paintings and styles made from it are not affected."""
    service.delete_upload(owner, id)
