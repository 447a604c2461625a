"""Reconciliation of stuck jobs, with every set of adapters."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from adapters import on_both
from clocks import SteppedClock

from stylizer_service.jobs import reconcile
from stylizer_service.jobs.leases import Lease, claim
from stylizer_service.models import StylizationRequest
from stylizer_service.ports import Trace, Unavailable
from stylizer_service.problems import problem
from stylizer_service.records import Job
from stylizer_service.resources import Stylization
from stylizer_service.usecases import Service

Order = Callable[..., StylizationRequest]
FAILED = problem("painting-failed", "it did not work")


@pytest.fixture
def job_id(service: Service, order: Order) -> str:
    return service.create_stylization("ann", order(webhook="https://example.com/painted"))[0].id


def take(service: Service, job_id: str) -> Lease:
    lease = claim(service.ports, service.settings, job_id)
    assert lease is not None
    return lease


def reconcile_jobs(service: Service) -> int:
    return len(reconcile.reconcile_jobs(service.ports, service.settings))


def seen(service: Service, job_id: str) -> Stylization:
    return service.get_stylization("ann", job_id)


@on_both
def test_job_with_expired_lease_is_requeued(service: Service, job_id: str, clock: SteppedClock) -> None:
    lease = take(service, job_id)
    lease.report(0.5, b"sketch")
    assert reconcile_jobs(service) == 0
    clock.advance(seconds=31)

    assert reconcile_jobs(service) == 1
    waiting = seen(service, job_id)
    assert (waiting.status, waiting.progress, waiting.preview) == ("queued", 0.0, None)
    assert service.ports.blobs.size(f"{lease.job.work_folder}preview.jpg") is None
    assert reconcile_jobs(service) == 0
    second = take(service, job_id)
    assert second.job.attempt == 2
    assert claim(service.ports, service.settings, job_id) is None


@on_both
def test_of_concurrent_reconcilers_one_requeues_the_job(service: Service, job_id: str, clock: SteppedClock) -> None:
    take(service, job_id)
    clock.advance(seconds=31)
    job = service.ports.jobs.get(job_id)
    assert job is not None
    start = threading.Barrier(8)

    def attempt(_: int) -> bool:
        start.wait()
        return reconcile.resume(service.ports, service.settings, job)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


def test_queued_or_leased_job_is_not_requeued(service: Service, job_id: str, clock: SteppedClock) -> None:
    queue = Queue()
    ports = replace(service.ports, dispatcher=queue)

    def is_resumed() -> bool:
        job = ports.jobs.get(job_id)
        assert job is not None
        return reconcile.resume(ports, service.settings, job)

    assert not is_resumed()
    lease = take(service, job_id)
    clock.advance(seconds=29)
    lease.report(0.5)
    clock.advance(seconds=29)
    assert not is_resumed()
    assert queue.sent == []
    lease.renew()  # it is still this painter's


def test_late_failure_ends_only_an_unleased_job(service: Service, job_id: str) -> None:
    lease = take(service, job_id)
    assert not reconcile.fail(service.ports, service.settings, job_id, FAILED)
    assert seen(service, job_id).status == "running"
    lease.succeed(b"painting", preview=b"small", width=1, height=1)
    assert not reconcile.fail(service.ports, service.settings, job_id, FAILED)
    assert not reconcile.fail(service.ports, service.settings, "stz_nothing", FAILED)
    assert seen(service, job_id).status == "succeeded"


def test_undelivered_job_is_resent_until_attempts_run_out(service: Service, job_id: str) -> None:
    def is_sent() -> bool:
        return reconcile.send_again(service.ports, service.settings, job_id)

    assert [is_sent() for _ in range(service.settings.max_attempts)] == [True, True, False]
    assert seen(service, job_id).status == "queued"
    take(service, job_id)
    assert not is_sent()
    assert not reconcile.send_again(service.ports, service.settings, "stz_nothing")


@pytest.mark.parametrize("was_taken", [False, True])
def test_failure_ends_queued_and_abandoned_jobs(
    service: Service, job_id: str, clock: SteppedClock, was_taken: bool
) -> None:
    if was_taken:
        take(service, job_id)
        clock.advance(seconds=31)

    assert reconcile.fail(service.ports, service.settings, job_id, FAILED)
    assert not reconcile.fail(service.ports, service.settings, job_id, FAILED)
    failed = seen(service, job_id)
    assert (failed.status, failed.error) == ("failed", FAILED)
    assert claim(service.ports, service.settings, job_id) is None


def test_job_without_a_painter_in_time_fails_with_reason(service: Service, job_id: str, clock: SteppedClock) -> None:
    clock.advance(hours=23)
    reconcile_jobs(service)
    assert seen(service, job_id).status == "queued"
    clock.advance(hours=1)
    reconcile_jobs(service)

    failed = seen(service, job_id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert (failed.error.code, failed.error.detail) == ("not-painted", "the job was not painted within 24 hours")


class Queue:
    """Fake dispatcher: depth of the queue, jobs sent to it, and the trace of GPU jobs."""

    def __init__(self, waiting: int = 0, gpu: Trace = "sent"):
        self.sent: list[str] = []
        self._waiting = waiting
        self._gpu = gpu

    def send(self, job: Job) -> None:
        self.sent.append(job.id)

    def depth(self) -> int:
        return self._waiting

    def trace(self, job: Job) -> Trace:
        return self._gpu if job.backend == "gpu" else "sent"


def test_job_missing_from_the_queue_is_resent_after_a_while(service: Service, job_id: str, clock: SteppedClock) -> None:
    queue = Queue()
    ports = replace(service.ports, dispatcher=queue)
    clock.advance(seconds=service.settings.requeue_after.total_seconds() - 1)
    assert reconcile.reconcile_jobs(ports, service.settings) == []
    clock.advance(seconds=1)

    assert reconcile.reconcile_jobs(replace(ports, dispatcher=Queue(waiting=1)), service.settings) == []
    assert reconcile.reconcile_jobs(ports, service.settings) == [job_id]
    assert queue.sent == [job_id]


def test_gpu_job_is_not_checked_against_the_queue(service: Service, job_id: str, clock: SteppedClock) -> None:
    send_to_gpu(service, job_id, clock)
    clock.advance(hours=23)
    queue = Queue()

    assert reconcile.reconcile_jobs(replace(service.ports, dispatcher=queue), service.settings) == []
    assert queue.sent == []


def send_to_gpu(service: Service, job_id: str, clock: SteppedClock) -> None:
    job = service.ports.jobs.get(job_id)
    assert job is not None
    service.ports.jobs.delete(job_id)
    service.ports.jobs.create(replace(job, backend="gpu"), None, clock.now())


@pytest.mark.parametrize("is_running", [False, True])
def test_gpu_jobs_fail_once_the_gpu_is_switched_off(
    service: Service, job_id: str, order: Order, clock: SteppedClock, is_running: bool
) -> None:
    other = service.create_stylization("ann", order())[0].id
    send_to_gpu(service, job_id, clock)
    if is_running:
        take(service, job_id)
    clock.advance(seconds=31)
    ports = replace(service.ports, dispatcher=Queue(waiting=1, gpu="no-backend"))

    assert reconcile.reconcile_jobs(ports, service.settings) == [job_id]
    failed = seen(service, job_id)
    assert failed.error is not None
    assert failed.error.code == "painting-failed"
    assert "a GPU, which this service no longer has" in failed.error.detail
    assert seen(service, other).status == "queued"
    assert reconcile.reconcile_jobs(ports, service.settings) == []


def test_late_notice_of_a_removed_endpoint_sends_nothing(service: Service, job_id: str, clock: SteppedClock) -> None:
    send_to_gpu(service, job_id, clock)
    queue = Queue(gpu="no-backend")
    assert not reconcile.send_again(replace(service.ports, dispatcher=queue), service.settings, job_id)
    assert queue.sent == []


def test_gpu_job_lost_with_its_endpoint_is_resent(service: Service, job_id: str, clock: SteppedClock) -> None:
    send_to_gpu(service, job_id, clock)
    queue = Queue(waiting=1, gpu="unsent")
    ports = replace(service.ports, dispatcher=queue)
    assert reconcile.reconcile_jobs(ports, service.settings) == []  # it may be on its way still
    clock.advance(minutes=2)
    assert reconcile.reconcile_jobs(ports, service.settings) == [job_id]
    assert queue.sent == [job_id]


def test_failing_job_does_not_block_reconciling_the_others(
    service: Service, order: Order, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [service.create_stylization("ann", order())[0].id for _ in range(3)]
    for job in jobs:
        take(service, job)
    clock.advance(seconds=31)

    class Refusing(Queue):
        def send(self, job: Job) -> None:
            if job.id == jobs[1]:
                raise Unavailable("SendMessage was refused")
            super().send(job)

    queue = Refusing()
    with pytest.raises(Unavailable):  # so that the failure reaches the operator
        reconcile.reconcile_jobs(replace(service.ports, dispatcher=queue), service.settings)
    assert sorted(queue.sent) == sorted([jobs[0], jobs[2]])
    assert [seen(service, job).status for job in jobs] == ["queued", "running", "queued"]
    assert f"failed to reconcile {jobs[1]}" in caplog.text
    assert reconcile.reconcile_jobs(service.ports, service.settings) == [jobs[1]]


def test_overdue_job_with_expired_lease_is_not_repainted(service: Service, job_id: str, clock: SteppedClock) -> None:
    clock.advance(hours=23, minutes=59, seconds=59)
    take(service, job_id)
    clock.advance(seconds=31)

    assert reconcile_jobs(service) == 1
    error = seen(service, job_id).error
    assert error is not None
    assert error.code == "painter-died"


def test_claimed_or_final_job_is_not_resent(service: Service, job_id: str) -> None:
    queue = Queue()
    ports = replace(service.ports, dispatcher=queue)
    settings = service.settings.model_copy(update={"max_attempts": 9})
    lease = take(service, job_id)
    assert not reconcile.send_again(ports, settings, job_id)
    lease.fail(FAILED)
    assert not reconcile.send_again(ports, settings, job_id)
    assert queue.sent == []


def test_job_stays_final_if_its_webhook_cannot_be_scheduled(
    service: Service, job_id: str, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Unavailable("SendMessage was refused")

    with monkeypatch.context() as patch:
        patch.setattr(type(service.ports.notifier), "send", refuse)
        assert service.cancel_stylization("ann", job_id).status == "canceled"
    clock.advance(minutes=1)
    assert reconcile_jobs(service) == 1, "a later try tells"


def test_pending_webhook_is_delivered_by_a_later_attempt(service: Service, job_id: str, clock: SteppedClock) -> None:
    service.cancel_stylization("ann", job_id)
    clock.advance(seconds=59)
    assert reconcile_jobs(service) == 0
    assert [job.id for job in service.ports.jobs.with_pending_webhook(service.ports.clock.now(), limit=10)] == [job_id]
    clock.advance(seconds=1)
    assert reconcile_jobs(service) == 1


@pytest.fixture
def woken(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the jobs for which the webhook worker is woken."""
    heard: list[str] = []
    monkeypatch.setattr(type(service.ports.notifier), "send", lambda _, job_id, **__: heard.append(job_id))
    return heard


@on_both
@pytest.mark.parametrize("end", ["succeeded", "failed", "canceled"])
def test_every_terminal_transition_makes_a_webhook_pending(
    service: Service, job_id: str, end: str, woken: list[str]
) -> None:
    now = service.ports.clock.now()
    assert service.ports.jobs.with_pending_webhook(now, limit=10) == []
    if end == "canceled":
        service.cancel_stylization("ann", job_id)
    elif end == "failed":
        take(service, job_id).fail(FAILED)
    else:
        take(service, job_id).succeed(b"painting", preview=b"small", width=1, height=1)

    due = service.ports.jobs.with_pending_webhook(now, limit=10)
    assert [(job.id, job.status, job.notify_at) for job in due] == [(job_id, end, now)]
    assert woken == [job_id]
