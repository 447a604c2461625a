"""What every store of jobs promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from adapters import on_both
from job_records import make_job

from stylizer_service.models import PaintingOptions, StyleWeight, new_id
from stylizer_service.ports import BadCursor, Jobs
from stylizer_service.problems import problem
from stylizer_service.records import IdempotencyRecord, Job, Precondition, ResultRecord, UploadRecord
from stylizer_service.resources import Seconds
from stylizer_service.usecases import Service

pytestmark = on_both


@pytest.fixture
def jobs(service: Service) -> Jobs:
    return service.ports.jobs


@pytest.fixture
def new_job(service: Service) -> Callable[..., Job]:
    def made(owner: str = "ann", **fields: Any) -> Job:
        values: dict[str, Any] = {
            "options": PaintingOptions(size=256, strength=0.5),
            "styles": (StyleWeight(style="ink", weight=2), StyleWeight(style="oil", weight=1)),
            "content_mask": new_id("upl"),
        }
        return make_job(service.ports.clock.now(), owner=owner, **(values | fields))

    return made


def test_a_stored_job_comes_back_as_it_was(jobs: Jobs, new_job: Callable[..., Job], service: Service) -> None:
    now = service.ports.clock.now()
    result = ResultRecord(
        key="jobs/x/y/result.jpg",
        width=3,
        height=2,
        media_type="image/jpeg",
        bytes=99,
        sha256="00",
        seconds=Seconds(queued=0.5, painting=1.5),
        features=None,
    )
    error = problem("too-many-pixels", "so many", field="content", allowed=["fewer"])
    job = new_job(started_at=now, lease_token="t", lease_expires_at=now, result=result, error=error, attempt=2)
    jobs.create(job, None, now)

    assert jobs.get(job.id) == job
    assert jobs.get(new_id("stz")) is None


def test_change_requires_every_part_of_its_precondition(
    jobs: Jobs, new_job: Callable[..., Job], service: Service
) -> None:
    now = service.ports.clock.now()
    job = new_job(status="running", lease_token="mine", lease_expires_at=now + timedelta(seconds=30))
    jobs.create(job, None, now)

    for failing in (
        Precondition(statuses=("queued", "canceled")),
        Precondition(statuses=("running",), token="another"),
        Precondition(statuses=("running",), token="mine", lease_expired_by=now + timedelta(seconds=29)),
    ):
        assert jobs.update(job.id, failing, status="failed", progress=0.9) is None
        assert jobs.get(job.id) == job
    holding = Precondition(statuses=("queued", "running"), token="mine", lease_expired_by=now + timedelta(seconds=30))
    changed = jobs.update(job.id, holding, status="failed", lease_token=None)

    assert changed is not None
    assert (changed.status, changed.lease_token, changed.progress) == ("failed", None, 0.0)
    assert jobs.get(job.id) == changed
    nobodys = new_id("stz")
    assert jobs.update(nobodys, Precondition(statuses=("queued",)), progress=0.5) is None
    assert jobs.update(nobodys, Precondition(statuses=("queued",)), status="running") is None
    assert jobs.get(nobodys) is None


def test_of_many_changes_on_the_same_condition_one_happens(
    jobs: Jobs, new_job: Callable[..., Job], service: Service
) -> None:
    job = new_job()
    jobs.create(job, None, service.ports.clock.now())
    start = threading.Barrier(8)

    def take(name: int) -> Job | None:
        start.wait()
        return jobs.update(job.id, Precondition(statuses=("queued",)), status="running", lease_token=str(name))

    with ThreadPoolExecutor(8) as pool:
        winners = [taken for taken in pool.map(take, range(8)) if taken]

    assert len(winners) == 1
    assert jobs.get(job.id) == winners[0]


def test_a_key_and_its_job_are_stored_together_and_once(
    jobs: Jobs, new_job: Callable[..., Job], service: Service
) -> None:
    now = service.ports.clock.now()
    start = threading.Barrier(8)

    def create(name: int) -> tuple[Job, IdempotencyRecord | None]:
        job = new_job()
        key = IdempotencyRecord(
            owner="ann", key="k", fingerprint=str(name), job_id=job.id, expires_at=now + timedelta(hours=1)
        )
        start.wait()
        return job, jobs.create(job, key, now)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(8)))

    stored = [job for job, known in outcomes if known is None]
    assert len(stored) == 1
    assert {known.job_id for _, known in outcomes if known} == {stored[0].id}
    assert jobs.page("ann", limit=100, cursor=None, status=None)[0] == stored
    assert jobs.find_key("ben", "k", now) is None


def test_a_key_is_free_again_when_its_time_is_over(jobs: Jobs, new_job: Callable[..., Job], service: Service) -> None:
    now = service.ports.clock.now()
    later = now + timedelta(hours=1)
    first, second = new_job(), new_job()
    for job, moment in ((first, now), (second, later)):
        key = IdempotencyRecord(
            owner="ann", key="k", fingerprint="f", job_id=job.id, expires_at=moment + timedelta(hours=1)
        )
        assert jobs.create(job, key, moment) is None

    known = jobs.find_key("ann", "k", later)
    assert known is not None
    assert known.job_id == second.id


def test_pages_go_on_where_they_ended_although_jobs_come_in(
    jobs: Jobs, new_job: Callable[..., Job], service: Service
) -> None:
    now = service.ports.clock.now()
    # Several share a moment, and one falls on a whole second: order must come from the id, and not from
    # spelling.
    moments = [now.replace(microsecond=0), now, now, now, now + timedelta(microseconds=1)]
    old = [new_job(created_at=moment) for moment in moments]
    for job in (*old, new_job(owner="ben")):
        jobs.create(job, None, now)

    seen: list[Job] = []
    cursor = None
    while True:
        page, cursor = jobs.page("ann", limit=2, cursor=cursor, status=None)
        seen += page
        jobs.create(new_job(created_at=now + timedelta(seconds=1)), None, now)
        if cursor is None:
            break

    assert seen == sorted(old, key=lambda job: (job.created_at, job.id), reverse=True)


def test_a_list_can_be_of_one_status_and_ends_with_it(
    jobs: Jobs, new_job: Callable[..., Job], service: Service
) -> None:
    made = [new_job(status=status) for status in ("queued", "failed", "queued", "succeeded")]
    for job in made:
        jobs.create(job, None, service.ports.clock.now())

    page, end = jobs.page("ann", limit=2, cursor=None, status="queued")

    assert {job.id for job in page} == {made[0].id, made[2].id}
    assert end is None


def test_a_cursor_that_no_list_gave_out_is_refused(jobs: Jobs) -> None:
    for cursor in ("x", "bm90IGpzb24", "WzEsMl0", "WyJhIl0", "ü", "", "eyJhIjogMX0", "WyJh!!!!IiwiYiJd"):
        with pytest.raises(BadCursor):
            jobs.page("ann", limit=2, cursor=cursor, status=None)


def test_due_are_those_whose_time_has_passed_longest_first(
    jobs: Jobs, new_job: Callable[..., Job], service: Service
) -> None:
    now = service.ports.clock.now()
    made = [new_job(status="failed", expires_at=now + timedelta(seconds=seconds)) for seconds in (0, -9, 1)]
    for job in (*made, new_job(status="running", expires_at=now - timedelta(seconds=5))):
        jobs.create(job, None, now)

    assert jobs.due("failed", now, limit=10) == [made[1], made[0]]
    assert jobs.due("failed", now, limit=1) == [made[1]]
    jobs.delete(made[1].id)
    jobs.delete(made[1].id)
    assert jobs.due("failed", now, limit=10) == [made[0]]


def test_expired_leases_are_listed(jobs: Jobs, new_job: Callable[..., Job], service: Service) -> None:
    now = service.ports.clock.now()
    leases = {-5: "running", 0: "running", 1: "running", -6: "failed"}
    made = [
        new_job(status=status, lease_token="t", lease_expires_at=now + timedelta(seconds=seconds))
        for seconds, status in leases.items()
    ]
    for job in (*made, new_job()):
        jobs.create(job, None, now)

    assert {job.id for job in jobs.with_expired_lease(now, limit=10)} == {made[0].id, made[1].id}
    assert len(jobs.with_expired_lease(now, limit=1)) == 1


def test_pending_webhooks_are_listed_oldest_first(jobs: Jobs, new_job: Callable[..., Job], service: Service) -> None:
    now = service.ports.clock.now()
    made = [new_job(status="failed", notify_at=now + timedelta(seconds=seconds)) for seconds in (0, -9, 1)]
    for job in (*made, new_job()):
        jobs.create(job, None, now)

    assert jobs.with_pending_webhook(now, limit=10) == [made[1], made[0]]
    assert jobs.with_pending_webhook(now, limit=1) == [made[1]]
    when = Precondition(statuses=("failed",), notify_at=made[1].notify_at)
    assert jobs.update(made[1].id, when, notify_at=None, notify_attempts=1) is not None
    assert jobs.update(made[1].id, when, notify_at=None, notify_attempts=2) is None
    assert jobs.with_pending_webhook(now, limit=10) == [made[0]]


def test_expired_uploads_are_listed_oldest_first(service: Service) -> None:
    now = service.ports.clock.now()
    made = [
        UploadRecord(
            id=new_id("upl"),
            owner="ann",
            media_type="image/png",
            created_at=now,
            expires_at=now + timedelta(seconds=seconds),
        )
        for seconds in (0, -9, 1)
    ]
    for upload in made:
        service.ports.uploads.put(upload)

    assert service.ports.uploads.due(now, limit=10) == [made[1], made[0]]
    assert service.ports.uploads.due(now, limit=1) == [made[1]]
    for _ in range(2):
        service.ports.uploads.delete(made[1].id)
    assert service.ports.uploads.get(made[1].id) is None
    assert service.ports.uploads.due(now, limit=10) == [made[0]]
