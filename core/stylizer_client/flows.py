"""Operations of the API as flows: the requests that each sends, and how responses are parsed."""

from __future__ import annotations

import json
import math
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypedDict, TypeVar
from urllib.parse import quote, urlencode, urljoin, urlsplit

from stylizer_client.errors import (
    Expired,
    InvalidResponse,
    PaintingCanceled,
    TimedOut,
    painting_failed,
    problem_from,
)
from stylizer_client.files import Picture, media_type, open_atomic, read_picture, safe_filename
from stylizer_client.resources import Result, Status, Style, Stylization, Upload, parse
from stylizer_client.steps import Flow, Request, Response, Sleep, retry_after, with_retries

OnProgress = Callable[[Stylization], object]
Source = Picture | Upload
"""A picture: its path, its bytes, an open file, an upload, or the id of one."""
StyleSource = str | bytes | os.PathLike[str] | BinaryIO | Upload | Style
"""A style: its id as `str`, or a picture; the path of a picture must be a `Path`."""
Blend = Sequence[tuple[Any, float] | tuple[Any, float, Any]]
"""Pairs of a `StyleSource` and its weight, or triples with the mask of where it paints, a `Source` or None.

No type fits a list of mixed sources."""

POLL = 1.0  # seconds between polls of a job without `Retry-After`
_PAGE = 100
_PREFIX = re.compile(r"^/(?:.*/)?(?=v1/)")
_KEY = re.compile(r"[!-~]+")
_UPLOAD_ID = re.compile(r"upl_[a-z2-7]{26}")
_COLLECTIONS = {"stz": "stylizations", "sty": "styles", "upl": "uploads"}
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
R = TypeVar("R")


class Options(TypedDict, total=False):
    """Options of a painting; `/docs` of the service has their ranges and defaults."""

    method: Literal["neighbor", "feedforward", "optimization", "texture", "color"]
    size: int | Literal["original"]
    strength: float
    style_scale: float
    preserve_color: Literal["none", "luminance", "histogram"]
    quality: Literal["draft", "standard", "high"]
    features: Literal["compact", "vgg19"] | None
    seed: int
    animate: bool
    format: Literal["jpeg", "png", "webp", "avif", "tiff", "gif", "mp4"]
    format_quality: int
    keep_metadata: Literal["none", "exif", "exif+gps"]
    variants: int
    content_url: str
    style_url: str
    webhook: str


class ApiFlows:
    """Flows of every operation of a service.

    Args:
        base_url: Base URL of the service, such as "https://art.example.com/prod".
        key: API key; None if the service requires none.
        retries: Most retries of a request.

    Raises:
        ValueError: `base_url` is not an http or https URL, or the key contains invalid characters.
    """

    def __init__(self, base_url: str, key: str | None, retries: int):
        if not _is_http_url(base_url):
            raise ValueError(f"base_url is {base_url!r}; it must be an address such as https://art.example.com/prod")
        if key and not _KEY.fullmatch(key):  # a secret, so the message leaves it out
            raise ValueError("key has other characters than printable ASCII without spaces")
        self._base = base_url.rstrip("/") + "/"
        self._key = key
        self._retries = retries

    def styles(self) -> Flow[list[Style]]:
        """See `Client.styles`."""
        return (yield from self._pages(Style, "v1/styles", {}, None))

    def style(self, id: str) -> Flow[Style]:  # noqa: A002 - the name in the API
        """See `Client.style`."""
        return parse(Style, (yield from self._get(f"v1/styles/{_quote_segment(id)}")))

    def add_style(self, title: str, picture: Source) -> Flow[Style]:
        """See `Client.add_style`."""
        upload = yield from self._upload_id(picture)
        # Without an idempotency key: a repeated request would create two styles.
        body = {"upload": upload, "title": title}
        return parse(Style, (yield from self._post("v1/styles", body, idempotent=False)))

    def upload(self, picture: Picture, name: str | None = None) -> Flow[Upload]:
        """See `Client.upload`."""
        own_name, content = read_picture(picture)
        name = safe_filename(name or own_name)
        declared = media_type(name)
        upload = parse(Upload, (yield from self._post("v1/uploads", {"media_type": declared})))
        if len(content) > upload.max_bytes:
            allowed = f"at most {upload.max_bytes:,} bytes"
            facts = {
                "type": "/problems/image-too-large",
                "title": "The file is too large",
                "detail": f"{name} has {len(content):,} bytes; allowed: {allowed}",
                "allowed": allowed,
            }
            raise problem_from(facts, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        url = self._resolve_link(upload.url)
        file = (name, content, declared)
        form = Request(method="POST", url=url, form=upload.fields, file=file, headers=self._key_headers(url))
        _raise_for_status((yield from with_retries(form, self._retries)))
        return upload

    def stylize(
        self,
        content: Source | None,
        style: StyleSource | Blend | None,
        mask: Source | None,
        content_mask: Source | None,
        options: Options,
        idempotency_key: str | None,
    ) -> Flow[Stylization]:
        """See `Client.stylize`."""
        blend: Blend = [(style, 1.0)] if style is not None else []
        if isinstance(style, Sequence) and not isinstance(style, str | bytes):
            blend = style
        body: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        styles: list[dict[str, Any]] = []
        for source, weight, *masks in blend:
            name = source.id if isinstance(source, Style) else source
            styles.append(
                {"style": name if isinstance(name, str) else (yield from self._upload_id(name)), "weight": weight}
            )
            for picture in masks:
                if picture is not None:
                    styles[-1]["mask"] = yield from self._upload_id(picture)
        if styles or "style_url" not in body:
            body["styles"] = styles
        for field, picture in (("content", content), ("mask", mask), ("content_mask", content_mask)):
            if picture is not None:
                body[field] = yield from self._upload_id(picture)
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return parse(Stylization, (yield from self._post("v1/stylizations", body, headers)))

    def job(self, id: str) -> Flow[Stylization]:  # noqa: A002
        """See `Client.job`."""
        return parse(Stylization, (yield from self._get(_job_path(id))))

    def jobs(self, status: Status | None, limit: int | None) -> Flow[list[Stylization]]:
        """See `Client.jobs`."""
        query = {} if status is None else {"status": status}
        return (yield from self._pages(Stylization, "v1/stylizations", query, limit))

    def wait(self, job: Stylization | str, on_progress: OnProgress | None, timeout: float | None) -> Flow[Stylization]:
        """See `Client.wait`."""
        name = _job_id(job)
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            response = yield from self._send("GET", _job_path(name))
            seen = parse(Stylization, _parse_json(response))
            if on_progress is not None:
                on_progress(seen)
            if seen.has_ended:
                return _check_succeeded(seen)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"the painting {name} is {seen.status} after {timeout:g} s; it goes on")
            yield Sleep(min(retry_after(response) or POLL, left))

    def cancel(self, job: Stylization | str) -> Flow[Stylization]:
        """See `Client.cancel`."""
        return parse(Stylization, (yield from self._post(f"{_job_path(_job_id(job))}/cancel", None)))

    def delete(self, what: Stylization | Style | Upload | str) -> Flow[None]:
        """See `Client.delete`."""
        name = what if isinstance(what, str) else what.id
        # Only built-in styles lack a prefix, and the service refuses to delete them.
        collection = _COLLECTIONS.get(name.partition("_")[0], "styles")
        yield from self._send("POST", f"v1/{collection}/{_quote_segment(name)}/delete")

    def download(self, job: Stylization | str, path: str | os.PathLike[str], variant: int | None = None) -> Flow[Path]:
        """See `Client.download`."""
        name = _job_id(job)
        query = "" if variant is None else f"?variant={variant}"
        with open_atomic(Path(path)) as file:
            # A fresh link, because the one in the result may have expired.
            redirect = yield from self._send("GET", f"{_job_path(name)}/image{query}")
            # The given job may date from before it succeeded.
            expected = _result_of(job, variant) if isinstance(job, Stylization) else None
            if expected is None:
                expected = _result_of((yield from self.job(name)), variant)
            url = self._resolve_link(redirect.headers.get("location", ""))
            fetch = Request(method="GET", url=url, headers=self._key_headers(url), sink=file)
            _raise_for_status((yield from with_retries(fetch, self._retries)))
            if expected is None or (file.length, file.sha256) != (expected.bytes, expected.sha256):
                raise InvalidResponse(f"the file of {name} differs from the painting: wrong length or SHA-256")
        return Path(path)

    def _upload_id(self, picture: Source) -> Flow[str]:
        """Return the id of an upload; upload the picture first if necessary."""
        if isinstance(picture, str) and _UPLOAD_ID.fullmatch(picture):
            return picture
        upload = picture if isinstance(picture, Upload) else (yield from self.upload(picture))
        return upload.id

    def _pages(self, kind: type[R], path: str, query: Mapping[str, str], limit: int | None) -> Flow[list[R]]:
        found: list[R] = []
        cursor: dict[str, str] = {}
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = yield from self._get(f"{path}?{urlencode({**query, 'limit': size, **cursor})}")
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise InvalidResponse("the response is not a list of this service")
            found += [parse(kind, item) for item in page["items"]]
            if not page.get("next_cursor"):
                break
            cursor = {"cursor": page["next_cursor"]}
        return found

    def _get(self, path: str) -> Flow[Any]:
        return _parse_json((yield from self._send("GET", path)))

    def _post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None, *, idempotent: bool = True
    ) -> Flow[Any]:
        sending = self._send("POST", path, json=body, headers=headers or {}, idempotent=idempotent)
        return _parse_json((yield from sending))

    def _send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **rest: Any) -> Flow[Response]:
        url = urljoin(self._base, path)
        request = Request(method=method, url=url, headers={**self._key_headers(url), **(headers or {})}, **rest)
        return _raise_for_status((yield from with_retries(request, self._retries)))

    def _resolve_link(self, link: str) -> str:
        """Resolve a link of a response.

        Paths are resolved from "v1/" on against the base URL: a proxy may serve the API below a prefix that the service
        does not know.
        """
        return urljoin(self._base, _PREFIX.sub("", link))

    def _key_headers(self, url: str) -> dict[str, str]:
        """Return the key header for URLs of this service only; links may lead elsewhere."""
        return {"X-Api-Key": self._key} if self._key and _origin(url) == _origin(self._base) else {}


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # unbalanced brackets, or a port that is not a number up to 65535
        return False


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _job_id(job: Stylization | str) -> str:
    return job if isinstance(job, str) else job.id


def _result_of(job: Stylization, variant: int | None) -> Result | None:
    return job.result if variant is None else next(iter(job.results[variant - 1 : variant]), None)


def _job_path(id: str) -> str:  # noqa: A002
    return f"v1/stylizations/{_quote_segment(id)}"


def _quote_segment(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _raise_for_status(response: Response) -> Response:
    """Return the response, or raise the `Problem` of an error status."""
    if response.status < HTTPStatus.BAD_REQUEST:
        return response
    try:
        facts = json.loads(response.body)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):  # an object store sends XML, a proxy anything
        found = _MESSAGE.search(response.body.decode(errors="replace"))
        reason = found[1] if found else _phrase(response.status)
        facts = {"detail": f"the response is {response.status}: {reason}"}
    raise problem_from(facts, response.status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown"


def _parse_json(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise InvalidResponse("the response is not JSON: is this the address of an Image Stylizer?") from error


def _check_succeeded(job: Stylization) -> Stylization:
    if job.status == "failed":
        raise painting_failed(job.error or {})
    if job.status == "canceled":
        raise PaintingCanceled(f"the painting {job.id} was canceled")
    if job.status == "expired":
        raise Expired(f"the painting {job.id} has expired", type="/problems/expired", status=HTTPStatus.GONE)
    return job
