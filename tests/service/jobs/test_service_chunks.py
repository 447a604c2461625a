"""Clips in chunks, with every set of adapters, without painting."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import Mock

import pytest
from adapters import on_both
from clocks import SteppedClock
from disk_clips import gif
from uploads import store_upload

from stylizer_service.jobs import reconcile
from stylizer_service.jobs.chunks import report_progress
from stylizer_service.jobs.leases import Lease, LeaseLost, claim
from stylizer_service.models import StylizationRequest
from stylizer_service.ports import Unavailable
from stylizer_service.problems import failure
from stylizer_service.records import Job, Precondition
from stylizer_service.usecases import Service

BOUNDARIES = (0, 16, 24)


@pytest.fixture
def clip(service: Service) -> str:
    """Return the id of a clip whose two key frames are painted, and which waits for its chunks."""
    upload = store_upload(service, gif(24))
    request = StylizationRequest(content=upload, style="ink", animate=True)
    lease = take(service, service.create_stylization("ann", request)[0].id)
    lease.begin_chunks(BOUNDARIES)
    for number in range(2):
        lease.add_segment(b"key frame", progress=number / 24)
        lease.send_chunks(number)
    lease.send_chunks(2)
    lease.send_chunks(2)  # creates none twice
    lease.wait_for_chunks()
    return lease.job.id


def take(service: Service, job_id: str) -> Lease:
    lease = claim(service.ports, service.settings, job_id)
    assert lease is not None
    return lease


def chunks_of(clip: str) -> list[str]:
    return [f"{clip}/chunks/{start:05}" for start in BOUNDARIES[:-1]]


def stored(service: Service, job_id: str) -> Job:
    job = service.ports.jobs.get(job_id)
    assert job is not None
    return job


def finish(service: Service, chunk: str) -> None:
    lease = take(service, chunk)
    lease.add_segment(b"frames", progress=1.0)
    lease.finish_chunk()


@on_both
def test_clip_is_claimed_once_all_chunks_are_painted(service: Service, clip: str) -> None:
    first, second = chunks_of(clip)
    assert claim(service.ports, service.settings, clip) is None
    finish(service, second)
    assert (stored(service, clip).progress, stored(service, clip).status) == (9 / 24, "running")
    assert claim(service.ports, service.settings, clip) is None
    finish(service, first)

    lease = take(service, clip)
    assert claim(service.ports, service.settings, clip) is None
    assert [chunk.boundaries for chunk in lease.painted_chunks() or ()] == [(0, 16), (16, 24)]
    lease.succeed(b"clip", preview=b"small", width=8, height=8)
    segment = stored(service, second)
    assert service.ports.blobs.size(segment.segment_key(0, segment.segments[0])) is None
    assert [job.id for job in service.list_stylizations("ann").items] == [clip]


def test_reconciler_resends_complete_clip_after_lost_message(
    service: Service, clip: str, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylizer_service.jobs.chunks.on_chunk_done", Mock())
    for chunk in chunks_of(clip):
        finish(service, chunk)
    clock.advance(seconds=61)

    assert reconcile.reconcile_jobs(service.ports, service.settings) == [clip]
    take(service, clip)


def test_reconciler_leaves_an_incomplete_clip_waiting(service: Service, clip: str, clock: SteppedClock) -> None:
    clock.advance(seconds=61)
    assert claim(service.ports, service.settings, clip) is None
    clock.advance(seconds=61)
    assert reconcile.reconcile_jobs(service.ports, service.settings) == []
    assert stored(service, clip).status == "running"
    clock.advance(hours=24)
    reconcile.reconcile_jobs(service.ports, service.settings)
    assert stored(service, clip).status == "failed"


def test_chunk_of_an_ended_clip_is_canceled(service: Service, clip: str) -> None:
    first, second = chunks_of(clip)
    lease = take(service, first)
    service.cancel_stylization("ann", clip)

    with pytest.raises(LeaseLost):
        lease.report(0.5, b"sketch")
    lease.abandon()
    assert claim(service.ports, service.settings, second) is None
    assert [stored(service, chunk).status for chunk in (first, second)] == ["canceled", "canceled"]


def test_chunk_that_kills_its_painters_fails_the_clip(service: Service, clip: str, clock: SteppedClock) -> None:
    for _ in range(service.settings.max_attempts):
        take(service, chunks_of(clip)[0])
        clock.advance(seconds=31)
        reconcile.reconcile_jobs(service.ports, service.settings)

    error = stored(service, clip).error
    assert error is not None
    assert error.code == "painter-died"


def test_failure_of_a_chunk_reaches_a_clip_that_missed_it(service: Service, clip: str, clock: SteppedClock) -> None:
    problem = failure("out-of-memory", "the painting is too large").problem
    when = Precondition(statuses=("queued",))
    service.ports.jobs.update(chunks_of(clip)[0], when, status="failed", error=problem)
    clock.advance(seconds=61)

    assert claim(service.ports, service.settings, clip) is None
    assert (stored(service, clip).status, stored(service, clip).error) == ("failed", problem)


@pytest.mark.parametrize("end", ["finished", "taken over"])
def test_chunk_is_finished_by_its_lease_or_not_at_all(
    service: Service, clip: str, clock: SteppedClock, end: str
) -> None:
    lease = take(service, chunks_of(clip)[0])
    lease.add_segment(b"frames", progress=1.0)
    if end == "finished":  # and the store's answer was lost
        lease.finish_chunk()
        lease.finish_chunk()
    else:
        clock.advance(seconds=31)
        take(service, lease.job.id)
        with pytest.raises(LeaseLost):
            lease.finish_chunk()
    assert stored(service, lease.job.id).status == ("succeeded" if end == "finished" else "running")


def test_chunk_of_a_deleted_clip_has_lost_its_lease(service: Service, clip: str) -> None:
    lease = take(service, chunks_of(clip)[0])
    service.ports.jobs.delete(clip)
    with pytest.raises(LeaseLost):
        lease.add_segment(b"frames", progress=1.0)
    with pytest.raises(LeaseLost):
        lease.clip()
    report_progress(service.ports, lease.job.id)  # deleted in between
    assert service.ports.jobs.get(clip) is None


def test_progress_of_a_clip_never_falls(service: Service, clip: str) -> None:
    first, second = chunks_of(clip)
    lease = take(service, first)
    lease.report(0.5)
    lease.renew()
    assert stored(service, clip).progress == 9 / 24
    lease.release()
    take(service, second).renew()
    assert stored(service, clip).progress == 9 / 24


def test_unavailable_store_of_progress_stops_no_chunk(service: Service, clip: str) -> None:
    lease = take(service, chunks_of(clip)[0])
    jobs = Mock(wraps=service.ports.jobs)
    jobs.get_many.side_effect = Unavailable("throttled")
    lease._ports = replace(service.ports, jobs=jobs)

    lease.add_segment(b"frames", progress=1.0)

    assert len(stored(service, lease.job.id).segments) == 1


def test_folders_of_a_canceled_clip_are_deleted_once(service: Service, clip: str) -> None:
    leases = [take(service, chunk) for chunk in chunks_of(clip)]
    service.cancel_stylization("ann", clip)
    blobs = Mock(wraps=service.ports.blobs)

    for lease in leases:
        lease._ports = replace(service.ports, blobs=blobs)
        lease.abandon()

    deleted = [call.args[0] for call in blobs.delete_folder.call_args_list]
    assert deleted.count(f"jobs/{clip}/chunks/") == deleted.count(f"jobs/{clip}/segments/") == 1


def test_chunk_with_a_lost_segment_is_requeued(service: Service, clip: str) -> None:
    first, second = chunks_of(clip)
    finish(service, first)
    finish(service, second)

    lease = take(service, clip)
    lease.requeue_chunk(stored(service, first))
    with pytest.raises(LeaseLost):
        lease.requeue_chunk(stored(service, first))

    assert claim(service.ports, service.settings, clip) is None
    finish(service, first)
    assert take(service, clip).painted_chunks() is not None


def test_clip_with_a_lost_key_frame_is_requeued(service: Service, clip: str, clock: SteppedClock) -> None:
    first = chunks_of(clip)[0]
    lease = take(service, first)
    lease.requeue_key_frames(lease.clip())
    assert lease.segment(0, lease.clip()) is None

    again = take(service, clip)
    assert again.job.segments == ()
    for number in range(2):
        again.add_segment(b"key frame", progress=number / 24)
    again.send_chunks(2)
    again.wait_for_chunks()
    clock.advance(seconds=31)
    assert take(service, first).segment(1, stored(service, clip)) == b"key frame"
