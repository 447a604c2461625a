"""Clips painted in parallel chunks. A chunk is a job of its own, owned by the job of the clip.

    clip:   queued ──claim──> running: key frames ──> running, waiting ──claim──> running: joined ──> succeeded
    chunk:                       └──> queued ──claim──> running ──> succeeded ──┘

The painter of the clip paints the first frame of each chunk, its key frame, one after the other. A chunk is created and
sent as soon as its own key frame and the next one are painted, so that chunks depend on key frames only. It has lease,
attempts, message and dead letter like any job. When the last chunk ends, the clip is sent again, to be claimed and its
segments joined. If that message is lost, or its sender dies, `reconcile.resume` finds the clip by its expired lease.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from stylizer_service.jobs.cleanup import discard
from stylizer_service.jobs.finish import end
from stylizer_service.ports import Ports, Unavailable
from stylizer_service.records import Job, JobChanges, Precondition, is_final, without_style_urls, without_url
from stylizer_service.settings import Settings

log = logging.getLogger(__name__)

_WAITING = "waiting"  # lease token of a clip that waits for its chunks
_REQUEUED: JobChanges = {
    "status": "queued",
    "finished_at": None,
    "progress": 0.0,
    "segments": (),
    "attempt": 0,
    "lease_token": None,
    "lease_expires_at": None,
}
_RECHECK_AFTER = timedelta(minutes=1)


def is_waiting(job: Job) -> bool:
    """Return whether a job is a clip that waits for its chunks."""
    return job.status == "running" and job.lease_token == _WAITING


def chunks_of(ports: Ports, clip: Job) -> list[Job]:
    """Return the chunks of a clip that have been created, in order."""
    return ports.jobs.get_many([_chunk_id(clip, start) for start in clip.boundaries[:-1]])


def send_chunks(ports: Ports, settings: Settings, clip: Job, count: int) -> None:
    """Create and send the missing ones of the first `count` chunks of a clip. Called by its painter only."""
    known = {chunk.id for chunk in chunks_of(ports, clip)}
    now = ports.clock.now()
    for start, stop in zip(clip.boundaries[:count], clip.boundaries[1:], strict=False):
        if (chunk_id := _chunk_id(clip, start)) in known:
            continue
        chunk = replace(
            clip,
            id=chunk_id,
            owner=clip.id,
            parent_id=clip.id,
            status="queued",
            content=without_url(clip.content),
            styles=without_style_urls(clip.styles),
            created_at=now,
            expires_at=now + settings.result_ttl,
            started_at=None,
            progress=0.0,
            preview_key=None,
            attempt=0,
            lease_token=None,
            lease_expires_at=None,
            frames=stop - start,
            segments=(),
            boundaries=(start, stop),
            webhook=None,
        )
        try:
            ports.jobs.create(chunk, None, now)
        except FileExistsError:  # created by an earlier painter that was presumed dead
            continue
        ports.dispatcher.send(chunk)


def wait(ports: Ports, settings: Settings, clip: Job) -> bool:
    """Let a clip wait for its chunks, all of which have been sent.

    Args:
        ports: The ports.
        settings: Lifetimes.
        clip: The clip, leased to the caller.

    Returns:
        False if the lease is lost.
    """
    when = Precondition(statuses=("running",), token=clip.lease_token)
    until = ports.clock.now() + _RECHECK_AFTER
    waiting = ports.jobs.update(clip.id, when, lease_token=_WAITING, lease_expires_at=until, attempt=0)
    if waiting is not None:
        _send_if_complete(ports, settings, waiting)  # the last chunk may have ended in the meantime
    return waiting is not None


def on_chunk_done(ports: Ports, settings: Settings, chunk: Job) -> None:
    """Send the clip to be joined if this was its last chunk."""
    clip = ports.jobs.get(chunk.parent_id or "")
    if clip is not None and is_waiting(clip):
        _send_if_complete(ports, settings, clip)


def _send_if_complete(ports: Ports, settings: Settings, clip: Job) -> None:
    if is_complete(ports, settings, clip):
        ports.jobs.update(clip.id, _when_waiting(), lease_expires_at=ports.clock.now())  # makes it claimable
        ports.dispatcher.send(clip)


def is_complete(ports: Ports, settings: Settings, clip: Job) -> bool:
    """Return whether every chunk of a waiting clip is painted.

    Otherwise fail the clip if a chunk has failed, or postpone the next check if it is due.
    """
    chunks = chunks_of(ports, clip)
    failed = next((chunk for chunk in chunks if chunk.status == "failed"), None)
    if failed is not None:
        end(ports, settings, clip, _when_waiting(), "failed", error=failed.error)
        return False
    if all_painted(clip, chunks):
        return True
    now = ports.clock.now()
    due = replace(_when_waiting(), lease_expired_by=now)
    ports.jobs.update(clip.id, due, lease_expires_at=now + _RECHECK_AFTER)
    return False


def all_painted(clip: Job, chunks: list[Job]) -> bool:
    """Return whether `chunks` are complete and all succeeded."""
    return len(chunks) == len(clip.boundaries) - 1 and all(chunk.status == "succeeded" for chunk in chunks)


def is_parent_active(ports: Ports, chunk: Job) -> bool:
    """Return whether the clip of a chunk is not final."""
    clip = ports.jobs.get(chunk.parent_id or "")
    return clip is not None and not is_final(clip) and clip.status != "expired"


def cancel_chunk(ports: Ports, settings: Settings, chunk: Job) -> None:
    """Cancel a chunk whose clip is final; after the last one, delete the files of all chunks."""
    end(ports, settings, chunk, Precondition(statuses=("queued", "running")), "canceled")
    clip = ports.jobs.get(chunk.parent_id or "")
    if clip is None or all(is_final(part) for part in chunks_of(ports, clip)):
        discard(ports, chunk.chunks_folder)
        discard(ports, f"jobs/{chunk.parent_id}/segments/")


def requeue_key_frames(ports: Ports, clip: Job) -> None:
    """Requeue a waiting clip to repaint its key frames, after one was lost."""
    if ports.jobs.update(clip.id, _when_waiting(), **_REQUEUED):
        ports.dispatcher.send(clip)


def requeue_chunk(ports: Ports, chunk: Job) -> None:
    """Requeue a finished chunk, after one of its segments was lost."""
    if ports.jobs.update(chunk.id, Precondition(statuses=("succeeded",)), **_REQUEUED):
        ports.dispatcher.send(chunk)


def report_progress(ports: Ports, chunk_id: str) -> None:
    """Update progress and preview of the clip of a chunk. Skipped if a store is unavailable."""
    try:
        chunk = ports.jobs.get(chunk_id)
        clip = ports.jobs.get(chunk.parent_id or "") if chunk else None
        if chunk is None or clip is None:
            return
        frames = len(clip.segments)  # key frames
        for part in chunks_of(ports, clip):
            frames += max(0, round(part.progress * (part.frames or 0)) - 1)
        progress = min(frames / clip.boundaries[-1], 0.999)
        when = Precondition(statuses=("running",), progress_below=progress)
        ports.jobs.update(clip.id, when, progress=progress, preview_key=chunk.preview_key or clip.preview_key)
    except Unavailable as error:
        log.warning("could not report the progress of the clip of %s: %s", chunk_id, error)


def _chunk_id(clip: Job, start: int) -> str:
    return f"{clip.id}/chunks/{start:05}"


def _when_waiting() -> Precondition:
    return Precondition(statuses=("running",), token=_WAITING)
