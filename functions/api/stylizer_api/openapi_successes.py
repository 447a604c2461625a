"""Successful responses of each call for the contract: an example, and the relevant headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from stylizer_service.models import PaintingOptions, StyleWeight
from stylizer_service.resources import (
    Page,
    Result,
    Seconds,
    Style,
    StyleLinks,
    Stylization,
    StylizationLinks,
    Upload,
    Variant,
)

HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-Id": ("Id of this request in the log.", {"type": "string"}),
    "Location": ("URL of the created or requested resource.", {"type": "string", "format": "uri-reference"}),
    "Retry-After": ("Seconds to wait before the next request.", {"type": "integer", "minimum": 1}),
    "Idempotency-Replayed": (
        "Present if the idempotency key was used before; the response is the existing job.",
        {"const": "true"},
    ),
    "Preference-Applied": ("The wait that was applied, in seconds.", {"type": "string", "examples": ["wait=20"]}),
    "Cache-Control": ("Caching of the response.", {"type": "string"}),
    "ETag": ("Entity tag of the content, for `If-None-Match`.", {"type": "string"}),
}
"""Response headers with their descriptions and schemas."""

_JOB = ("Location", "Idempotency-Replayed", "Preference-Applied", "Cache-Control")

SHOWN: dict[tuple[str, str], tuple[str, ...]] = {
    ("create_stylization", "200"): _JOB,
    ("create_stylization", "202"): (*_JOB, "Retry-After"),
    ("get_stylization", "200"): ("Retry-After", "Cache-Control"),
    ("get_stylization_image", "303"): ("Location", "Cache-Control"),
    ("get_stylization_preview", "303"): ("Location", "Cache-Control"),
    ("create_style", "201"): ("Location",),
    ("get_style_image", "200"): ("ETag", "Cache-Control"),
    ("get_style_image", "303"): ("Location", "Cache-Control"),
    ("get_style_image", "304"): ("ETag", "Cache-Control"),
    ("get_webhook_secret", "200"): ("Cache-Control",),
}
"""By operation and status, the headers besides X-Request-Id, which every response has."""

_THEN = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)
_JOB_ID = "stz_abcdefghijklmnopqrstuvwxyz"
_PATH = f"/v1/stylizations/{_JOB_ID}"

_QUEUED = Stylization(
    id=_JOB_ID,
    status="queued",
    progress=0.0,
    method="neighbor",
    options=PaintingOptions(),
    content="upl_abcdefghijklmnopqrstuvwxyz",
    styles=[StyleWeight(style="woodcut")],
    mask=None,
    content_mask=None,
    created_at=_THEN,
    started_at=None,
    finished_at=None,
    expires_at=_THEN + timedelta(days=1),
    webhook=None,
    preview=None,
    variants=1,
    frames=None,
    result=None,
    results=[],
    error=None,
    links=StylizationLinks(self=_PATH, image=f"{_PATH}/image", cancel=f"{_PATH}/cancel"),
)
_RUNNING = _QUEUED.model_copy(
    update={
        "status": "running",
        "progress": 0.42,
        "started_at": _THEN + timedelta(milliseconds=200),
        "preview": f"{_PATH}/preview",
    }
)
_RESULT = Result(
    width=1024,
    height=683,
    media_type="image/jpeg",
    bytes=184_233,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    url=f"/v1/files/jobs/{_JOB_ID}/5be1c2d3a4f60718/result.jpg?expires=1795342530&signature=…",
    seconds=Seconds(queued=0.2, painting=2.05),
    features="compact",
    frames=None,
    duration=None,
)
_DONE = _RUNNING.model_copy(
    update={
        "status": "succeeded",
        "progress": 1.0,
        "finished_at": _THEN + timedelta(milliseconds=2250),
        "result": _RESULT,
        "results": [Variant(**dict(_RESULT), seed=0, style_scale=1.0, preview=f"{_PATH}/preview?variant=1")],
    }
)
_CANCELED = _QUEUED.model_copy(update={"status": "canceled", "finished_at": _THEN + timedelta(seconds=3)})
_DELETED = _DONE.model_copy(update={"status": "expired", "preview": None, "result": None, "results": []})
_BUILT_IN = Style(
    id="woodcut",
    title="Woodcut",
    artist="Image Stylizer",
    year="2026",
    license="MIT, painted by code in this repository",
    description="Bold black lines carved in wood that swell and taper on cream paper, with one block of vermilion.",
    own=False,
    created_at=None,
    links=StyleLinks(self="/v1/styles/woodcut", image="/v1/styles/woodcut/image"),
)
_OWN_ID = "sty_abcdefghijklmnopqrstuvwxyz"
_OWN = Style(
    id=_OWN_ID,
    title="Grandma's quilt",
    artist=None,
    year=None,
    license=None,
    description=None,
    own=True,
    created_at=_THEN,
    links=StyleLinks(self=f"/v1/styles/{_OWN_ID}", image=f"/v1/styles/{_OWN_ID}/image"),
)
_UPLOAD = Upload(
    id="upl_abcdefghijklmnopqrstuvwxyz",
    media_type="image/jpeg",
    url="/v1/uploads/upl_abcdefghijklmnopqrstuvwxyz/file",
    fields={
        "key": "uploads/upl_abcdefghijklmnopqrstuvwxyz/file",
        "Content-Type": "image/jpeg",
        "policy": "eyJrZXkiOiAi…",
        "signature": "6d3f…",
    },
    max_bytes=33_554_432,
    expires_at=_THEN + timedelta(minutes=15),
)

EXAMPLES: dict[tuple[str, str], dict[str, BaseModel]] = {
    ("create_stylization", "200"): {"painted within the wait": _DONE},
    ("create_stylization", "202"): {"accepted": _QUEUED},
    ("list_stylizations", "200"): {"one page": Page[Stylization](items=[_DONE], next_cursor=None)},
    ("get_stylization", "200"): {"being painted": _RUNNING, "done": _DONE},
    ("cancel_stylization", "200"): {"canceled": _CANCELED},
    ("delete_stylization", "200"): {"deleted": _DELETED},
    ("list_styles", "200"): {"one page": Page[Style](items=[_BUILT_IN, _OWN], next_cursor=None)},
    ("create_style", "201"): {"created": _OWN},
    ("get_style", "200"): {"built in": _BUILT_IN, "your own": _OWN},
    ("create_upload", "201"): {"a form": _UPLOAD},
}
"""By operation and status, named examples."""


def complete(operation: str, status: str, response: dict[str, Any]) -> None:
    """Add headers and examples to a response of the contract."""
    names = ("X-Request-Id", *SHOWN.get((operation, status), ()))
    response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    examples = EXAMPLES.get((operation, status))
    if examples:
        shown = {name: {"value": model.model_dump(mode="json")} for name, model in examples.items()}
        response["content"]["application/json"]["examples"] = shown


def headers() -> dict[str, Any]:
    """Return the headers as OpenAPI components."""
    return {name: {"description": text, "schema": schema} for name, (text, schema) in HEADERS.items()}
