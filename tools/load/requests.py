"""Visits of a load client: a few requests that belong together."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import aiohttp

OPTIONS = {"style": "woodcut", "size": 384}
"""Options of every painting in the load test: all cost the painter the same."""

_PAGE = ("/", "/page/app.js", "/page/base.css")


class PlanParts(Protocol):
    """The parts of a plan that a visit uses."""

    jobs: list[str]
    painted: list[str]
    upload: str
    photo: str


class Recorder(Protocol):
    """Recorder for a visit's measurements."""

    accepted: list[str]

    def request(self, kind: str) -> AbstractContextManager[list[int]]:
        """Time a request; the caller appends its status to the list."""


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """One client."""

    session: aiohttp.ClientSession
    plan: PlanParts
    notes: Recorder
    chance: random.Random

    async def ask(self, kind: str, method: str, path: str, **options: Any) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request, and read its response to the end."""
        with self.notes.request(kind) as status:
            async with self.session.request(method, path, allow_redirects=False, **options) as answer:
                body = await answer.read()
                status.append(answer.status)
                return answer.status, answer.headers, body


async def _health(visitor: Visitor) -> None:
    await visitor.ask("health", "GET", "/healthz")


async def _poll(visitor: Visitor) -> None:
    await visitor.ask("poll", "GET", f"/v1/stylizations/{visitor.chance.choice(visitor.plan.jobs)}")


async def _list(visitor: Visitor) -> None:
    await visitor.ask("list", "GET", "/v1/stylizations")


async def _page(visitor: Visitor) -> None:
    for path in _PAGE:
        await visitor.ask("page", "GET", path)


async def _image(visitor: Visitor) -> None:
    job = visitor.chance.choice(visitor.plan.painted)
    status, headers, _ = await visitor.ask("image link", "GET", f"/v1/stylizations/{job}/image")
    if status == HTTPStatus.SEE_OTHER:
        await visitor.ask("image", "GET", headers["Location"])


async def _upload(visitor: Visitor) -> None:
    status, _, body = await visitor.ask("upload", "POST", "/v1/uploads", json={"media_type": "image/jpeg"})
    if status == HTTPStatus.CREATED:
        form = json.loads(body)
        await visitor.ask("upload file", "POST", form["url"], data=_form(form["fields"], "file", visitor))


async def _create(visitor: Visitor) -> None:
    await _accepted(visitor, "create by json", json={**OPTIONS, "content": visitor.plan.upload})


async def _create_with_file(visitor: Visitor) -> None:
    fields = {name: str(value) for name, value in OPTIONS.items()}
    await _accepted(visitor, "create by form", data=_form(fields, "content", visitor))


async def _accepted(visitor: Visitor, kind: str, **body: Any) -> None:
    status, _, answer = await visitor.ask(kind, "POST", "/v1/stylizations", **body)
    if status == HTTPStatus.ACCEPTED:
        visitor.notes.accepted.append(json.loads(answer)["id"])


def _form(fields: Mapping[str, str], file_field: str, visitor: Visitor) -> aiohttp.FormData:
    """Return a form with a unique photo: a comment of eight bytes differs each time."""
    photo = _photo(visitor.plan.photo)
    new = photo[:2] + b"\xff\xfe\x00\x0a" + visitor.chance.randbytes(8) + photo[2:]
    form = aiohttp.FormData(fields)
    form.add_field(file_field, new, filename="photo.jpg", content_type="image/jpeg")
    return form


@cache
def _photo(path: str) -> bytes:
    return Path(path).read_bytes()


VISITS: dict[str, Callable[[Visitor], Awaitable[None]]] = {
    "health": _health,
    "poll": _poll,
    "list": _list,
    "page": _page,
    "image": _image,
    "upload": _upload,
    "create": _create,
    "create with file": _create_with_file,
}
"""Visits by their names in a mix."""
