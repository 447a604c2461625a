"""Persistent records of the service, and the precondition of a conditional write.

Independent of the store, which keeps them as rows or items.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from stylizer.options import MethodName
from stylizer_service.models import ERASED_URL, FINAL, Backend, MediaType, PaintingOptions, Status, StyleWeight, is_url
from stylizer_service.problems import Problem
from stylizer_service.resources import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRecord:
    """A file that was registered, and is sent with a signed form."""

    id: str
    owner: str
    media_type: MediaType
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleRecord:
    """A custom style."""

    id: str
    owner: str
    title: str
    created_at: datetime
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRecord:
    """A finished painting.

    Attributes:
        key: Its file, in the folder of the lease that produced it.
        seed: Seed it was painted with; None for the one in the job's options.
        style_scale: Style scale it was painted with; None for the one in the job's options.
        preview_key: A small JPEG of it; None if that is the job's preview.
        frames: Number of frames of a clip; None for a picture.
        duration: Playing time of a clip, seconds; None for a picture.
    """

    key: str
    width: int
    height: int
    media_type: str
    bytes: int
    sha256: str
    seconds: Seconds
    features: str | None
    seed: int | None = None
    style_scale: float | None = None
    preview_key: str | None = None
    frames: int | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One stylization, with everything the painter needs.

    `content`, `styles`, `mask` and `content_mask` are as requested by the caller, with `SentFile.name` for files that
    came with the request. The job has all files itself, under `input_key`, so that it outlives the uploads it was made
    from.

    Attributes:
        attempt: Number of claims that were not released.
        lease_token: Identifies the current lease; new for each claim.
        lease_expires_at: When the painter is presumed dead unless it renews the lease.
        variants: Number of paintings to make of the photo.
        result: The first variant, once all have been painted.
        results: The variants painted so far. They survive the death of their painter: the next one paints the rest.
        frames: Number of frames of a clip; None for a picture, or if only the painters can read the clip.
        segments: For each painted segment of a clip, the token of the lease that painted it. Segments survive the death
            of their painter: the next one paints the rest. Of a clip in chunks, its key frames.
        boundaries: Of a clip in chunks (`jobs.chunks`), the first frame of each, and the number of frames; of a chunk
            its first frame and the one after its last. Empty for other jobs.
        parent_id: Of a chunk, the id of the job that it is a part of.
        backend: Backend that the job is dispatched to.
        webhook: URL to notify when the job has ended.
        notify_at: When the next delivery attempt is due; None if there is nothing to deliver, or not any more.
        notify_attempts: Number of delivery attempts started.
    """

    id: str
    owner: str
    status: Status
    method: MethodName
    options: PaintingOptions
    content: str
    styles: tuple[StyleWeight, ...]
    mask: str | None
    content_mask: str | None
    created_at: datetime
    expires_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: float = 0.0
    preview_key: str | None = None
    attempt: int = 0
    lease_token: str | None = None
    lease_expires_at: datetime | None = None
    result: ResultRecord | None = None
    error: Problem | None = None
    variants: int = 1
    results: tuple[ResultRecord, ...] = ()
    frames: int | None = None
    segments: tuple[str, ...] = ()
    boundaries: tuple[int, ...] = ()
    parent_id: str | None = None
    backend: Backend = "queue"
    webhook: str | None = None
    notify_at: datetime | None = None
    notify_attempts: int = 0

    @property
    def urls(self) -> dict[str, tuple[str, str]]:
        """The URL of each input that has one, with the field that it was given in, by the input's name."""
        found = {"content": (self.content, "content_url")}
        for index, entry in enumerate(self.styles):
            found[f"style-{index}"] = (entry.style, "style_url" if len(self.styles) == 1 else f"styles[{index}].style")
        return {name: (url, field) for name, (url, field) in found.items() if is_url(url)}

    @property
    def folder(self) -> str:
        """Prefix of all files of the job; deleting it deletes them all."""
        return f"jobs/{self.id}/"

    @property
    def has_painted(self) -> bool:
        """Whether a finished painting is in the current lease's folder."""
        done = (*self.results, self.result) if self.result else self.results
        return any(result.key.startswith(self.work_folder) for result in done)

    @property
    def work_folder(self) -> str:
        """Folder of the current lease's painter; no other painter writes to it."""
        return f"{self.folder}{self.lease_token}/"

    @property
    def segments_folder(self) -> str:
        """Folder of the painted segments of a clip."""
        return f"{self.folder}segments/"

    @property
    def chunks_folder(self) -> str:
        """Folder of the chunks of a clip, which has the folder of each."""
        return f"jobs/{self.parent_id or self.id}/chunks/"

    def segment_key(self, index: int, token: str) -> str:
        """Return the key of a segment of a clip, painted under the lease with that token."""
        return f"{self.segments_folder}{index:05}-{token}"

    def input_key(self, name: str) -> str:
        """Return the key of an input: "content", "mask", "content_mask", "style-<index>" or a style's mask."""
        return f"jobs/{self.parent_id or self.id}/{name}"


class JobChanges(TypedDict, total=False):
    """The mutable fields of a job."""

    status: Status
    content: str
    styles: tuple[StyleWeight, ...]
    expires_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: float
    preview_key: str | None
    attempt: int
    lease_token: str | None
    lease_expires_at: datetime | None
    result: ResultRecord | None
    results: tuple[ResultRecord, ...]
    segments: tuple[str, ...]
    boundaries: tuple[int, ...]
    error: Problem | None
    notify_at: datetime | None
    notify_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """Precondition of a conditional write: every field that is set must hold.

    Attributes:
        statuses: The job has one of these statuses.
        token: The job is held by this lease.
        lease_expired_by: The job's lease has expired by this time.
        notify_at: The next webhook attempt is due at exactly this time.
        progress_below: The job's progress is less than this.
    """

    statuses: tuple[Status, ...]
    token: str | None = None
    lease_expired_by: datetime | None = None
    notify_at: datetime | None = None
    progress_below: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """Binds an idempotency key to one request until `expires_at`."""

    owner: str
    key: str
    fingerprint: str
    job_id: str
    expires_at: datetime


def is_final(job: Job) -> bool:
    """Return whether the job has ended and only expiry remains."""
    return job.status in FINAL


def style_mask_key(index: int) -> str:
    """Return the name of the input that is the mask of style `index`, for `Job.input_key`."""
    return f"style-{index}-mask"


def expired_changes(job: Job) -> JobChanges:
    """Return the changes that mark a job expired once its files are deleted."""
    return {
        "status": "expired",
        "result": None,
        "results": (),
        "preview_key": None,
        "content": without_url(job.content),
        "styles": without_style_urls(job.styles),
    }


def without_url(photo: str) -> str:
    """Return a reference to an input, with a URL replaced by a placeholder, since it may contain secrets."""
    return ERASED_URL if is_url(photo) else photo


def without_style_urls(styles: tuple[StyleWeight, ...]) -> tuple[StyleWeight, ...]:
    """Return styles without URLs; see `without_url`."""
    return tuple(entry.model_copy(update={"style": without_url(entry.style)}) for entry in styles)
