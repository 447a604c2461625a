"""Styles: the built-in catalog and the caller's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, status
from fastapi.responses import RedirectResponse

from stylizer_api.context import OwnerDep, PageQuery, ServiceDep, json_only
from stylizer_api.files import BINARY, content_tag, send_file
from stylizer_api.links import Mounted
from stylizer_service.models import StyleRequest
from stylizer_service.resources import Page, Style

router = APIRouter(prefix="/v1/styles", tags=["Styles"])


@router.get("", summary="List styles")
def list_styles(
    owner: OwnerDep, service: ServiceDep, mount: Mounted, query: Annotated[PageQuery, Query()]
) -> Page[Style]:
    """The built-in styles, best first, then your own, newest first."""
    return mount.resource(service.list_styles(owner, limit=query.limit, cursor=query.cursor))


@router.post(
    "",
    summary="Create a style",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Depends(json_only)],
)
def create_style(owner: OwnerDep, service: ServiceDep, mount: Mounted, body: StyleRequest, response: Response) -> Style:
    """Creates a style from an upload. Use its id like that of a built-in style. Styles do not expire."""
    style = mount.resource(service.create_style(owner, body.upload, body.title))
    response.headers["Location"] = style.links.self
    return style


@router.get("/{id}", summary="Get a style")
def get_style(owner: OwnerDep, service: ServiceDep, mount: Mounted, id: str) -> Style:  # noqa: A002 - the name in the contract
    """Title, artist, year, license and links of a style."""
    return mount.resource(service.get_style(owner, id))


@router.get(
    "/{id}/image",
    summary="Get the image of a style",
    response_class=Response,
    responses={
        200: {"description": "The image.", "content": {"image/webp": BINARY}},
        303: {"description": "Short-lived link to the image of your own style."},
        304: {"description": "Not modified: it matches `If-None-Match`."},
    },
)
def get_style_image(
    owner: OwnerDep,
    service: ServiceDep,
    mount: Mounted,
    id: str,  # noqa: A002
    request: Request,
) -> Response:
    """A sample image of a style. Built-in ones are small enough to list many."""
    image = service.style_image(owner, id)
    if isinstance(image, Path):
        headers = {"Cache-Control": "public, max-age=3600", "ETag": content_tag(image)}
        return send_file(request, image, media_type="image/webp", headers=headers)
    return RedirectResponse(
        mount.link(image), status.HTTP_303_SEE_OTHER, headers={"Cache-Control": "private, max-age=60"}
    )


@router.post("/{id}/delete", summary="Delete a style", status_code=status.HTTP_204_NO_CONTENT)
def delete_style(owner: OwnerDep, service: ServiceDep, id: str) -> None:  # noqa: A002
    """Deletes the style and its image at once; paintings that use it are not affected. 409 for a built-in style."""
    service.delete_style(owner, id)
