"""Leases of jobs, with every set of adapters."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from adapters import on_both
from clocks import SteppedClock

from stylizer_service.jobs.leases import AttemptsExhausted, Lease, LeaseLost, claim
from stylizer_service.models import StylizationRequest
from stylizer_service.ports import Unavailable
from stylizer_service.problems import problem
from stylizer_service.records import Job
from stylizer_service.usecases import Service

Order = Callable[..., StylizationRequest]


@pytest.fixture
def job_id(service: Service, order: Order) -> str:
    return service.create_stylization("ann", order())[0].id


def take(service: Service, job_id: str) -> Lease:
    lease = claim(service.ports, service.settings, job_id)
    assert lease is not None
    return lease


@on_both
@pytest.mark.parametrize("dead", [0, 1])
def test_of_concurrent_painters_one_claims_the_job(
    service: Service, job_id: str, clock: SteppedClock, dead: int
) -> None:
    for _ in range(dead):
        take(service, job_id)
        clock.advance(seconds=31)
    start = threading.Barrier(8)

    def attempt(_: int) -> Lease | None:
        start.wait()
        return claim(service.ports, service.settings, job_id)

    with ThreadPoolExecutor(8) as pool:
        leases = [lease for lease in pool.map(attempt, range(8)) if lease]

    assert len(leases) == 1
    assert leases[0].job == service.ports.jobs.get(job_id)
    assert leases[0].job.attempt == dead + 1


def test_renewed_lease_does_not_expire(service: Service, job_id: str, clock: SteppedClock) -> None:
    lease = take(service, job_id)
    for renew in (lease.renew, lambda: lease.report(0.5)):
        clock.advance(seconds=29)
        renew()
        assert claim(service.ports, service.settings, job_id) is None
    clock.advance(seconds=29.9)
    assert claim(service.ports, service.settings, job_id) is None


@on_both
def test_painter_with_expired_lease_is_replaced(service: Service, job_id: str, clock: SteppedClock) -> None:
    first = take(service, job_id)
    first.report(0.9, b"sketch of the first")
    clock.advance(seconds=30)
    second = take(service, job_id)
    taken = service.get_stylization("ann", job_id)

    for late in (
        first.renew,
        lambda: first.report(0.95, b"late"),
        lambda: first.succeed(b"late", preview=b"late", width=1, height=1),
        lambda: first.fail(problem("internal", "late")),
        first.release,
    ):
        with pytest.raises(LeaseLost):
            late()
        assert service.get_stylization("ann", job_id) == taken
    assert (taken.progress, taken.preview, second.job.attempt) == (0.0, None, 2)
    first.abandon()
    second.succeed(b"painting", preview=b"small", width=1, height=1)
    result = service.get_stylization("ann", job_id).result
    assert result is not None
    assert result.bytes == 8
    assert service.ports.blobs.size(f"{second.job.work_folder}result.jpg") == 8
    assert service.ports.blobs.size(f"{first.job.work_folder}result.jpg") is None


def test_job_with_exhausted_attempts_fails_as_painter_died(service: Service, job_id: str, clock: SteppedClock) -> None:
    for _ in range(service.settings.max_attempts):
        take(service, job_id).report(0.1, b"sketch")
        clock.advance(seconds=30)

    with pytest.raises(AttemptsExhausted):
        claim(service.ports, service.settings, job_id)
    failed = service.get_stylization("ann", job_id)
    assert (failed.status, failed.preview) == ("failed", None)
    assert failed.error is not None
    assert (failed.error.code, failed.error.status) == ("painter-died", 500)
    assert claim(service.ports, service.settings, job_id) is None


def test_concurrently_exhausted_job_fails_once(service: Service, job_id: str, clock: SteppedClock) -> None:
    for _ in range(service.settings.max_attempts):
        take(service, job_id)
        clock.advance(seconds=30)

    def read_and_be_overtaken(name: str) -> Job | None:
        job = service.ports.jobs.get(name)
        with pytest.raises(AttemptsExhausted):
            claim(service.ports, service.settings, name)
        clock.advance(seconds=1)
        return job

    late: Any = SimpleNamespace(get=read_and_be_overtaken, update=service.ports.jobs.update)
    before = clock.now()
    assert claim(replace(service.ports, jobs=late), service.settings, job_id) is None
    failed = service.get_stylization("ann", job_id)
    assert (failed.status, failed.finished_at) == ("failed", before)


def test_requeued_job_loses_no_attempt(service: Service, job_id: str) -> None:
    for _ in range(service.settings.max_attempts + 1):
        lease = take(service, job_id)
        assert lease.job.attempt == 1
        lease.report(0.3, b"sketch")
        lease.release()
        waiting = service.get_stylization("ann", job_id)
        assert (waiting.status, waiting.progress, waiting.preview) == ("queued", 0.0, None)
        assert waiting.started_at is None
    assert service.queue_depth() >= 1


def test_leftover_files_of_a_painter_block_nothing(
    service: Service, job_id: str, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("DeleteObjects was refused")

    sent: list[str] = []
    monkeypatch.setattr(type(service.ports.blobs), "delete_folder", refuse)
    monkeypatch.setattr(type(service.ports.dispatcher), "send", lambda _, job: sent.append(job.id))
    take(service, job_id).report(0.3, b"sketch")
    clock.advance(seconds=30)
    take(service, job_id).release()
    take(service, job_id).fail(problem("corrupt-image", "it is broken"))

    assert sent == [job_id]
    assert service.get_stylization("ann", job_id).status == "failed"


def test_painter_of_a_canceled_job_leaves_no_result(service: Service, job_id: str) -> None:
    lease = take(service, job_id)
    lease.report(0.3, b"sketch")
    canceled = service.cancel_stylization("ann", job_id)

    with pytest.raises(LeaseLost):
        lease.succeed(b"painting", preview=b"small", width=1, height=1)
    lease.abandon()

    assert (canceled.status, canceled.preview) == ("canceled", None)
    assert service.get_stylization("ann", job_id) == canceled
    for name in ("result.jpg", "preview.jpg"):
        assert service.ports.blobs.size(f"{lease.job.work_folder}{name}") is None


def test_repeated_or_late_success_keeps_its_painting(service: Service, job_id: str) -> None:
    lease = take(service, job_id)
    lease.succeed(b"painting", preview=b"small", width=1, height=1)
    done = service.ports.jobs.get(job_id)

    lease.succeed(b"painting", preview=b"small", width=1, height=1)
    lease.abandon()

    assert service.ports.jobs.get(job_id) == done
    assert done is not None
    assert done.result is not None
    assert service.ports.blobs.size(done.result.key) == 8
