"""What the use cases need of the outside world: files and SQLite can give it, and S3, DynamoDB and SQS can.

Rules every adapter keeps, and the contract tests check:

- A change of a job is one conditional write: it happens wholly, or not at all.
- Lists are newest first, by time and then id; a cursor names a place between two records, so that what is added
  meanwhile neither repeats nor hides anything.
- Deleting what is not there is no error, so that everything can be done twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Literal, Protocol, Unpack

from stylizer_service.models import Status
from stylizer_service.records import IdempotencyRecord, Job, JobChanges, Precondition, StyleRecord, UploadRecord


@dataclass(frozen=True, slots=True)
class UploadForm:
    """Where to send a file, and the fields to send before it."""

    url: str
    fields: dict[str, str]


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The time, in UTC, with a time zone."""


class Blobs(Protocol):
    """Files by key. A key is a path of plain names, such as "jobs/stz_…/content".

    Whether a file is there is asked of the store; what is written is there wholly or not at all.
    """

    def put(self, key: str, source: BinaryIO | bytes, media_type: str) -> int:
        """Store a file, replacing what was there. Returns its length in bytes."""

    def open(self, key: str) -> BinaryIO:
        """A seekable reader of a file; the caller closes it. Raises FileNotFoundError."""

    def size(self, key: str) -> int | None:
        """Length in bytes, or None if there is no such file."""

    def copy(self, source: str, target: str) -> None:
        """Make `target` a file of its own with what `source` holds now. Raises FileNotFoundError."""

    def delete_folder(self, prefix: str) -> None:
        """Delete every file whose key starts with the prefix, which ends with a slash."""

    def url(self, key: str, *, expires_at: datetime, filename: str) -> str:
        """A signed link that gives the file, to be saved under the given name."""

    def upload_form(self, key: str, *, media_type: str, max_bytes: int, expires_at: datetime) -> UploadForm:
        """A signed form that lets its holder store one file of that type, up to that length, at that key."""


class Jobs(Protocol):
    """The jobs and the idempotency keys, which are written together."""

    def create(self, job: Job, idempotency: IdempotencyRecord | None, now: datetime) -> IdempotencyRecord | None:
        """Store a new job and its key in one transaction.

        Returns:
            None when both are stored. If the key was taken and has not expired by `now`: the record it
            belongs to, and nothing is stored.
        """

    def get(self, job_id: str) -> Job | None:
        """The job, or None."""

    def page(
        self, owner: str, *, limit: int, cursor: str | None, status: Status | None
    ) -> tuple[list[Job], str | None]:
        """A page of the owner's jobs and the cursor of the next, if there is one. Raises `BadCursor`."""

    def update(self, job_id: str, when: Precondition, **changes: Unpack[JobChanges]) -> Job | None:
        """Apply the changes if the condition holds, in one write.

        Returns:
            The job after the write, or None if there is no such job or the condition does not hold.
        """

    def find_key(self, owner: str, key: str, now: datetime) -> IdempotencyRecord | None:
        """What an idempotency key stands for, unless it has expired."""

    def due(self, status: Status, now: datetime, *, limit: int) -> list[Job]:
        """Some jobs in that status whose `expires_at` has passed, longest first."""

    def with_expired_lease(self, now: datetime, *, limit: int) -> list[Job]:
        """Some running jobs whose lease has run out."""

    def with_pending_webhook(self, now: datetime, *, limit: int) -> list[Job]:
        """Some jobs whose `notify_at` has passed, longest first."""

    def delete(self, job_id: str) -> None:
        """Forget a job."""


class Uploads(Protocol):
    """The records of uploads."""

    def put(self, upload: UploadRecord) -> None:
        """Store or replace a record."""

    def get(self, upload_id: str) -> UploadRecord | None:
        """The record, or None."""

    def due(self, now: datetime, *, limit: int) -> list[UploadRecord]:
        """Some uploads whose `expires_at` has passed, longest first."""

    def delete(self, upload_id: str) -> None:
        """Forget an upload."""


class Styles(Protocol):
    """The records of callers' own styles."""

    def put(self, style: StyleRecord) -> None:
        """Store a record."""

    def get(self, style_id: str) -> StyleRecord | None:
        """The record, or None."""

    def page(self, owner: str, *, limit: int, cursor: str | None) -> tuple[list[StyleRecord], str | None]:
        """A page of the owner's styles and the cursor of the next, if there is one. Raises `BadCursor`."""

    def delete(self, style_id: str) -> None:
        """Forget a style."""


class Intake(Protocol):
    """Has room for what callers bring, or says that there is none, before any of it is kept."""

    def upload(self, owner: str) -> None:
        """Raise `too-many-uploads` or `storage-full` if the owner may not announce or send one more."""

    def room(self) -> None:
        """Raise `storage-full` if there is no room for any file."""

    def file(self, length: int) -> AbstractContextManager[None]:
        """Keep room for a file of so many bytes while it is written. Raises `storage-full` if there is none."""

    def style(self, owner: str) -> None:
        """Raise `too-many-styles` if the owner has as many as they may."""

    def job(self, job: Job) -> None:
        """Raise `queue-full` or `storage-full` if the owner has too many waiting, or the painting no room."""


class NoLimits:
    """Port `Intake` where a gateway counts for each caller, and there is no end to the store."""

    def upload(self, owner: str) -> None:
        """All are welcome."""

    def room(self) -> None:
        """There is."""

    def file(self, length: int) -> AbstractContextManager[None]:  # noqa: ARG002
        """All are welcome."""
        return nullcontext()

    def style(self, owner: str) -> None:
        """All are welcome."""

    def job(self, job: Job) -> None:
        """All are welcome."""


_UNLIMITED = NoLimits()


Trace = Literal["sent", "unsent", "no-way"]
"""Of a job that waits: it was sent or nobody can tell, it never reached the present painters, or there are none."""


class Dispatcher(Protocol):
    """Brings jobs to painters, each at least once."""

    def send(self, job: Job) -> None:
        """Have the job painted the way it says. Sending one twice does no harm: only one painter can claim it."""

    def depth(self) -> int:
        """About how many jobs are waiting."""

    def trace(self, job: Job) -> Trace:
        """What became of the sending of a job that is still waiting, as far as can be told."""


class Notifier(Protocol):
    """Wakes whoever tells callers that their jobs have ended (`webhooks.deliver`)."""

    def send(self, job_id: str, *, delay: float = 0.0) -> None:
        """Have a try made after `delay` seconds, or somewhat earlier or later. What is due stands in the job itself."""


class BadCursor(ValueError):
    """The cursor was not made by this list."""


class Unavailable(Exception):
    """A store does not answer, or is asked too much, and has been asked again for a while: later it may work.

    Any method of any port may raise this where there is a network in between. Whether a write has happened is open.
    """


class StorageFull(Unavailable):
    """A store holds no more: once something has been deleted it may work."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One set of adapters.

    Attributes:
        webhook_key: Gives the secret of at least 32 bytes that the secrets of all callers are derived from; None where
            there is none, and so no webhooks.
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
