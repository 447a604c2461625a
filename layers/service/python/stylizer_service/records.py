"""What the service remembers: plain records, and the condition a change of one can hang on.

A store keeps them as rows or items; none of this knows which.
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
    """A file that was announced or stored.

    `sha256` is known only of files that came in through this service itself; it stands for the file in the
    fingerprint of a request, because such a file gets a new id each time it is sent.
    """

    id: str
    owner: str
    media_type: MediaType
    created_at: datetime
    expires_at: datetime
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleRecord:
    """A style of a caller's own."""

    id: str
    owner: str
    title: str
    created_at: datetime
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRecord:
    """A finished painting; `key` names its file, which lies under the folder of the lease that made it."""

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
    """One stylization with what the painter needs to know.

    `content`, `styles`, `mask` and `content_mask` say what the caller asked for; the files lie under
    `input_key` and are the job's own, so that it outlives the uploads it was made from.

    Attributes:
        attempt: How many painters have taken it and not handed it back.
        lease_token: Names the painter that holds it now; a new one each time it is taken.
        lease_expires_at: When that painter is taken for dead unless it says something.
        way: Which painters it goes to.
        webhook: Who is to be told when it has ended.
        notify_at: When the next try to tell them is due; None while there is nothing to tell, or no more.
        notify_attempts: How many tries have begun.
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
        """Where all files of the job lie; to delete it is to delete them all."""
        return f"jobs/{self.id}/"

    @property
    def work_folder(self) -> str:
        """Where the present painter writes; no other painter ever writes there."""
        return f"{self.folder}{self.lease_token}/"

    def input_key(self, name: str) -> str:
        """Where an input lies: "content", "mask", "content_mask" or "style-<index>"."""
        return f"{self.folder}{name}"


class JobChanges(TypedDict, total=False):
    """The parts of a job that change in its life."""

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
    """The condition of a conditional write: every part that is given must hold.

    Attributes:
        statuses: The job is in one of these.
        token: This lease holds it.
        lease_expired_by: Its lease has run out by this time.
        notify_at: The next try to tell its caller is due at exactly this time.
    """

    statuses: tuple[Status, ...]
    token: str | None = None
    lease_expired_by: datetime | None = None
    notify_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """The promise that a key stands for one request, kept until `expires_at`."""

    owner: str
    key: str
    fingerprint: str
    job_id: str
    expires_at: datetime


def is_final(job: Job) -> bool:
    """Whether nothing more will happen to it but expiry."""
    return job.status in FINAL
