"""Resources of the service as frozen dataclasses. Unknown members are ignored."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar

from stylizer_client.errors import InvalidResponse

Status = Literal["queued", "running", "succeeded", "failed", "canceled", "expired"]
ENDED: tuple[Status, ...] = ("succeeded", "failed", "canceled", "expired")
"""Terminal states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An uploaded file.

    Attributes:
        id: Refers to it in a stylization or a style.
        media_type: Declared media type.
        url: Where to post the form.
        fields: Fields of the form.
        max_bytes: Largest file that the form accepts.
        expires_at: When the form expires.
    """

    id: str
    media_type: str
    url: str
    fields: Mapping[str, str]
    max_bytes: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A style; `own` is true for styles of the caller."""

    id: str
    title: str
    own: bool
    artist: str | None = None
    year: str | None = None
    license: str | None = None
    description: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleWeight:
    """One of several styles; `mask` is the upload with the mask of where it paints, if any."""

    style: str
    weight: float = 1.0
    mask: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Time spent queued and painting, in seconds."""

    queued: float
    painting: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished painting: its size in pixels and bytes, its SHA-256, and a link that expires within minutes.

    Of a clip also the number of frames, and the playing time in seconds.
    """

    width: int
    height: int
    media_type: str
    bytes: int
    sha256: str
    url: str
    seconds: Seconds
    features: str | None = None
    frames: int | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant(Result):
    """One of the paintings of a job, with what sets it apart."""

    seed: int
    style_scale: float
    preview: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stylization:
    """A stylization job.

    Attributes:
        id: Identifier of the job.
        status: One of queued, running, succeeded, failed, canceled, expired.
        progress: 0 to 1.
        method: Method it is painted by.
        options: Every option, defaults included.
        content: Upload with the photo.
        styles: The styles, with weights and masks.
        created_at: When the job was accepted.
        started_at: When painting began.
        finished_at: When the job ended.
        expires_at: When the result expires.
        variants: Number of paintings asked for.
        frames: Number of frames of a clip; None of a picture.
        result: The painting, or the first of several, once the job has succeeded.
        results: The paintings finished so far.
        error: Members of the problem, once the job has failed.
    """

    id: str
    status: Status
    progress: float
    method: str
    options: Mapping[str, Any]
    content: str
    styles: tuple[StyleWeight, ...]
    created_at: datetime
    expires_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    mask: str | None = None
    content_mask: str | None = None
    webhook: str | None = None
    preview: str | None = None
    variants: int = 1
    frames: int | None = None
    result: Result | None = None
    results: tuple[Variant, ...] = ()
    error: Mapping[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the state is terminal; it may still expire."""
        return self.status in ENDED


T = TypeVar("T")


def parse(kind: type[T], value: object) -> T:
    """Build a resource from JSON.

    Raises:
        InvalidResponse: A member is missing or malformed.
    """
    try:
        made: T = _value(kind, value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidResponse(f"the response is not a {kind.__name__.lower()} of this service: {error!r}") from error
    return made


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(kind: Any, value: Any) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:  # here always something or None
        return None if value is None else _value(inner[0], value)
    if origin is tuple:
        return tuple(_value(inner[0], entry) for entry in value)
    if dataclasses.is_dataclass(kind):
        hints = _hints(typing.cast(type, kind))
        return typing.cast(Any, kind)(**{name: _value(hints[name], value[name]) for name in hints if name in value})
    if kind is datetime:
        return datetime.fromisoformat(value)
    return value
