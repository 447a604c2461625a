"""Stateful test of the lifecycle of a job against a small model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from clocks import SteppedClock
from hypothesis import given, settings
from hypothesis import strategies as st

from stylizer_service.jobs.leases import Lease, LeaseLost, claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import ProblemError, problem
from stylizer_service.records import Job
from stylizer_service.usecases import Service

Step = tuple[str, int, float]

PAINTERS = 2
STEPS = ("claim", "claim", "report", "report", "succeed", "fail", "release", "cancel", "wait")


@dataclass
class Model:
    """Expected state: status, lease holder and expiry, number of attempts, and painter of the result."""

    status: str = "queued"
    holder: int | None = None
    until: datetime | None = None
    attempt: int = 0
    winner: Lease | None = None

    def end(self, status: str) -> None:
        self.status, self.holder = status, None


@pytest.mark.parametrize(("service", "examples"), [("local", 40), ("aws", 6)], indirect=["service"])
def test_job_lifecycle_matches_the_model(
    service: Service, examples: int, order: Callable[..., StylizationRequest], clock: SteppedClock
) -> None:
    roomy = Service(service.ports, service.catalog, service.settings.model_copy(update={"queue_limit": 10_000}))

    @settings(max_examples=examples, deadline=None)
    @given(
        steps=st.lists(
            st.tuples(st.sampled_from(STEPS), st.integers(0, PAINTERS - 1), st.sampled_from((10.0, 30.0))),
            min_size=8,
            max_size=24,
        )
    )
    def goes_the_way(steps: list[Step]) -> None:
        _compare(roomy, order, clock, steps)

    goes_the_way()


def _compare(
    service: Service, order: Callable[..., StylizationRequest], clock: SteppedClock, steps: list[Step]
) -> None:
    job_id = service.create_stylization("ann", order())[0].id
    model = Model()
    leases: dict[int, Lease] = {}
    for step, painter, seconds in steps:
        if step == "wait":
            clock.advance(seconds=seconds)
        elif step == "cancel":
            _cancel(service, model, job_id)
        elif step == "claim":
            _claim(service, model, clock, leases, painter, job_id)
        elif painter in leases:
            _use(service, model, clock, leases[painter], step, painter)
        job = _job(service, job_id)
        assert (job.status, job.attempt) == (model.status, model.attempt)
        assert (job.result is not None) == (model.status == "succeeded")
        assert (job.lease_token is not None) == (model.status == "running")
    result = _job(service, job_id).result
    for lease in leases.values():
        key = f"{lease.job.work_folder}result.jpg"
        assert (service.ports.blobs.size(key) is not None) == (result is not None and result.key == key)


def _job(service: Service, job_id: str) -> Job:
    job = service.ports.jobs.get(job_id)
    assert job is not None
    return job


def _cancel(service: Service, model: Model, job_id: str) -> None:
    try:
        service.cancel_stylization("ann", job_id)
    except ProblemError:
        assert model.status in ("succeeded", "failed")
    else:
        assert model.status in ("queued", "running", "canceled")
        model.end("canceled")


def _claim(
    service: Service, model: Model, clock: SteppedClock, leases: dict[int, Lease], painter: int, job_id: str
) -> None:
    lease = claim(service.ports, service.settings, job_id)
    is_over = model.status == "running" and model.until is not None and clock.now() >= model.until
    if is_over and model.attempt == service.settings.max_attempts:
        model.end("failed")
        assert lease is None
    elif model.status == "queued" or is_over:
        assert lease is not None
        leases[painter] = lease
        model.status, model.holder, model.attempt = "running", painter, model.attempt + 1
        model.until = clock.now() + timedelta(seconds=30)
    else:
        assert lease is None


def _use(service: Service, model: Model, clock: SteppedClock, lease: Lease, step: str, painter: int) -> None:
    before = _job(service, lease.job.id)
    try:
        if step == "report":
            lease.report(0.5, b"sketch")
        elif step == "succeed":
            lease.succeed(b"painting", preview=b"small", width=1, height=1)
        elif step == "fail":
            lease.fail(problem("internal", "a defect"))
        else:
            lease.release()
    except LeaseLost:
        assert model.holder != painter
        assert step != "succeed" or lease is not model.winner
        assert _job(service, lease.job.id) == before
        lease.abandon()
        return
    if lease is model.winner and step == "succeed":
        return  # Once more does no harm.
    assert model.holder == painter
    if step == "report":
        model.until = clock.now() + timedelta(seconds=30)
    elif step == "release":
        model.end("queued")
        model.attempt -= 1
    elif step == "succeed":
        model.end("succeeded")
        model.winner = lease
    else:
        model.end("failed")
