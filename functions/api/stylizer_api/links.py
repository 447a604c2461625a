"""The URL prefix that an API is mounted under, such as a gateway stage: added to links and removed from request paths.

The use cases know only paths such as "/v1/styles/ink"; only this module knows where the API is mounted.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.types import Scope

from stylizer_service.resources import Page, Style, Stylization, Upload

R = TypeVar("R", bound=BaseModel)


def inner_path(scope: Scope) -> str:
    """Return the request path as the contract has it, without the prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class RootPath:
    """Mount point of the API.

    Args:
        prefix: Such as "/prod"; empty at the root of the host.
    """

    def __init__(self, prefix: str):
        self._prefix = prefix

    def link(self, url: str) -> str:
        """Return a path with the prefix added. A URL on another host is returned unchanged."""
        return f"{self._prefix}{url}" if url.startswith("/") else url

    def resource(self, resource: R) -> R:
        """Return a resource, or a page of them, with the prefix added to all its links."""
        return resource.model_copy(update=self._links(resource)) if self._prefix else resource

    def _links(self, resource: BaseModel) -> dict[str, object]:
        match resource:
            case Page():
                return {"items": [self.resource(item) for item in resource.items]}
            case Upload():
                return {"url": self.link(resource.url)}
            case Style():
                return {"links": self._all(resource.links)}
            case Stylization(preview=preview, result=result, results=results):
                return {
                    "preview": preview and self.link(preview),
                    "result": result and result.model_copy(update={"url": self.link(result.url)}),
                    "results": [
                        each.model_copy(
                            update={"url": self.link(each.url), "preview": each.preview and self.link(each.preview)}
                        )
                        for each in results
                    ],
                    "links": self._all(resource.links),
                }
        return {}

    def _all(self, links: R) -> R:
        return links.model_copy(update={name: self.link(url) for name, url in links})


async def _mount(request: Request) -> RootPath:
    return RootPath(request.scope.get("root_path", ""))


Mounted = Annotated[RootPath, Depends(_mount)]
