"""What DynamoDB is asked for, and what becomes of answers that are lost, late or halfway."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from clocks import SteppedClock
from cloud.fault_proxy import THROTTLED, Carry, Line, break_off, lose, refuse
from job_records import make_job

from stylizer_service import cursors
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.schema import INDEXES, KEY, TTL
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.jobs.leases import claim
from stylizer_service.models import new_id
from stylizer_service.ports import BadCursor, Clock, Jobs, Unavailable
from stylizer_service.records import IdempotencyRecord, Job, Precondition, StyleRecord, UploadRecord
from stylizer_service.usecases import Service

TOO_MUCH = refuse(*THROTTLED["dynamodb"])
NewJob = Callable[..., Job]
Item = Callable[[str], dict[str, Any]]


@pytest.fixture
def jobs(service: Service) -> Jobs:
    return service.ports.jobs


@pytest.fixture
def new_job(clock: Clock) -> NewJob:
    return lambda **fields: make_job(clock.now(), **fields)


@pytest.fixture
def stored(jobs: Jobs, new_job: NewJob, clock: Clock, line: Line) -> Job:
    """A job that waits; what its storing took is forgotten."""
    job = new_job()
    jobs.create(job, None, clock.now())
    line.seen.clear()
    return job


@pytest.fixture
def item(clients: Clients, aws_settings: ApiSettings) -> Item:
    """An item as it lies in the table."""
    return lambda key: clients.dynamodb.get_item(TableName=aws_settings.table, Key={KEY: {"S": key}})["Item"]


def key_for(job: Job, clock: Clock, key: str = "k") -> IdempotencyRecord:
    expires_at = clock.now() + timedelta(hours=1)
    return IdempotencyRecord(owner="ann", key=key, fingerprint="f", job_id=job.id, expires_at=expires_at)


def canceled_transaction(*codes: str) -> Callable[[Carry], Any]:
    reasons = [{"Code": code, "Message": "because"} for code in codes]
    body = {"__type": "x#TransactionCanceledException", "Message": "canceled", "CancellationReasons": reasons}
    return refuse(400, json.dumps(body).encode())


# Lost answers


def test_a_claim_whose_answer_was_lost_is_the_claimers(service: Service, stored: Job, line: Line) -> None:
    line.go_wrong("UpdateItem", lose)

    lease = claim(service.ports, service.settings, stored.id)

    assert line.count("UpdateItem") == 2
    assert lease is not None
    assert (lease.job.attempt, lease.job) == (1, service.ports.jobs.get(stored.id))
    assert claim(service.ports, service.settings, stored.id) is None


@pytest.mark.parametrize("step", ["report", "succeed", "release"])
def test_painter_keeps_its_job_after_an_unanswered_write(service: Service, stored: Job, line: Line, step: str) -> None:
    lease = claim(service.ports, service.settings, stored.id)
    assert lease is not None
    line.go_wrong("UpdateItem", lose)

    if step == "report":
        lease.report(0.5)
    elif step == "succeed":
        lease.succeed(b"painting", preview=b"small", width=1, height=1)
    else:
        lease.release()

    after = service.ports.jobs.get(stored.id)
    assert after is not None
    expected = {"report": ("running", 0.5), "succeed": ("succeeded", 1.0), "release": ("queued", 0.0)}[step]
    assert (after.status, after.progress) == expected


def test_lost_write_that_comes_too_late_has_no_effect(jobs: Jobs, stored: Job, line: Line) -> None:
    def overtake(carry: Carry) -> None:  # noqa: ARG001 - never carried: another is faster
        other = jobs.update(stored.id, Precondition(statuses=("queued",)), status="canceled")
        assert other is not None

    line.go_wrong("UpdateItem", overtake)

    assert jobs.update(stored.id, Precondition(statuses=("queued",)), status="running", lease_token="t") is None
    after = jobs.get(stored.id)
    assert after is not None
    assert (after.status, after.lease_token) == ("canceled", None)


def test_two_equal_changes_are_not_taken_for_a_retry(jobs: Jobs, stored: Job) -> None:
    change = Precondition(statuses=("queued",))

    assert jobs.update(stored.id, change, status="canceled") is not None
    assert jobs.update(stored.id, change, status="canceled") is None


def test_a_job_whose_receipt_was_lost_is_stored_once_and_is_new(
    jobs: Jobs, new_job: NewJob, clock: Clock, line: Line
) -> None:
    job = new_job()
    line.go_wrong("TransactWriteItems", lose)

    assert jobs.create(job, key_for(job, clock), clock.now()) is None
    assert line.count("TransactWriteItems") == 2
    assert jobs.get(job.id) == job


# Transactions


def test_transactions_that_collide_are_tried_again(jobs: Jobs, new_job: NewJob, clock: Clock, line: Line) -> None:
    job = new_job()
    line.go_wrong("TransactWriteItems", canceled_transaction("TransactionConflict", "None"))
    line.go_wrong("TransactWriteItems", canceled_transaction("ThrottlingError", "None"))

    assert jobs.create(job, key_for(job, clock), clock.now()) is None
    assert line.count("TransactWriteItems") == 3
    found = jobs.find_key("ann", "k", clock.now())
    assert found is not None
    assert found.job_id == job.id


@pytest.mark.parametrize(
    ("reason", "tries", "error"), [("TransactionConflict", 6, Unavailable), ("ValidationError", 1, ClientError)]
)
def test_a_transaction_that_cannot_be_is_an_error(
    jobs: Jobs,
    new_job: NewJob,
    clock: Clock,
    line: Line,
    reason: str,
    tries: int,
    error: type[Exception],
) -> None:
    job = new_job()
    line.go_wrong("TransactWriteItems", canceled_transaction("None", reason), times=99)

    with pytest.raises(error, match="cancel"):
        jobs.create(job, key_for(job, clock), clock.now())

    assert line.count("TransactWriteItems") == tries
    assert jobs.get(job.id) is None


def test_forbidden_write_is_not_a_failed_precondition(jobs: Jobs, stored: Job, line: Line) -> None:
    line.go_wrong("", refuse(400, b'{"__type": "x#AccessDeniedException", "message": "not yours"}'), times=2)

    with pytest.raises(ClientError, match="AccessDenied"):
        jobs.update(stored.id, Precondition(statuses=("queued",)), progress=0.5)
    with pytest.raises(ClientError, match="AccessDenied"):
        jobs.create(stored, None, stored.created_at)
    assert (len(line.seen), jobs.get(stored.id)) == (2, stored), "and no one asks twice"


def test_a_job_is_never_written_over_another(jobs: Jobs, stored: Job, clock: Clock) -> None:
    with pytest.raises(FileExistsError, match=stored.id):
        jobs.create(stored, None, clock.now())


def test_truncated_response_is_retried_and_not_a_missing_job(service: Service, stored: Job, line: Line) -> None:
    jobs = service.ports.jobs
    line.go_wrong("GetItem", break_off, times=3)
    assert jobs.get(stored.id) == stored
    line.go_wrong("UpdateItem", break_off)
    lease = claim(service.ports, service.settings, stored.id)
    assert lease is not None

    line.go_wrong("GetItem", break_off, times=4)
    with pytest.raises(Unavailable, match="the answer to GetItem broke off 4 times"):
        jobs.get(stored.id)
    line.go_wrong("UpdateItem", break_off, times=4)
    with pytest.raises(Unavailable, match="UpdateItem"):
        lease.renew()
    assert jobs.get(stored.id) is not None


# Throttling


def test_throttled_table_is_retried_and_then_named(jobs: Jobs, stored: Job, line: Line) -> None:
    line.go_wrong("GetItem", TOO_MUCH)
    assert jobs.get(stored.id) == stored

    line.go_wrong("GetItem", TOO_MUCH, times=99)
    with pytest.raises(Unavailable, match="GetItem was refused, the last time with 400 ProvisionedThroughputExceeded"):
        jobs.get(stored.id)


def test_a_table_that_cannot_be_reached_is_named(jobs: Jobs, line: Line) -> None:
    line.go_wrong("GetItem", lose, times=99)

    with pytest.raises(Unavailable, match="Connection was closed"):
        jobs.get(new_id("stz"))
    assert line.count("GetItem") == 4


# Lists


def test_a_page_reads_again_what_was_left_unread(jobs: Jobs, new_job: NewJob, clock: Clock, line: Line) -> None:
    made = [new_job() for _ in range(5)]
    for job in made:
        jobs.create(job, None, clock.now())

    def half(carry: Carry) -> Any:
        status, headers, body = carry()
        answer = json.loads(body)
        ((table, items),) = answer["Responses"].items()
        unread = [{KEY: entry[KEY]} for entry in items[2:]]
        answer = {"Responses": {table: items[:2]}, "UnprocessedKeys": {table: {"Keys": unread, "ConsistentRead": True}}}
        kept = [(name, value) for name, value in headers if name.lower() not in ("content-length", "x-amz-crc32")]
        return status, kept, json.dumps(answer).encode()

    line.go_wrong("BatchGetItem", half)
    page, _ = jobs.page("ann", limit=10, cursor=None, status=None)

    assert page == sorted(made, key=lambda job: job.id, reverse=True)
    assert line.count("BatchGetItem") == 2


def test_keys_that_stay_unread_are_an_error(jobs: Jobs, stored: Job, line: Line, aws_settings: ApiSettings) -> None:
    nothing = {"Responses": {}, "UnprocessedKeys": {aws_settings.table: {"Keys": [{KEY: {"S": stored.id}}]}}}
    line.go_wrong("BatchGetItem", refuse(200, json.dumps(nothing).encode()), times=99)

    with pytest.raises(Unavailable, match="left 1 of 1 items unread in 6 tries"):
        jobs.page("ann", limit=10, cursor=None, status=None)


def test_a_query_goes_on_where_a_short_answer_ended(jobs: Jobs, new_job: NewJob, clock: Clock, line: Line) -> None:
    made = [new_job(status="failed", expires_at=clock.now() - timedelta(seconds=age)) for age in range(5)]
    for job in made:
        jobs.create(job, None, clock.now())
    for job in made[-2:]:
        jobs.update(job.id, Precondition(statuses=("failed",)), expires_at=clock.now() + timedelta(hours=1))
    # The first page ends early, and lists nothing that is still so.
    stale = [{"pk": {"S": job.id}, "status_list": {"S": "stz#failed"}, "expires_at": {"S": "x"}} for job in made[-2:]]
    first = {"Items": stale, "Count": 2, "ScannedCount": 2, "LastEvaluatedKey": stale[-1] | {"expires_at": {"S": "0"}}}
    line.go_wrong("Query", refuse(200, json.dumps(first).encode()))

    assert jobs.due("failed", clock.now(), limit=2) == [made[2], made[1]]
    assert line.count("Query") == 2


def test_a_job_that_an_index_lists_late_is_not_due_any_more(
    jobs: Jobs, stored: Job, clock: SteppedClock, line: Line
) -> None:
    clock.advance(hours=2)
    late: list[Any] = []

    def then_it_changes(carry: Carry) -> Any:
        answer = carry()
        late.append(jobs.update(stored.id, Precondition(statuses=("queued",)), status="canceled"))
        return answer

    line.go_wrong("Query", then_it_changes)

    assert jobs.due("queued", clock.now(), limit=10) == []
    assert late[0] is not None


@pytest.mark.parametrize("position", [["a", "b"], ["x" * 2000, "y"], ["2026-01-01T00:00:00.000000Z", "upl#1"]])
def test_a_cursor_of_another_making_never_reaches_the_table(jobs: Jobs, line: Line, position: list[str]) -> None:
    with pytest.raises(BadCursor):
        jobs.page("ann", limit=2, cursor=cursors.encode(*position), status=None)
    assert line.seen == []


def test_names_of_other_things_are_nobodys(service: Service, jobs: Jobs, new_job: NewJob, clock: Clock) -> None:
    job = new_job()
    jobs.create(job, key_for(job, clock), clock.now())

    for name in ("key#ann#k", "", "stz_" + "x" * 3000, "ü"):
        assert jobs.get(name) is None
    assert service.ports.uploads.get(job.id) is None
    assert service.ports.styles.get(job.id) is None


# Items


def test_items_expire_by_ttl(service: Service, jobs: Jobs, new_job: NewJob, clock: Clock, item: Item) -> None:
    now = clock.now()
    later = now + timedelta(hours=1)
    job = new_job(expires_at=later)
    jobs.create(job, key_for(job, clock), now)
    upload = UploadRecord(id=new_id("upl"), owner="ann", media_type="image/png", created_at=now, expires_at=later)
    service.ports.uploads.put(upload)
    style = StyleRecord(id=new_id("sty"), owner="ann", title="Quilt", created_at=now, key="styles/x/image.png")
    service.ports.styles.put(style)

    def lasts(key: str) -> float:
        return float(item(key)[TTL]["N"]) - later.timestamp()

    assert 0 <= lasts("key#ann#k") < 1
    assert 0 <= lasts(upload.id) - timedelta(days=2).total_seconds() < 1
    assert 0 <= lasts(job.id) - service.settings.record_ttl.total_seconds() < 1
    assert TTL not in item(style.id)
    jobs.update(job.id, Precondition(statuses=("queued",)), status="canceled", expires_at=later + timedelta(days=1))
    assert 0 <= lasts(job.id) - (service.settings.record_ttl + timedelta(days=1)).total_seconds() < 1


def test_progress_touches_no_index(service: Service, stored: Job, item: Item) -> None:
    indexed = {attribute for keys in INDEXES.values() for attribute in keys}
    lease = claim(service.ports, service.settings, stored.id)
    assert lease is not None
    before = item(stored.id)
    lease.report(1e-07, b"sketch")
    after = item(stored.id)

    assert {name for name in after if after[name] != before.get(name)} == {"progress", "preview_key"}
    assert not {"progress", "preview_key", "lease_expires_at"} & indexed
    job = service.ports.jobs.get(stored.id)
    assert job is not None
    assert job.progress == 1e-07


def test_who_is_to_be_told_is_listed_only_so_long(jobs: Jobs, stored: Job, clock: Clock, item: Item) -> None:
    queued, ended = Precondition(statuses=("queued",)), Precondition(statuses=("failed",))
    jobs.update(stored.id, queued, status="failed", notify_at=clock.now())
    assert item(stored.id)["notify_list"] == {"S": "due"}

    jobs.update(stored.id, ended, notify_at=None)
    assert {"notify_list", "notify_at"} & set(item(stored.id)) == set()
