"""Problems that each call can return, for the contract. Tests check every response they receive against it."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from itertools import groupby
from typing import Any

from stylizer_service.problems import KINDS, problem

MEDIA_TYPE = "application/problem+json"

WITH_KEY: tuple[str, ...] = ("missing-api-key", "throttled")
"""Additional problems of calls that require an API key."""
PUBLIC: tuple[str, ...] = ("throttled",)
"""Additional problems of public calls in a deployment with API keys."""
WITHOUT_KEYS: tuple[str, ...] = ("foreign-site",)
"""Additional problems of all calls in a local deployment without API keys."""

RETRY_AFTER: dict[int, int] = {
    HTTPStatus.TOO_MANY_REQUESTS: 10,
    HTTPStatus.SERVICE_UNAVAILABLE: 10,
    HTTPStatus.INSUFFICIENT_STORAGE: 60,  # the retention sweep frees space once a minute
}
"""Default Retry-After in seconds by status; a response may set a better one."""

STILL_PAINTED: dict[str, int] = {
    "get_stylization_image": HTTPStatus.CONFLICT,
    "get_stylization_preview": HTTPStatus.NOT_FOUND,
}
"""By operation, the status that carries Retry-After while the stylization has not ended."""

_ANY = ("internal", "unavailable")
_BODY = ("malformed-json", "invalid-request", "unsupported-media-type", "too-large")
_UPLOAD = ("not-found", "upload-incomplete", "expired")
_PICTURE = (
    "empty-image",
    "unsupported-image",
    "corrupt-image",
    "image-too-large",
    "too-many-pixels",
    "image-too-small",
    "extreme-aspect-ratio",
)
_CLIP = ("clip-too-long", "missing-video-support")
_REQUEST = ("invalid-option", "unknown-style", "mask-mismatch", "idempotency-mismatch", "queue-full")
_QUOTA = ("too-many-uploads", "storage-full")

PROBLEMS: dict[str, tuple[str, ...]] = {
    "create_stylization": (*_BODY, *_UPLOAD, *_PICTURE, *_CLIP, *_REQUEST, *_QUOTA),
    "list_stylizations": ("invalid-request",),
    "get_stylization": ("not-found",),
    "get_stylization_image": ("invalid-request", "not-found", "conflict", "expired"),
    "get_stylization_preview": ("invalid-request", "not-found", "expired"),
    "cancel_stylization": ("not-found", "conflict", "storage-full"),
    "delete_stylization": ("not-found", "storage-full"),
    "list_styles": ("invalid-request",),
    "create_style": (*_BODY, *_UPLOAD, *_PICTURE, "too-many-styles", "storage-full"),
    "get_style": ("not-found",),
    "get_style_image": ("not-found",),
    "delete_style": ("not-found", "conflict", "storage-full"),
    "create_upload": (*_BODY, *_QUOTA),
    "delete_upload": ("not-found", "storage-full"),
    "get_webhook_secret": ("not-found",),
    "get_health": (),
}
"""By operation, the codes of `stylizer_service.problems` besides those that every call can return."""

_DETAILS: dict[str, tuple[str, str | None, str | list[str] | None]] = {
    "malformed-json": ("the body is not valid JSON: Expecting value: line 1 column 10 (char 9)", None, "JSON"),
    "invalid-request": (
        "size is 10; it must be a whole number from 64 to 8192, or original",
        "size",
        "a whole number from 64 to 8192, or original",
    ),
    "unsupported-media-type": ("the body is text/plain", "Content-Type", ["application/json"]),
    "too-large": ("the body is too long", None, "at most 262144 bytes"),
    "missing-api-key": ("this call requires an API key", "X-Api-Key", "a valid key"),
    "not-found": ("there is no upload 'upl_abcdefghijklmnopqrstuvwxyz'", "content", None),
    "upload-incomplete": (
        "no file has been sent for the upload 'upl_abcdefghijklmnopqrstuvwxyz' yet",
        "content",
        "an upload whose form has been sent",
    ),
    "expired": ("the upload 'upl_abcdefghijklmnopqrstuvwxyz' has expired: its files are deleted", "content", None),
    "empty-image": ("the photo is empty: it has 0 bytes", "content", "at least 1 byte"),
    "unsupported-image": ("the photo is not an image in a supported format", "content", ["image/jpeg", "image/png"]),
    "corrupt-image": ("the photo is damaged or truncated", "content", "a complete image file"),
    "image-too-large": (
        "the photo has 40,000,000 bytes; allowed: at most 33,554,432 bytes",
        "content",
        "at most 33,554,432 bytes",
    ),
    "too-many-pixels": (
        "the photo is 30,000 x 30,000 pixels; allowed: at most 50 megapixels",
        "content",
        "at most 50 megapixels",
    ),
    "image-too-small": (
        "the photo is 8 x 8 pixels; it must have at least 16 pixels a side",
        "content",
        "at least 16 pixels a side",
    ),
    "extreme-aspect-ratio": (
        "the photo is 4,000 x 100 pixels; it may be at most 16 times as long as wide",
        "content",
        "at most 16 times as long as wide",
    ),
    "clip-too-long": (
        "the clip has more than 1,800 frames; allowed: at most 1,800 frames",
        "content",
        "at most 1,800 frames",
    ),
    "missing-video-support": ("the clip is a video, and this service reads no videos", "content", None),
    "invalid-option": (
        "size is 4096; it must be 64 to 2048 pixels with method texture",
        "size",
        "64 to 2048 pixels with method texture",
    ),
    "unknown-style": (
        "there is no style 'cubist'; give the id of a built-in one, of your own, or of an upload",
        "style",
        ["mosaic", "woodcut"],
    ),
    "mask-mismatch": ("mask is 10 x 10 pixels, the photo is 48 x 32", "mask", "a picture of 48 x 32 pixels"),
    "idempotency-mismatch": (
        "this Idempotency-Key was used for another request; use a new key for a new request",
        "Idempotency-Key",
        None,
    ),
    "foreign-site": (
        "cross-origin request refused: a page of 'https://example.com' may not change data here",
        "Origin",
        None,
    ),
    "throttled": ("too many requests with this key; try again in a moment", None, None),
    "queue-full": ("too many stylizations are queued; try again later", None, "at most 1000 queued"),
    "too-many-uploads": (
        "too many of your uploads are stored; delete some, or wait until they expire",
        None,
        "at most 10000 at a time",
    ),
    "too-many-styles": (
        "you have reached the maximum number of styles; delete one first",
        None,
        "at most 200 of your own",
    ),
    "storage-full": ("storage quota exceeded; try again when files have expired", None, None),
    "conflict": ("the stylization is running: there is no image", None, "a stylization that has succeeded"),
    "internal": ("the server failed to process this request; see its log", None, None),
    "unavailable": ("a store of this service is unavailable; try again later", None, None),
}


def kinds_of(operation: str, access: Iterable[str]) -> list[str]:
    """Return every known problem code that an operation can return.

    Args:
        operation: Operation id.
        access: Codes of the access mode: `WITH_KEY`, `PUBLIC` or `WITHOUT_KEYS`.
    """
    return [*PROBLEMS.get(operation, ()), *access, *_ANY]


def responses(operation: str, kinds: Iterable[str]) -> dict[str, Any]:
    """Return an operation's OpenAPI responses for problem codes: one per status, with an example of each code."""
    again = {*RETRY_AFTER, STILL_PAINTED.get(operation)}
    by_status = sorted(kinds, key=_status)
    return {
        str(status): _response(list(some), with_retry=status in again) for status, some in groupby(by_status, _status)
    }


def _status(kind: str) -> int:
    return KINDS[kind][0]


def _response(kinds: list[str], *, with_retry: bool) -> dict[str, Any]:
    names = ["X-Request-Id", *(["Retry-After"] if with_retry else [])]
    return {
        "description": "\n".join(f"- `{kind}`: {KINDS[kind][1]}." for kind in kinds),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {kind: {"value": _example(kind)} for kind in kinds},
            }
        },
    }


def _example(kind: str) -> dict[str, Any]:
    detail, field, allowed = _DETAILS[kind]
    made = problem(kind, detail, field=field, allowed=allowed)
    return made.model_copy(update={"request_id": "5f0c1d9a7be24c33a1d0e6b2"}).model_dump(mode="json")
