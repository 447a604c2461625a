"""The prefix that an API is reached under, such as a gateway's stage: put on paths in answers, and taken off requests.

The use cases know paths such as "/v1/styles/ink" only; this is the one place that knows where the API is mounted.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.types import Scope

from stylizer_service.models import Page, Style, Stylization, Upload

R = TypeVar("R", bound=BaseModel)


def inner_path(scope: Scope) -> str:
    """The path of a request as the contract has it, without the prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class RootPath:
    """Where the API is mounted.

    Args:
        prefix: Such as "/prod"; empty at the root of the host.
    """

    def __init__(self, prefix: str):
        self._prefix = prefix

    def link(self, url: str) -> str:
        """A path as callers need it. An address of another host stays as it is."""
        return f"{self._prefix}{url}" if url.startswith("/") else url

    def resource(self, resource: R) -> R:
        """A resource, or a page of them, whose links are as callers need them."""
        return resource.model_copy(update=self._links(resource)) if self._prefix else resource

    def _links(self, resource: BaseModel) -> dict[str, object]:
        match resource:
            case Page():
                return {"items": [self.resource(item) for item in resource.items]}
            case Upload():
                return {"url": self.link(resource.url)}
            case Style():
                return {"links": self._all(resource.links)}
            case Stylization(preview=preview, result=result):
                return {
                    "preview": preview and self.link(preview),
                    "result": result and result.model_copy(update={"url": self.link(result.url)}),
                    "links": self._all(resource.links),
                }
        return {}

    def _all(self, links: R) -> R:
        return links.model_copy(update={name: self.link(url) for name, url in links})


async def _mount(request: Request) -> RootPath:
    return RootPath(request.scope.get("root_path", ""))


Mounted = Annotated[RootPath, Depends(_mount)]
