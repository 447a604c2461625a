"""Job leases: a painter claims a job, sends heartbeats and finishes it. Each step is one conditional write.

    queued ──claim──> running ──succeed / fail──> succeeded / failed
       ^                 │ └──release──> queued (not counted as an attempt)
       └─ lease expired ─┘ claimed again; after max_attempts: failed, painter-died

A painter that was presumed dead, or whose job was canceled, finds out at its next write, which raises `LeaseLost`.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict, Unpack

from stylizer_service.files import suffix
from stylizer_service.jobs import chunks
from stylizer_service.jobs.cleanup import discard, discard_unfinished
from stylizer_service.jobs.finish import TerminalStatus, end
from stylizer_service.models import RESULT_MEDIA_TYPES
from stylizer_service.ports import Ports
from stylizer_service.problems import Problem, problem
from stylizer_service.records import Job, JobChanges, Precondition, ResultRecord
from stylizer_service.resources import Seconds
from stylizer_service.settings import Settings


class VariantMetadata(TypedDict):
    """Metadata of a finished variant.

    Attributes:
        preview: The same image as a small JPEG.
        width: Width, pixels.
        height: Height, pixels.
        features: The perceptual encoder used, if the method has one.
        frames: Number of frames, of a clip.
        duration: Playing time in seconds, of a clip.
        seed: Seed, if it is not the one in the job's options.
        style_scale: Style scale, if it is not the one in the job's options.
        seconds: Painting time, if earlier painters contributed to it; by default since the claim.
    """

    preview: bytes
    width: int
    height: int
    features: NotRequired[str | None]
    frames: NotRequired[int]
    duration: NotRequired[float]
    seed: NotRequired[int]
    style_scale: NotRequired[float]
    seconds: NotRequired[float]


class LeaseLost(Exception):
    """The painter no longer holds the job: it was canceled, or claimed by another painter."""


class AttemptsExhausted(Exception):
    """The job has exhausted its attempts and was failed as `painter-died`."""


def claim(ports: Ports, settings: Settings, job_id: str) -> Lease | None:
    """Claim a job that is queued, or running with an expired lease.

    Returns:
        The lease, or None if the job is gone, final or held by another painter.

    Raises:
        AttemptsExhausted: The job has exhausted its attempts; this call has ended it.
    """
    job = ports.jobs.get(job_id)
    now = ports.clock.now()
    when = claimable_when(job, now) if job else None
    if job is None or when is None:
        return None
    if job.parent_id and not chunks.is_parent_active(ports, job):
        chunks.cancel_chunk(ports, settings, job)
        return None
    if chunks.is_waiting(job) and not chunks.is_complete(ports, settings, job):
        return None
    if job.status == "running" and job.attempt >= settings.max_attempts:
        if fail_exhausted(ports, settings, job, when, painter_died(job)):
            raise AttemptsExhausted(job_id)
        return None
    taken = ports.jobs.update(
        job_id,
        when,
        status="running",
        started_at=job.started_at if chunks.is_waiting(job) else now,
        progress=job.progress if job.segments else len(job.results) / job.variants,
        preview_key=job.preview_key if job.boundaries else None,
        attempt=job.attempt + 1,
        lease_token=secrets.token_hex(8),
        lease_expires_at=now + timedelta(seconds=settings.lease_seconds),
    )
    if taken is None:
        return None
    discard_unfinished(ports, job)
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
        self._variant_started_at: datetime | None = None  # None for the first variant

    def renew(self) -> None:
        """Send a heartbeat: extend the lease."""
        self._write(lease_expires_at=self._deadline())
        if self.job.parent_id:
            chunks.report_progress(self._ports, self.job.id)

    def report(self, progress: float, preview: bytes | None = None) -> None:
        """Report progress, 0-1, with an optional small JPEG preview. Renews the lease."""
        changes: JobChanges = {"lease_expires_at": self._deadline()}
        if not self.job.boundaries or self.job.parent_id:
            changes["progress"] = progress
        # else: key frames are a small part, and the painters of the chunks report the progress of the clip.
        if preview is not None:
            # The painters of a clip in chunks share one preview.
            folder = self.job.chunks_folder if self.job.boundaries else ""
            changes["preview_key"] = self._put_preview(preview, folder=folder)
        self._write(**changes)

    def succeed(self, image: bytes, **metadata: Unpack[VariantMetadata]) -> None:
        """Store the painting, or the last variant of it, and end the job.

        Args:
            image: The encoded file, in the format the job asks for.
            metadata: Recorded with it.
        """
        results = (*self.job.results, self._put_result(image, **metadata))
        first = results[0]
        try:
            self._end("succeeded", progress=1.0, result=first, results=results, preview_key=first.preview_key)
        except LeaseLost:
            # In a networked store a write can succeed with its response lost, and its retry then fails.
            if not self._has_succeeded():
                raise
        if self.job.segments:
            discard(self._ports, self.job.segments_folder)
        if self.job.boundaries:
            discard(self._ports, self.job.chunks_folder)

    def add_variant(self, image: bytes, **metadata: Unpack[VariantMetadata]) -> None:
        """Store a variant that others will follow; see `succeed`. The next painter need not paint it again."""
        results = (*self.job.results, self._put_result(image, **metadata))
        self._write(results=results, progress=len(results) / self.job.variants, lease_expires_at=self._deadline())
        self.job = replace(self.job, results=results)
        self._variant_started_at = self._ports.clock.now()

    def add_segment(self, segment: bytes, *, progress: float) -> None:
        """Store the next segment of a clip. The next painter need not paint it again.

        A clip takes many times as long as a picture, so each stored segment resets the count of attempts.

        Args:
            segment: The file of the segment.
            progress: Progress after it, 0-1.
        """
        token = self.job.lease_token or ""
        self._ports.blobs.put(self.job.segment_key(len(self.job.segments), token), segment, "application/octet-stream")
        # The token is also in the list, so a segment that a painter stores after losing its lease is ignored.
        segments = (*self.job.segments, token)
        self._write(segments=segments, attempt=1, progress=progress, lease_expires_at=self._deadline())
        self.job = replace(self.job, segments=segments, attempt=1)
        if self.job.parent_id:
            chunks.report_progress(self._ports, self.job.id)

    def segment(self, index: int, job: Job | None = None) -> bytes | None:
        """Return a stored segment of a clip, or None if it is missing.

        Args:
            index: Number of the segment.
            job: The job it belongs to; by default that of the lease.
        """
        job = job or self.job
        if index >= len(job.segments):  # dropped, to be painted again
            return None
        try:
            with self._ports.blobs.open(job.segment_key(index, job.segments[index])) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def begin_chunks(self, boundaries: tuple[int, ...]) -> None:
        """Record the boundaries of a clip's chunks; `add_segment` then stores its key frames."""
        self._write(boundaries=boundaries, lease_expires_at=self._deadline())
        self.job = replace(self.job, boundaries=boundaries)

    def send_chunks(self, count: int) -> None:
        """Create and send the missing ones of the first `count` chunks of a clip."""
        chunks.send_chunks(self._ports, self._settings, self.job, count)

    def painted_chunks(self) -> list[Job] | None:
        """Return the chunks of a clip if all are painted, else None."""
        found = chunks.chunks_of(self._ports, self.job)
        return found if chunks.all_painted(self.job, found) else None

    def wait_for_chunks(self) -> None:
        """Give up the lease until all chunks of the clip are painted."""
        if not chunks.wait(self._ports, self._settings, self.job):
            raise LeaseLost(self.job.id)

    def requeue_chunk(self, chunk: Job) -> None:
        """Requeue a chunk of a clip, after one of its segments was lost, and give up the lease until it is painted."""
        chunks.requeue_chunk(self._ports, chunk)
        self.wait_for_chunks()

    def requeue_key_frames(self, clip: Job) -> None:
        """Requeue a clip to repaint its key frames, after one was lost. The lease of this chunk is left to expire."""
        chunks.requeue_key_frames(self._ports, clip)
        self._write(attempt=0, lease_expires_at=self._deadline())  # waiting does not count as an attempt

    def clip(self) -> Job:
        """Return the clip of a chunk."""
        clip = self._ports.jobs.get(self.job.parent_id or "")
        if clip is None:
            raise LeaseLost(self.job.id)
        return clip

    def finish_chunk(self) -> None:
        """End a chunk whose segments are all painted."""
        try:
            self._end("succeeded", progress=1.0)
        except LeaseLost:
            job = self._ports.jobs.get(self.job.id)  # as for `succeed`
            if job is None or job.status != "succeeded":
                raise
        chunks.on_chunk_done(self._ports, self._settings, self.job)

    def drop_segments(self) -> None:
        """Drop all segments, since one is unusable: they are painted again."""
        self._write(segments=(), lease_expires_at=self._deadline())
        self.job = replace(self.job, segments=())

    def _put_result(self, image: bytes, **metadata: Unpack[VariantMetadata]) -> ResultRecord:
        job, now = self.job, self._ports.clock.now()
        number = f"-{len(job.results) + 1}" if job.variants > 1 else ""
        media_type = RESULT_MEDIA_TYPES[job.options.format]
        key = f"{job.work_folder}result{number}.{suffix(job.options.format)}"
        self._ports.blobs.put(key, image, media_type)
        started_at = job.started_at or now
        painting = metadata.get("seconds", (now - (self._variant_started_at or started_at)).total_seconds())
        return ResultRecord(
            key=key,
            width=metadata["width"],
            height=metadata["height"],
            media_type=media_type,
            bytes=len(image),
            sha256=hashlib.sha256(image).hexdigest(),
            seconds=Seconds(
                queued=round((started_at - job.created_at).total_seconds(), 3),
                painting=round(painting, 3),
            ),
            features=metadata.get("features"),
            frames=metadata.get("frames"),
            duration=metadata.get("duration"),
            seed=metadata.get("seed"),
            style_scale=metadata.get("style_scale"),
            preview_key=self._put_preview(metadata["preview"], f"preview{number}.jpg"),
        )

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
        """Delete the files of this lease, unless a finished variant of the job is among them."""
        job = self._ports.jobs.get(self.job.id)
        if job is None or not replace(job, lease_token=self.job.lease_token).has_painted:
            discard(self._ports, self.job.work_folder)
        if self.job.parent_id:
            if not chunks.is_parent_active(self._ports, self.job):
                chunks.cancel_chunk(self._ports, self._settings, self.job)
        elif job is None or job.status not in ("queued", "running"):
            discard(self._ports, self.job.segments_folder)

    def _has_succeeded(self) -> bool:
        job = self._ports.jobs.get(self.job.id)
        return job is not None and job.result is not None and replace(job, lease_token=self.job.lease_token).has_painted

    def _put_preview(self, preview: bytes, name: str = "preview.jpg", folder: str = "") -> str:
        key = f"{folder or self.job.work_folder}{name}"
        self._ports.blobs.put(key, preview, "image/jpeg")
        return key

    def _end(self, outcome: TerminalStatus, **changes: Unpack[JobChanges]) -> None:
        if end(self._ports, self._settings, self.job, self._when, outcome, **changes) is None:
            raise LeaseLost(self.job.id)

    def _write(self, **changes: Unpack[JobChanges]) -> None:
        if self._ports.jobs.update(self.job.id, self._when, **changes) is None:
            raise LeaseLost(self.job.id)
        if self.job.parent_id and not chunks.is_parent_active(self._ports, self.job):
            raise LeaseLost(self.job.id)

    def _deadline(self) -> datetime:
        return self._ports.clock.now() + timedelta(seconds=self._settings.lease_seconds)
