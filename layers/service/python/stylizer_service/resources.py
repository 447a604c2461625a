"""API resources: what the service answers with."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from stylizer.options import MethodName
from stylizer_service.models import MediaType, PaintingOptions, Status, StyleWeight
from stylizer_service.problems import Problem


class Upload(BaseModel):
    """How to send the file: a form POST to `url` with `fields` followed by the file as `file`."""

    id: str
    media_type: MediaType
    url: str
    method: Literal["POST"] = "POST"
    fields: dict[str, str]
    max_bytes: int
    expires_at: datetime = Field(description="Until when the form is taken.")


class StyleLinks(BaseModel):
    """Links of a style."""

    self: str
    image: str


class Style(BaseModel):
    """A style."""

    id: str
    title: str
    artist: str | None
    year: str | None
    license: str | None
    description: str | None
    own: bool = Field(description="Whether it is the caller's own rather than built in.")
    created_at: datetime | None
    links: StyleLinks


class Seconds(BaseModel):
    """Time spent queued and painting, seconds."""

    queued: float
    painting: float


class Result(BaseModel):
    """A finished painting."""

    width: int
    height: int
    media_type: str
    bytes: int
    sha256: str
    url: str = Field(description="A signed link to the file, valid for a short while.")
    seconds: Seconds
    features: str | None = Field(description="The perceptual features used; null for a method that uses none.")
    frames: int | None = Field(description="Number of frames of a clip; null for a picture.")
    duration: float | None = Field(description="Playing time of a clip, seconds; null for a picture.")


class Variant(Result):
    """One of the paintings of a stylization."""

    seed: int
    style_scale: float
    preview: str | None = Field(description="Where a small JPEG of it is.")


class StylizationLinks(BaseModel):
    """Links of a stylization."""

    self: str
    image: str
    cancel: str


class Stylization(BaseModel):
    """A stylization job and its result."""

    id: str
    status: Status
    progress: float = Field(ge=0, le=1)
    method: MethodName
    options: PaintingOptions
    content: str = Field(
        description="The upload; for a file that was sent in the form, `sha256:` and the digest of its bytes; or the "
        "URL, until the job is deleted or expires. The same goes for `styles`, and except for URLs for both masks."
    )
    styles: list[StyleWeight]
    mask: str | None
    content_mask: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    webhook: str | None
    preview: str | None = Field(description="Where to see how far it is; null until there is something to see.")
    variants: int = Field(description="How many paintings were asked for.")
    result: Result | None = Field(description="The painting, the first of `results`; null until all have been painted.")
    frames: int | None = Field(
        description="Number of frames of a clip; null of a picture, and of a clip until it is painted."
    )
    results: list[Variant] = Field(description="The variants that have been painted so far, the first one first.")
    error: Problem | None
    links: StylizationLinks


T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Give this as `cursor` to get the next page; null on the last.")
