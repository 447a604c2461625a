"""What is asked of the service, call by call, and what is made of its answers."""

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
    BadAnswer,
    Expired,
    PaintingCanceled,
    TimedOut,
    painting_failed,
    problem_of,
)
from stylizer_client.files import Picture, draft, media_type, read, told_name
from stylizer_client.resources import Status, Style, Stylization, Upload, parse
from stylizer_client.steps import Answer, Call, Conversation, Pause, insist, retry_after

OnProgress = Callable[[Stylization], object]
Source = Picture | Upload
"""A picture: its path, its bytes, an open file, or what has been uploaded (the id of that as text will do)."""
StyleSource = str | bytes | os.PathLike[str] | BinaryIO | Upload | Style
"""A style: its id as text, or a picture; the path of one is a `Path` and no text."""
Blend = Sequence[tuple[Any, float]]
"""Of `StyleSource`s, each with its weight; lists of mixed pairs have no type that fits."""

POLL = 1.0  # seconds between looks at a job, where the service does not say
_PAGE = 100
_PREFIX = re.compile(r"^/(?:.*/)?(?=v1/)")
_KEY = re.compile(r"[!-~]+")
_UPLOAD_ID = re.compile(r"upl_[a-z2-7]{26}")
_KINDS = {"stz": "stylizations", "sty": "styles", "upl": "uploads"}
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
R = TypeVar("R")


class Options(TypedDict, total=False):
    """The controls of a painting; those left out take the defaults of the service, which its `/docs` describes."""

    method: Literal["neighbor", "feedforward", "optimization", "texture"]
    size: int
    strength: float
    style_scale: float
    preserve_color: Literal["none", "luminance", "histogram"]
    quality: Literal["draft", "standard", "high"]
    features: Literal["compact", "vgg19"] | None
    seed: int
    format: Literal["jpeg", "png", "webp", "avif", "tiff"]
    format_quality: int
    webhook: str


class Api:
    """The service at an address, for one caller. Makes conversations, and carries none out.

    Args:
        base_url: Where the service is, such as "https://art.example.com/prod".
        key: Of the caller; None where the service asks for none.
        retries: How often a call is tried again.

    Raises:
        ValueError: The address is not one of http or https, or the key cannot be sent.
    """

    def __init__(self, base_url: str, key: str | None, retries: int):
        if not _is_address(base_url):
            raise ValueError(f"base_url is {base_url!r}; it must be an address such as https://art.example.com/prod")
        if key and not _KEY.fullmatch(key):  # which is a secret, and not told
            raise ValueError("key has other characters than printable ASCII without spaces")
        self._base = base_url.rstrip("/") + "/"
        self._key = key
        self._retries = retries

    def styles(self) -> Conversation[list[Style]]:
        """See `Client.styles`."""
        return (yield from self._pages(Style, "v1/styles", {}, None))

    def style(self, id: str) -> Conversation[Style]:  # noqa: A002 - what it is called everywhere
        """See `Client.style`."""
        return parse(Style, (yield from self._get(f"v1/styles/{_segment(id)}")))

    def add_style(self, title: str, picture: Source) -> Conversation[Style]:
        """See `Client.add_style`."""
        upload = yield from self._uploaded(picture)
        # The service knows no idempotency keys here: done twice, it would make two styles.
        body = {"upload": upload, "title": title}
        return parse(Style, (yield from self._post("v1/styles", body, is_repeatable=False)))

    def upload(self, picture: Picture, name: str | None = None) -> Conversation[Upload]:
        """See `Client.upload`."""
        own_name, content = read(picture)
        name = told_name(name or own_name)
        kind = media_type(name)
        upload = parse(Upload, (yield from self._post("v1/uploads", {"media_type": kind})))
        if len(content) > upload.max_bytes:
            allowed = f"at most {upload.max_bytes:,} bytes"
            facts = {
                "type": "/problems/image-too-large",
                "title": "The file has too many bytes",
                "detail": f"{name} has {len(content):,} bytes; allowed are {allowed}",
                "allowed": allowed,
            }
            raise problem_of(facts, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        url = self._url(upload.url)
        form = Call(method="POST", url=url, form=upload.fields, file=(name, content, kind), headers=self._headers(url))
        _checked((yield from insist(form, self._retries)))
        return upload

    def stylize(
        self,
        content: Source,
        style: StyleSource | Blend,
        mask: Source | None,
        content_mask: Source | None,
        options: Options,
        idempotency_key: str | None,
    ) -> Conversation[Stylization]:
        """See `Client.stylize`."""
        blend = style if isinstance(style, Sequence) and not isinstance(style, str | bytes) else [(style, 1.0)]
        body: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        styles = []
        for source, weight in blend:
            name = source.id if isinstance(source, Style) else source
            styles.append(
                {"style": name if isinstance(name, str) else (yield from self._uploaded(name)), "weight": weight}
            )
        body["styles"] = styles
        for field, picture in (("content", content), ("mask", mask), ("content_mask", content_mask)):
            if picture is not None:
                body[field] = yield from self._uploaded(picture)
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return parse(Stylization, (yield from self._post("v1/stylizations", body, headers)))

    def job(self, id: str) -> Conversation[Stylization]:  # noqa: A002
        """See `Client.job`."""
        return parse(Stylization, (yield from self._get(_job(id))))

    def jobs(self, status: Status | None, limit: int | None) -> Conversation[list[Stylization]]:
        """See `Client.jobs`."""
        query = {} if status is None else {"status": status}
        return (yield from self._pages(Stylization, "v1/stylizations", query, limit))

    def wait(
        self, job: Stylization | str, on_progress: OnProgress | None, timeout: float | None
    ) -> Conversation[Stylization]:
        """See `Client.wait`."""
        name = _id(job)
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            answer = yield from self._call("GET", _job(name))
            seen = parse(Stylization, _json(answer))
            if on_progress is not None:
                on_progress(seen)
            if seen.has_ended:
                return _succeeded(seen)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"the painting {name} is {seen.status}, and was not done in {timeout:g} s; it goes on")
            yield Pause(min(retry_after(answer) or POLL, left))

    def cancel(self, job: Stylization | str) -> Conversation[Stylization]:
        """See `Client.cancel`."""
        return parse(Stylization, (yield from self._post(f"{_job(_id(job))}/cancel", None)))

    def delete(self, what: Stylization | Style | Upload | str) -> Conversation[None]:
        """See `Client.delete`."""
        name = what if isinstance(what, str) else what.id
        # What has none of these prefixes can only be a built-in style, and the service says what is wrong with that.
        kind = _KINDS.get(name.partition("_")[0], "styles")
        yield from self._call("POST", f"v1/{kind}/{_segment(name)}/delete")

    def download(self, job: Stylization | str, path: str | os.PathLike[str]) -> Conversation[Path]:
        """See `Client.download`."""
        name = _id(job)
        with draft(Path(path)) as file:
            # Asked for now, because the link in the result may be over by this time.
            leads = yield from self._call("GET", f"{_job(name)}/image")
            # A job that was seen before it was done does not say what came of it.
            seen = job if isinstance(job, Stylization) and job.result else (yield from self.job(name))
            url = self._url(leads.headers.get("location", ""))
            fetch = Call(method="GET", url=url, headers=self._headers(url), sink=file)
            _checked((yield from insist(fetch, self._retries)))
            if seen.result is None or (file.length, file.sha256) != (seen.result.bytes, seen.result.sha256):
                raise BadAnswer(f"the file of {name} is not the one that was painted; its digest is another")
        return Path(path)

    # Helpers

    def _uploaded(self, picture: Source) -> Conversation[str]:
        """The id of a picture's upload, which is made now unless there is one."""
        if isinstance(picture, str) and _UPLOAD_ID.fullmatch(picture):
            return picture
        upload = picture if isinstance(picture, Upload) else (yield from self.upload(picture))
        return upload.id

    def _pages(self, kind: type[R], path: str, query: Mapping[str, str], limit: int | None) -> Conversation[list[R]]:
        found: list[R] = []
        cursor: dict[str, str] = {}
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = yield from self._get(f"{path}?{urlencode({**query, 'limit': size, **cursor})}")
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise BadAnswer("the answer is no list as this service gives it")
            found += [parse(kind, item) for item in page["items"]]
            if not page.get("next_cursor"):
                break
            cursor = {"cursor": page["next_cursor"]}
        return found

    def _get(self, path: str) -> Conversation[Any]:
        return _json((yield from self._call("GET", path)))

    def _post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None, *, is_repeatable: bool = True
    ) -> Conversation[Any]:
        call = self._call("POST", path, json=body, headers=headers or {}, is_repeatable=is_repeatable)
        return _json((yield from call))

    def _call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **rest: Any
    ) -> Conversation[Answer]:
        url = urljoin(self._base, path)
        call = Call(method=method, url=url, headers={**self._headers(url), **(headers or {})}, **rest)
        return _checked((yield from insist(call, self._retries)))

    def _url(self, link: str) -> str:
        """Where a link of an answer leads.

        Paths are taken from "v1/" on, below the base address: a proxy may have put it under a prefix that the
        service does not know of.
        """
        return urljoin(self._base, _PREFIX.sub("", link))

    def _headers(self, url: str) -> dict[str, str]:
        """The key is for this service, and for nobody that its links lead to."""
        return {"X-Api-Key": self._key} if self._key and _origin(url) == _origin(self._base) else {}


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets that do not close, or of a port that is no number, or beyond 65535
        return False


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _id(job: Stylization | str) -> str:
    return job if isinstance(job, str) else job.id


def _job(id: str) -> str:  # noqa: A002
    return f"v1/stylizations/{_segment(id)}"


def _segment(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _checked(answer: Answer) -> Answer:
    """The answer, unless it is a refusal."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return answer
    try:
        facts = json.loads(answer.body)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):  # an object store answers XML, and a proxy whatever it likes
        found = _MESSAGE.search(answer.body.decode(errors="replace"))
        said = found[1] if found else _phrase(answer.status)
        facts = {"detail": f"the answer is {answer.status}: {said}"}
    raise problem_of(facts, answer.status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown"


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise BadAnswer("the answer is not JSON: is this the address of an Image Stylizer?") from error


def _succeeded(job: Stylization) -> Stylization:
    if job.status == "failed":
        raise painting_failed(job.error or {})
    if job.status == "canceled":
        raise PaintingCanceled(f"the painting {job.id} was canceled")
    if job.status == "expired":
        raise Expired(f"the painting {job.id} has expired", type="/problems/expired", status=HTTPStatus.GONE)
    return job
