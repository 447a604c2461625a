"""What the service answers with, as frozen dataclasses. Members that this version does not know are ignored."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar

from stylizer_client.errors import BadAnswer

Status = Literal["queued", "running", "succeeded", "failed", "canceled", "expired"]
ENDED: tuple[Status, ...] = ("succeeded", "failed", "canceled", "expired")
"""The states in which a painting stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that the service has been sent.

    Attributes:
        id: Names it in a stylization or a style.
        media_type: What it was announced as.
        url: Where its form was posted to.
        fields: Of the form.
        max_bytes: Largest file that the form takes.
        expires_at: Until when the form is taken.
    """

    id: str
    media_type: str
    url: str
    fields: Mapping[str, str]
    max_bytes: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A style to paint in; `own` says whether it is the caller's rather than built in."""

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
    """One style of a blend."""

    style: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Where the time went."""

    queued: float
    painting: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished painting: its size in pixels and bytes, its SHA-256, and a link that is valid for some minutes."""

    width: int
    height: int
    media_type: str
    bytes: int
    sha256: str
    url: str
    seconds: Seconds
    features: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stylization:
    """A painting, from the wish to the result.

    Attributes:
        id: Names it.
        status: One of queued, running, succeeded, failed, canceled, expired.
        progress: 0 to 1.
        method: How it is painted.
        options: Every control, with the defaults filled in.
        content: The upload that holds the photo.
        styles: The blend.
        created_at: When it was accepted.
        started_at: When a painter began.
        finished_at: When it ended.
        expires_at: Until when the result can be fetched.
        result: What came out, once it has succeeded.
        error: The members of the problem, once it has failed.
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
    result: Result | None = None
    error: Mapping[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more, but that it expires."""
        return self.status in ENDED


T = TypeVar("T")


def parse(kind: type[T], value: object) -> T:
    """Make a resource of JSON.

    Raises:
        BadAnswer: Something is missing, or is not what it should be.
    """
    try:
        made: T = _value(kind, value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadAnswer(f"the answer is no {kind.__name__.lower()} as this service gives it: {error!r}") from error
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
