"""The API as strangers find it, on both sets of adapters: `stylizer-server` with keys, and the function on AWS."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from pictures import slope
from starlette.routing import BaseRoute, Mount
from waiting import PATIENCE

from stylizer_service.jobs.leases import claim
from stylizer_service.usecases import Service

ANN, BEN, REMOVED = "ann", "ben", "removed"
NEVER = {"upl": "upl_" + "n" * 26, "stz": "stz_" + "n" * 26, "sty": "sty_" + "n" * 26}
"""Ids that never were, by their prefixes."""

HeaderList = list[tuple[str, str]]
Call = tuple[str, str]
"""A method and the template of a path."""


@dataclass(frozen=True)
class Answer:
    """What came back, to the byte."""

    status: int
    headers: HeaderList
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def problem(self) -> dict[str, Any]:
        """The problem it tells of, without what is different each time."""
        return {name: value for name, value in json.loads(self.body).items() if name != "request_id"}


class Send(Protocol):
    """Sends a request as it is, whatever is wrong with it."""

    def __call__(self, method: str, target: str, headers: HeaderList, body: bytes) -> Answer:
        """What comes back."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One of the two.

    Attributes:
        name: "local" or "aws".
        prefix: What stands before every path.
        keys: Of "ann", "ben", and of one whose key was "removed".
        service: What stands behind it.
        send: Sends a request as it is.
        log: All that has been written to the log so far.
        routes: Every call, those outside the contract too.
    """

    name: str
    prefix: str
    keys: dict[str, str]
    service: Service
    send: Send
    log: Callable[[], str]
    routes: set[Call]

    def call(
        self, method: str, path: str, *, who: str | None = ANN, body: object = None, headers: HeaderList | None = None
    ) -> Answer:
        """A call of somebody; a body that is not bytes goes as JSON."""
        said = list(headers or [])
        if who is not None:
            said.append(("X-Api-Key", self.keys.get(who, who)))
        if body is not None and not isinstance(body, bytes):
            said.append(("Content-Type", "application/json"))
            body = json.dumps(body).encode()
        return self.send(method, self.prefix + path, said, body if isinstance(body, bytes) else b"")

    def ask(self, who: str, path: str, body: object) -> dict[str, Any]:
        """A POST that must go well; gives the resource."""
        answer = self.call("POST", path, who=who, body=body)
        assert answer.status in range(200, 300), answer.body
        return dict(json.loads(answer.body))

    def upload(self, who: str = ANN) -> str:
        """Send a photo by a form; gives the id of the upload."""
        form = self.ask(who, "/v1/uploads", {"media_type": "image/jpeg"})
        fields, files = form["fields"], {"file": ("a.jpg", photo())}
        request = httpx.Request("POST", f"http://any{form['url']}", data=fields, files=files)
        if self.name == "aws":
            httpx.post(form["url"], data=fields, files=files, timeout=PATIENCE).raise_for_status()
        else:
            kind = [("Content-Type", request.headers["content-type"])]
            assert self.send("POST", form["url"], kind, request.read()).status == 204
        return str(form["id"])

    def job(self, who: str = ANN, **fields: object) -> str:
        """Have a painting accepted, of a new photo unless one is named; gives its id."""
        fields = {"style": "woodcut", "content": fields.pop("content", None) or self.upload(who), **fields}
        return str(self.ask(who, "/v1/stylizations", fields)["id"])

    def finish(self, job_id: str) -> None:
        """Paint a job to its end, the quick way."""
        lease = claim(self.service.ports, self.service.settings, job_id)
        assert lease is not None
        lease.succeed(photo(), preview=photo(), width=48, height=32)


@dataclass(frozen=True)
class Belongings:
    """What somebody has: an upload, a style, a job that waits and one that is painted."""

    upload: str
    style: str
    waiting: str
    painted: str

    @classmethod
    def of(cls, deployment: Deployment, who: str = ANN) -> Belongings:
        upload = deployment.upload(who)
        style = deployment.ask(who, "/v1/styles", {"upload": upload, "title": "Mine"})["id"]
        painted = deployment.job(who, content=upload)
        deployment.finish(painted)
        return cls(upload, str(style), deployment.job(who, content=upload), painted)

    @property
    def ids(self) -> list[str]:
        return [self.upload, self.style, self.waiting, self.painted]


@dataclass
class Form:
    """A multipart form, written by hand so that anything can be in it."""

    boundary: str = "=boundary="
    parts: list[bytes] = field(default_factory=list)

    def add(self, disposition: str, data: bytes = b"", *lines: str) -> Form:
        """Add a part.

        Args:
            disposition: What follows `form-data`.
            data: What is in it.
            lines: Further headers.
        """
        head = "\r\n".join([f"Content-Disposition: form-data{disposition}", *lines])
        self.parts.append(f"--{self.boundary}\r\n{head}\r\n\r\n".encode("utf-8", "surrogateescape") + data + b"\r\n")
        return self

    def body(self) -> bytes:
        return b"".join(self.parts) + f"--{self.boundary}--\r\n".encode()

    def headers(self) -> HeaderList:
        return [("Content-Type", f"multipart/form-data; boundary={self.boundary}")]


def photo() -> bytes:
    """A small JPEG."""
    return slope(format="JPEG")


def over_http(address: str) -> Send:
    """Sends to a real server; a connection for each request."""
    parts = urlsplit(address)

    def send(method: str, target: str, headers: HeaderList, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
        try:
            # As it is: http.client would refuse a target or a header that is against the rules.
            connection.connect()
            named = {name.lower() for name, _ in headers}
            lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
            lines += [] if "host" in named else [f"Host: {parts.netloc}"]
            lines += ["Connection: close", *([f"Content-Length: {len(body)}"] if body or method == "POST" else [])]
            connection.sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
            answer = http.client.HTTPResponse(connection.sock, method=method)
            answer.begin()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    return send


def walk(routes: list[BaseRoute], prefix: str = "") -> Iterator[Call]:
    """Every call that an app answers, whatever the contract says of it."""
    for route in routes:
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        if inner is not None:
            yield from walk(inner, prefix)
        elif isinstance(route, Mount):
            yield "GET", f"{prefix}{route.path}/{{path}}"
        else:
            path = prefix + str(getattr(route, "path"))  # noqa: B009 - mypy knows no path of a BaseRoute
            for method in getattr(route, "methods") or ():  # noqa: B009
                if method != "HEAD":
                    yield method, re.sub(r":\w+}", "}", path)
