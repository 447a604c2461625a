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
    expires_at: datetime = Field(description="Time at which the form expires.")


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
    own: bool = Field(description="Whether it is the caller's own style, not a built-in one.")
    created_at: datetime | None
    links: StyleLinks


class Seconds(BaseModel):
    """Seconds spent queued and painting."""

    queued: float
    painting: float


class Result(BaseModel):
    """A finished painting."""

    width: int
    height: int
    media_type: str
    bytes: int
    sha256: str
    url: str = Field(description="Short-lived signed link to the file.")
    seconds: Seconds
    features: str | None = Field(description="Encoder used; null for a method without one.")
    frames: int | None = Field(description="Number of frames of a clip; null for an image.")
    duration: float | None = Field(description="Duration of a clip in seconds; null for an image.")


class Variant(Result):
    """One painting of a stylization."""

    seed: int
    style_scale: float
    preview: str | None = Field(description="Link to a small JPEG of the variant.")


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
        description="Id of the upload; for a file in the form, `sha256:` and the digest of its bytes; or the URL, "
        "until the job is deleted or expires. The same applies to `styles`, and to both masks, which cannot be URLs."
    )
    styles: list[StyleWeight]
    mask: str | None
    content_mask: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    webhook: str | None
    preview: str | None = Field(description="Link to a preview; null until there is one.")
    variants: int = Field(description="Number of requested paintings.")
    result: Result | None = Field(description="The first of `results`; null until all variants are painted.")
    frames: int | None = Field(
        description="Number of frames of a clip; null for an image, and for a clip until it is painted."
    )
    results: list[Variant] = Field(description="The variants painted so far, in order.")
    error: Problem | None
    links: StylizationLinks


T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Pass as `cursor` to get the next page; null on the last page.")
