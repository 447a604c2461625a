"""Persistent records of the service, and the precondition of a conditional write.

Independent of the store, which keeps them as rows or items.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from stylizer.options import MethodName
from stylizer_service.models import FINAL, Backend, MediaType, PaintingOptions, Seconds, Status, StyleWeight
from stylizer_service.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRecord:
    """A file that was registered or stored.

    `sha256` is set only for files received by this service itself. It replaces the id in request fingerprints, because
    such a file gets a new id each time it is sent.
    """

    id: str
    owner: str
    media_type: MediaType
    created_at: datetime
    expires_at: datetime
    sha256: str | None = None


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
    """A finished painting; `key` is its file, in the folder of the lease that produced it."""

    key: str
    width: int
    height: int
    media_type: str
    bytes: int
    sha256: str
    seconds: Seconds
    features: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One stylization, with everything the painter needs.

    `content`, `styles`, `mask` and `content_mask` are as requested by the caller; the files are the job's own copies
    under `input_key`, so that it outlives the uploads it was made from.

    Attributes:
        attempt: Number of claims that were not released.
        lease_token: Identifies the current lease; new for each claim.
        lease_expires_at: When the painter is presumed dead unless it renews the lease.
        way: Backend that the job is dispatched to.
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
    way: Backend = "queue"
    webhook: str | None = None
    notify_at: datetime | None = None
    notify_attempts: int = 0

    @property
    def folder(self) -> str:
        """Prefix of all files of the job; deleting it deletes them all."""
        return f"jobs/{self.id}/"

    @property
    def work_folder(self) -> str:
        """Folder of the current lease's painter; no other painter writes to it."""
        return f"{self.folder}{self.lease_token}/"

    def input_key(self, name: str) -> str:
        """Return the key of an input: "content", "mask", "content_mask" or "style-<index>"."""
        return f"{self.folder}{name}"


class JobChanges(TypedDict, total=False):
    """The mutable fields of a job."""

    status: Status
    expires_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: float
    preview_key: str | None
    attempt: int
    lease_token: str | None
    lease_expires_at: datetime | None
    result: ResultRecord | None
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
    """

    statuses: tuple[Status, ...]
    token: str | None = None
    lease_expired_by: datetime | None = None
    notify_at: datetime | None = None


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
