from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, Protocol

import pytest
from adapters import on_both
from clocks import SteppedClock
from standardwebhooks import Webhook, WebhookVerificationError

from stylizer_service.adapters.local import Local, open_local
from stylizer_service.jobs.leases import claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem, problem
from stylizer_service.records import Job
from stylizer_service.settings import Settings
from stylizer_service.usecases import Service
from stylizer_service.webhooks.delivery import Sender, deliver
from stylizer_service.webhooks.sender import HttpsSender

Order = Callable[..., StylizationRequest]
Refusal = Callable[..., Problem]


class Receiver(Protocol):
    url: str
    heard: list[Any]
    answers: list[Any]

    def sender(self, timeout: float = ..., **options: Any) -> HttpsSender: ...


@pytest.fixture
def accept(service: Service, order: Order, receiver: Receiver) -> Callable[..., str]:
    """Have a painting accepted that the receiver is to be told of; gives its id."""
    return lambda **fields: service.create_stylization("ann", order(webhook=receiver.url, **fields))[0].id


@pytest.fixture
def canceled(service: Service, accept: Callable[..., str]) -> str:
    """A job that has just ended."""
    return service.cancel_stylization("ann", accept()).id


def attempt(service: Service, job_id: str, sender: Sender) -> str:
    return deliver(service.ports, service.settings, job_id, sender)


def stored(service: Service, job_id: str) -> Job:
    job = service.ports.jobs.get(job_id)
    assert job is not None
    return job


def with_pending_webhook(service: Service) -> list[str]:
    """Everyone who may ever be told something."""
    return [
        job.id
        for job in service.ports.jobs.with_pending_webhook(service.ports.clock.now() + timedelta(days=99), limit=10)
    ]


def fail(service: Service, job_id: str) -> None:
    lease = claim(service.ports, service.settings, job_id)
    assert lease is not None
    lease.fail(problem("painter-died", "too bad"))


def without_signature(job: dict[str, Any]) -> dict[str, Any]:
    """A job, as JSON, whose links to the painting say where it is, and no more."""
    if job["result"] is None:
        return job
    first, *others = [{**each, "url": each["url"].partition("?")[0]} for each in (job["result"], *job["results"])]
    return {**job, "result": first, "results": others}


@pytest.mark.parametrize("end", ["succeeded", "failed", "canceled"])
def test_webhook_is_delivered_once_and_equals_get(
    service: Service, accept: Callable[..., str], finish: Callable[[str], None], receiver: Receiver, end: str
) -> None:
    job_id = accept()
    ends: dict[str, Callable[[], object]] = {
        "succeeded": lambda: finish(job_id),
        "failed": lambda: fail(service, job_id),
        "canceled": lambda: service.cancel_stylization("ann", job_id),
    }
    assert attempt(service, job_id, receiver.sender()) == "skipped"
    ends[end]()

    assert with_pending_webhook(service) == [job_id]
    assert [attempt(service, job_id, receiver.sender()) for _ in range(2)] == ["delivered", "skipped"]

    [heard] = receiver.heard
    event = Webhook(service.webhook_secret("ann")).verify(heard.body, heard.headers)
    got = service.get_stylization("ann", job_id)
    assert (event["type"], event["data"]["status"]) == (f"stylization.{end}", end)
    # On AWS a link is signed for the second in which it is made, which may be another one by now.
    assert without_signature(event["data"]) == without_signature(json.loads(got.model_dump_json()))
    assert event["timestamp"] == event["data"]["finished_at"]
    assert (heard.headers["webhook-id"], heard.headers["Content-Type"]) == (job_id, "application/json")
    assert with_pending_webhook(service) == []


def test_only_the_owners_secret_and_the_untouched_message_verify(
    service: Service, canceled: str, receiver: Receiver
) -> None:
    assert attempt(service, canceled, receiver.sender()) == "delivered"
    [heard] = receiver.heard
    own, others = (service.webhook_secret(owner) for owner in ("ann", "bob"))

    Webhook(own).verify(heard.body, heard.headers)
    changed = [
        (others, heard.body, heard.headers),
        (own, heard.body.replace(b"canceled", b"succeeded"), heard.headers),
        (own, heard.body, {**heard.headers, "webhook-id": "stz_other"}),
        (own, heard.body, {**heard.headers, "webhook-timestamp": str(int(heard.headers["webhook-timestamp"]) - 1)}),
    ]
    for secret, body, headers in changed:
        with pytest.raises(WebhookVerificationError, match="No matching signature"):
            Webhook(secret).verify(body, headers)


def test_job_without_a_webhook_is_skipped(service: Service, order: Order, receiver: Receiver) -> None:
    quiet = service.create_stylization("ann", order())[0].id
    service.cancel_stylization("ann", quiet)

    assert [attempt(service, job_id, receiver.sender()) for job_id in (quiet, "stz_unknown")] == ["skipped"] * 2
    assert (receiver.heard, with_pending_webhook(service)) == ([], [])


def test_failed_delivery_is_retried_until_it_succeeds(
    service: Service, canceled: str, receiver: Receiver, clock: SteppedClock
) -> None:
    receiver.answers = [500, 302, 404, 204]
    sender = receiver.sender()

    outcomes = []
    for _ in range(3):
        outcomes += [attempt(service, canceled, sender), attempt(service, canceled, sender)]
        clock.advance(hours=1)
    # No address at all.
    unresolvable = receiver.sender(resolve=lambda *_: [])
    outcomes += [attempt(service, canceled, unresolvable)]
    clock.advance(hours=1)
    outcomes += [attempt(service, canceled, sender)]
    clock.advance(hours=5)
    outcomes += [attempt(service, canceled, sender)]

    assert outcomes == ["retrying", "skipped"] * 3 + ["retrying", "delivered", "skipped"]
    assert len(receiver.heard) == 4
    assert {heard.headers["webhook-id"] for heard in receiver.heard} == {canceled}
    stamps = [int(heard.headers["webhook-timestamp"]) for heard in receiver.heard]
    assert [later - before for before, later in pairwise(stamps)] == [3600, 3600, 7200]
    assert with_pending_webhook(service) == []


@on_both
def test_of_deliverers_at_the_same_time_one_sends(service: Service, canceled: str, receiver: Receiver) -> None:
    deliverers = 8
    barrier = threading.Barrier(deliverers)
    sender = receiver.sender()

    def together(_: int) -> str:
        barrier.wait()
        return attempt(service, canceled, sender)

    with ThreadPoolExecutor(deliverers) as pool:
        outcomes = list(pool.map(together, range(deliverers)))

    assert sorted(outcomes) == ["delivered"] + ["skipped"] * (deliverers - 1)
    assert len(receiver.heard) == 1


class Killed(BaseException):
    """The process is no more."""


class Dying:
    """A deliverer that is killed before its request leaves, or after it was heard."""

    def __init__(self, sender: HttpsSender | None):
        self._sender = sender

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        if self._sender:
            self._sender.post(url, headers, body)
        raise Killed


@pytest.mark.parametrize("heard_before", [False, True])
def test_a_deliverer_killed_at_its_try_leaves_it_to_the_next(
    service: Service, canceled: str, receiver: Receiver, clock: SteppedClock, heard_before: bool
) -> None:
    with pytest.raises(Killed):
        attempt(service, canceled, Dying(receiver.sender() if heard_before else None))

    assert attempt(service, canceled, receiver.sender()) == "skipped"
    clock.advance(minutes=1)
    assert attempt(service, canceled, receiver.sender()) == "delivered"
    assert [heard.headers["webhook-id"] for heard in receiver.heard] == [canceled] * (1 + heard_before)


def test_retry_delays_grow_from_seconds_to_hours_until_abandoned(
    service: Service, canceled: str, receiver: Receiver, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [503] * 99
    woken: list[tuple[str, float]] = []

    class Recorder:
        def send(self, job_id: str, *, delay: float = 0.0) -> None:
            woken.append((job_id, delay))

    ports = replace(service.ports, notifier=Recorder())
    outcomes, pauses = [], []
    for _ in range(service.settings.webhook_attempts):
        outcomes.append(deliver(ports, service.settings, canceled, receiver.sender()))
        due = stored(service, canceled).notify_at
        if due:
            pauses.append((due - service.ports.clock.now()).total_seconds())
            clock.advance(seconds=pauses[-1])

    assert outcomes == ["retrying"] * 7 + ["abandoned"]
    assert {job_id for job_id, _ in woken} == {canceled}
    assert [delay for _, delay in woken] == pytest.approx(pauses)
    least = [service.settings.webhook_timeout + pause for pause in (5, 30, 120, 600, 1800, 3600, 10800)]
    assert all(low <= pause <= 1.2 * low for low, pause in zip(least, pauses, strict=True))
    assert f"{canceled}: given up after 8 tries: it was answered with status 503" in caplog.text
    assert (with_pending_webhook(service), len(receiver.heard)) == ([], 8)
    assert attempt(service, canceled, receiver.sender()) == "skipped"


def test_a_receiver_that_says_it_is_gone_is_not_asked_again(
    service: Service, canceled: str, receiver: Receiver, clock: SteppedClock
) -> None:
    receiver.answers = [410]

    assert attempt(service, canceled, receiver.sender()) == "abandoned"
    clock.advance(days=1)
    assert attempt(service, canceled, receiver.sender()) == "skipped"
    assert (with_pending_webhook(service), len(receiver.heard)) == ([], 1)


def test_a_deliverer_killed_at_every_try_does_not_go_on_forever(
    service: Service, canceled: str, receiver: Receiver, clock: SteppedClock
) -> None:
    for _ in range(service.settings.webhook_attempts):
        with pytest.raises(Killed):
            attempt(service, canceled, Dying(None))
        clock.advance(hours=4)

    assert attempt(service, canceled, receiver.sender()) == "abandoned"
    assert (with_pending_webhook(service), receiver.heard) == ([], [])


def test_delivery_after_expiry_reports_the_expired_painting(
    service: Service, accept: Callable[..., str], finish: Callable[[str], None], receiver: Receiver, clock: SteppedClock
) -> None:
    swept, unswept = accept(), accept()
    finish(swept)
    clock.advance(days=2)
    service.sweep()
    finish(unswept)
    clock.advance(days=1)

    assert [attempt(service, job_id, receiver.sender()) for job_id in (swept, unswept)] == ["delivered"] * 2
    events = [json.loads(heard.body) for heard in receiver.heard]
    assert [(event["type"], event["data"]["result"]) for event in events] == [("stylization.expired", None)] * 2


@pytest.mark.parametrize(("behind", "outcome"), [(0.5, "delivered"), (1.0, "delivered"), (1.5, "skipped")])
def test_a_try_whose_clock_is_a_moment_behind_is_not_too_early(
    service: Service, canceled: str, receiver: Receiver, clock: SteppedClock, behind: float, outcome: str
) -> None:
    clock.advance(seconds=-behind)

    assert attempt(service, canceled, receiver.sender()) == outcome
    assert len(receiver.heard) == (outcome == "delivered")


def test_without_a_key_webhooks_are_refused_and_nothing_else_is(
    service: Service, order: Order, refusal: Refusal
) -> None:
    keyless = Service(replace(service.ports, webhook_key=None), service.catalog, service.settings)

    problem = refusal(keyless.create_stylization, "ann", order(webhook="https://example.com/painted"))
    assert (problem.status, problem.field, problem.allowed) == (422, "webhook", "null")
    assert "no key" in problem.detail
    assert refusal(keyless.webhook_secret, "ann").status == 404
    assert keyless.create_stylization("ann", order())[1]


def test_webhook_is_delivered_once_the_missing_key_is_back(service: Service, canceled: str, receiver: Receiver) -> None:
    with pytest.raises(RuntimeError, match=f"{canceled} has a webhook, and there is no key"):
        deliver(replace(service.ports, webhook_key=None), service.settings, canceled, receiver.sender())
    assert (receiver.heard, with_pending_webhook(service)) == ([], [canceled])

    assert attempt(service, canceled, receiver.sender()) == "delivered"


def test_owner_secret_outlives_the_process_and_is_unique(local: Local, settings: Settings) -> None:
    secret = local.service.webhook_secret("ann")
    with closing(open_local(settings)) as again:
        assert again.service.webhook_secret("ann") == secret
    key = local.service.ports.webhook_key
    assert key is not None
    assert len(key()) >= 32
    assert key() != (settings.data_dir / "secret").read_bytes()
