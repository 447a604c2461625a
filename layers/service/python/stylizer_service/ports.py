"""Ports: the interfaces to storage and messaging, implemented on SQLite and files, and on S3, DynamoDB and SQS.

Rules for every adapter, enforced by the contract tests:

- A change of a job is one conditional write: it is applied completely or not at all.
- Lists are sorted newest first, by time and then id; a cursor is a position between two records, so that concurrent
  inserts neither repeat nor hide records.
- Deleting something that does not exist is not an error, so that deletion is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Literal, Protocol, Unpack

from stylizer_service.models import Status
from stylizer_service.records import IdempotencyRecord, Job, JobChanges, Precondition, StyleRecord, UploadRecord


@dataclass(frozen=True, slots=True)
class UploadForm:
    """URL to post a file to, and the form fields to send before it."""

    url: str
    fields: dict[str, str]


class Clock(Protocol):
    """Time source."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""


class Blobs(Protocol):
    """File store. A key is a path of plain names, such as "jobs/stz_…/content".

    Existence is determined by the store itself; writes are atomic.
    """

    def put(self, key: str, source: BinaryIO | bytes, media_type: str) -> int:
        """Store a file, replacing an existing one. Returns its length in bytes."""

    def open(self, key: str) -> BinaryIO:
        """Return a seekable reader, to be closed by the caller. Raises FileNotFoundError."""

    def size(self, key: str) -> int | None:
        """Return the length in bytes, or None if there is no such file."""

    def copy(self, source: str, target: str) -> None:
        """Copy the current content of `source` to an independent file `target`. Raises FileNotFoundError."""

    def delete_folder(self, prefix: str) -> None:
        """Delete every file whose key starts with the prefix, which must end with a slash."""

    def url(self, key: str, *, expires_at: datetime, filename: str) -> str:
        """Return a signed link to the file, with a file name for saving it."""

    def upload_form(self, key: str, *, media_type: str, max_bytes: int, expires_at: datetime) -> UploadForm:
        """Return a signed form for storing one file at that key, of that type and up to that length."""


class Jobs(Protocol):
    """Store of jobs and idempotency keys, which are written in one transaction."""

    def create(self, job: Job, idempotency: IdempotencyRecord | None, now: datetime) -> IdempotencyRecord | None:
        """Store a new job and its idempotency key in one transaction.

        Returns:
            None if both were stored. If the key exists and has not expired by `now`: its record, and nothing is stored.
        """

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""

    def get_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Return those of the jobs that exist, in the order of the ids."""

    def page(
        self, owner: str, *, limit: int, cursor: str | None, status: Status | None
    ) -> tuple[list[Job], str | None]:
        """Return a page of the owner's jobs and the next page's cursor, if any. Raises `BadCursor`."""

    def update(self, job_id: str, when: Precondition, **changes: Unpack[JobChanges]) -> Job | None:
        """Apply the changes if the precondition holds, in one write.

        Returns:
            The job after the write, or None if there is no such job or the precondition does not hold.
        """

    def find_key(self, owner: str, key: str, now: datetime) -> IdempotencyRecord | None:
        """Return the record of an idempotency key, or None if unknown or expired."""

    def due(self, status: Status, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` jobs in that status whose `expires_at` has passed, oldest first."""

    def with_expired_lease(self, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` running jobs with an expired lease."""

    def with_pending_webhook(self, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` jobs whose `notify_at` has passed, oldest first."""

    def delete(self, job_id: str) -> None:
        """Delete a job record."""


class Uploads(Protocol):
    """Store of upload records."""

    def put(self, upload: UploadRecord) -> None:
        """Store or replace a record."""

    def get(self, upload_id: str) -> UploadRecord | None:
        """Return the record, or None."""

    def due(self, now: datetime, *, limit: int) -> list[UploadRecord]:
        """Return up to `limit` uploads whose `expires_at` has passed, oldest first."""

    def delete(self, upload_id: str) -> None:
        """Delete an upload record."""


class Styles(Protocol):
    """Store of custom style records."""

    def put(self, style: StyleRecord) -> None:
        """Store a record."""

    def get(self, style_id: str) -> StyleRecord | None:
        """Return the record, or None."""

    def page(self, owner: str, *, limit: int, cursor: str | None) -> tuple[list[StyleRecord], str | None]:
        """Return a page of the owner's styles and the next page's cursor, if any. Raises `BadCursor`."""

    def delete(self, style_id: str) -> None:
        """Delete a style record."""


class Intake(Protocol):
    """Quota checks, made before anything is stored."""

    def upload(self, owner: str) -> None:
        """Raise `too-many-uploads` or `storage-full` if the owner may not create or send another upload."""

    def check_space(self) -> None:
        """Raise `storage-full` if there is no space for any file."""

    def file(self, length: int) -> AbstractContextManager[None]:
        """Reserve `length` bytes while a file is written. Raises `storage-full` if there is not enough space."""

    def style(self, owner: str) -> None:
        """Raise `too-many-styles` if the owner has reached the limit."""

    def job(self, job: Job) -> None:
        """Raise `queue-full` if the owner has too many waiting jobs, `storage-full` if the painting would not fit."""


class NoLimits:
    """Port `Intake` without limits: for stages where a gateway throttles callers and storage is unbounded."""

    def upload(self, owner: str) -> None:
        """Accept."""

    def check_space(self) -> None:
        """Accept."""

    def file(self, length: int) -> AbstractContextManager[None]:  # noqa: ARG002
        """Accept."""
        return nullcontext()

    def style(self, owner: str) -> None:
        """Accept."""

    def job(self, job: Job) -> None:
        """Accept."""


_UNLIMITED = NoLimits()


Trace = Literal["sent", "unsent", "no-backend"]
"""State of a waiting job: sent (or unknown), never sent to the current painters, or its backend does not exist."""


class Dispatcher(Protocol):
    """Sends jobs to painters, at least once."""

    def send(self, job: Job) -> None:
        """Send the job to its backend. Sending twice is harmless: only one painter can claim it."""

    def depth(self) -> int:
        """Return the approximate number of waiting jobs."""

    def trace(self, job: Job) -> Trace:
        """Return what is known about whether a waiting job was sent."""


class Notifier(Protocol):
    """Wakes the webhook worker (`webhooks.delivery.deliver`)."""

    def send(self, job_id: str, *, delay: float = 0.0) -> None:
        """Request a delivery attempt after about `delay` seconds. Whether one is due is recorded in the job itself."""


class BadCursor(ValueError):
    """The cursor does not belong to this list."""


class Unavailable(Exception):
    """A store is unreachable or throttling even after retries; the operation may succeed later.

    Any method of any port with a network in between may raise this. A write may or may not have been applied.
    """


class StorageFull(Unavailable):
    """A store is full; writes may succeed after something has been deleted."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One set of adapters.

    Attributes:
        webhook_key: Returns the master secret, at least 32 bytes, from which callers' signing secrets are derived; None
            disables webhooks.
    """

    jobs: Jobs
    uploads: Uploads
    styles: Styles
    blobs: Blobs
    dispatcher: Dispatcher
    notifier: Notifier
    clock: Clock
    intake: Intake = _UNLIMITED
    webhook_key: Callable[[], bytes] | None = None
