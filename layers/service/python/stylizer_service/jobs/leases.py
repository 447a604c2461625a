"""Job leases: a painter claims a job, sends heartbeats and ends it. Each step is one conditional write.

    queued ──claim──> running ──succeed / fail──> succeeded / failed
       ^                 │ └──release──> queued (not counted as an attempt)
       └─ lease expired ─┘ claimed again; after max_attempts: failed, painter-died

A painter that was presumed dead, or whose job was canceled, finds out at its next write, which raises `LeaseLost`.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Unpack

from stylizer_service.files import suffix
from stylizer_service.jobs.cleanup import discard
from stylizer_service.jobs.finish import End, end
from stylizer_service.models import RESULT_MEDIA_TYPES, Seconds
from stylizer_service.ports import Ports
from stylizer_service.problems import Problem, problem
from stylizer_service.records import Job, JobChanges, Precondition, ResultRecord
from stylizer_service.settings import Settings


class LeaseLost(Exception):
    """The painter no longer holds the job: it was canceled, or claimed by another painter."""


class GivenUp(Exception):
    """The job has exhausted its attempts and was ended as `painter-died`."""


def claim(ports: Ports, settings: Settings, job_id: str) -> Lease | None:
    """Claim a job that is queued, or running with an expired lease.

    Returns:
        The lease, or None if the job is gone, final or held by another painter.

    Raises:
        GivenUp: The job has exhausted its attempts; this call has ended it.
    """
    job = ports.jobs.get(job_id)
    now = ports.clock.now()
    when = claimable_when(job, now) if job else None
    if job is None or when is None:
        return None
    if job.status == "running" and job.attempt >= settings.max_attempts:
        if fail_exhausted(ports, settings, job, when, painter_died(job)):
            raise GivenUp(job_id)
        return None
    taken = ports.jobs.update(
        job_id,
        when,
        status="running",
        started_at=now,
        progress=0.0,
        preview_key=None,
        attempt=job.attempt + 1,
        lease_token=secrets.token_hex(8),
        lease_expires_at=now + timedelta(seconds=settings.lease_seconds),
    )
    if taken is None:
        return None
    if job.lease_token:
        discard(ports, job.work_folder)
    return Lease(ports, settings, taken)


def claimable_when(job: Job, now: datetime) -> Precondition | None:
    """Return the precondition for claiming an unleased job; None if it is leased or final."""
    if job.status == "queued":
        return Precondition(statuses=("queued",))
    if job.status == "running" and job.lease_expires_at is not None and job.lease_expires_at <= now:
        return Precondition(statuses=("running",), token=job.lease_token, lease_expired_by=now)
    return None


def fail_exhausted(ports: Ports, settings: Settings, job: Job, when: Precondition, error: Problem) -> bool:
    """Fail an unleased job with the given error; returns whether the precondition held."""
    if end(ports, settings, job, when, "failed", error=error) is None:
        return False
    if job.lease_token:
        discard(ports, job.work_folder)
    return True


def painter_died(job: Job) -> Problem:
    """Return the problem for a job whose painters all stopped sending heartbeats."""
    return problem("painter-died", f"the painter died {job.attempt} times while painting this; a smaller size may help")


def requeued(attempt: int) -> JobChanges:
    """Return the changes that put a claimed job back into the queue."""
    return {
        "status": "queued",
        "started_at": None,
        "progress": 0.0,
        "preview_key": None,
        "attempt": attempt,
        "lease_token": None,
        "lease_expires_at": None,
    }


class Lease:
    """One painter's lease on one job. `renew` may be called from another thread.

    Every method raises `LeaseLost` if the lease is lost, except `abandon`, which never does.
    """

    def __init__(self, ports: Ports, settings: Settings, job: Job):
        self.job = job
        self._ports = ports
        self._settings = settings
        self._when = Precondition(statuses=("running",), token=job.lease_token)

    def renew(self) -> None:
        """Send a heartbeat: extend the lease."""
        self._write(lease_expires_at=self._deadline())

    def report(self, progress: float, preview: bytes | None = None) -> None:
        """Report progress, 0-1, with an optional small JPEG preview. Renews the lease."""
        changes: JobChanges = {"progress": progress, "lease_expires_at": self._deadline()}
        if preview is not None:
            changes["preview_key"] = self._put_preview(preview)
        self._write(**changes)

    def succeed(self, image: bytes, *, preview: bytes, width: int, height: int, features: str | None = None) -> None:
        """Store the painting and end the job.

        Args:
            image: The encoded file, in the format the job asks for.
            preview: The same image as a small JPEG.
            width: Width, pixels.
            height: Height, pixels.
            features: The perceptual encoder used, if the method has one.
        """
        job, now = self.job, self._ports.clock.now()
        media_type = RESULT_MEDIA_TYPES[job.options.format]
        key = f"{job.work_folder}result.{suffix(job.options.format)}"
        self._ports.blobs.put(key, image, media_type)
        started_at = job.started_at or now
        result = ResultRecord(
            key=key,
            width=width,
            height=height,
            media_type=media_type,
            bytes=len(image),
            sha256=hashlib.sha256(image).hexdigest(),
            seconds=Seconds(
                queued=round((started_at - job.created_at).total_seconds(), 3),
                painting=round((now - started_at).total_seconds(), 3),
            ),
            features=features,
        )
        preview_key = self._put_preview(preview)
        try:
            self._end("succeeded", progress=1.0, result=result, preview_key=preview_key)
        except LeaseLost:
            # In a networked store a write can succeed with its response lost, and its retry then fails.
            if not self._has_won():
                raise

    def fail(self, error: Problem) -> None:
        """End the job with an error."""
        self._end("failed", error=error)
        self.abandon()

    def release(self, *, counts: bool = False) -> None:
        """Return the job to the queue unfinished: the painter is healthy but has to stop.

        Args:
            counts: Whether this counts as one of the job's attempts.
        """
        self._write(**requeued(self.job.attempt - (0 if counts else 1)))
        self.abandon()
        self._ports.dispatcher.send(self.job)

    def abandon(self) -> None:
        """Delete what this painter has written, unless it is the job's result."""
        if not self._has_won():
            discard(self._ports, self.job.work_folder)

    def _has_won(self) -> bool:
        job = self._ports.jobs.get(self.job.id)
        return job is not None and job.result is not None and job.result.key.startswith(self.job.work_folder)

    def _put_preview(self, preview: bytes) -> str:
        key = f"{self.job.work_folder}preview.jpg"
        self._ports.blobs.put(key, preview, "image/jpeg")
        return key

    def _end(self, how: End, **changes: Unpack[JobChanges]) -> None:
        if end(self._ports, self._settings, self.job, self._when, how, **changes) is None:
            raise LeaseLost(self.job.id)

    def _write(self, **changes: Unpack[JobChanges]) -> None:
        if self._ports.jobs.update(self.job.id, self._when, **changes) is None:
            raise LeaseLost(self.job.id)

    def _deadline(self) -> datetime:
        return self._ports.clock.now() + timedelta(seconds=self._settings.lease_seconds)
