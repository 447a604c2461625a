"""What goes wrong on AWS: messages twice, painters that die, stores that refuse, files that lie. Nothing is lost."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import pytest
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from clocks import go_ahead
from cloud.event_source import QueueSource
from cloud.processes import FunctionProcess
from cloud.stage import TRIES, Stage
from pictures import bomb
from waiting import wait_for

from stylizer_service.adapters.aws import open_ports
from stylizer_service.adapters.aws.settings import PainterSettings
from stylizer_service.jobs.leases import LeaseLost, claim
from stylizer_service.jobs.reconcile import reconcile_jobs

if TYPE_CHECKING:
    from .conftest import World

PAINTER = "stylizer_painter.lambda_handler"
ENDLESS = {"method": "texture", "quality": "high", "size": 1024}


def copy_of_message(stage: Stage, job_id: str) -> None:
    stage.sqs.send_message(QueueUrl=stage.paint_queue, MessageBody=json.dumps({"job_id": job_id}))


def results(world: World, job_id: str) -> list[str]:
    listed = world.stage.s3.list_objects_v2(Bucket=world.stage.results, Prefix=f"jobs/{job_id}/")
    return [entry["Key"] for entry in listed.get("Contents", ()) if "/result." in entry["Key"]]


def attempts(world: World, job_id: str) -> int:
    item = world.stage.dynamodb.get_item(TableName=world.stage.table, Key={"pk": {"S": job_id}})["Item"]
    return int(item["attempt"]["N"])


def test_duplicate_message_is_painted_once(world: World, photo: bytes) -> None:
    job_id = world.accept(world.upload(photo))
    copy_of_message(world.stage, job_id)
    with world.painting(), world.painting():
        wait_for(lambda: world.job(job_id)["status"] == "succeeded")
        wait_for(lambda: world.stage.waiting(world.stage.paint_queue) == 0)
    done = world.job(job_id)
    copy_of_message(world.stage, job_id)

    assert world.painter.drain() == [True]
    assert world.job(job_id)["result"]["sha256"] == done["result"]["sha256"]
    assert (attempts(world, job_id), len(results(world, job_id))) == (1, 1)


def test_job_of_a_killed_painter_is_painted_once_by_another(
    world: World, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = world.accept(world.upload(photo), method="texture", size=256)
    painter = FunctionProcess(PAINTER, world.stage.environment)
    source = QueueSource(world.stage.sqs, world.stage.paint_queue, painter)
    ended: list[bool | None] = []
    thread = threading.Thread(target=lambda: ended.append(source.deliver()))
    thread.start()
    wait_for(lambda: world.job(job_id)["status"] == "running")
    assert painter.running is not None
    painter.running.kill()
    thread.join()
    assert ended == [False]
    # Its message is hidden for as long as a painting may take: it is the sweep that finds the job.
    assert world.painter.deliver() is None
    go_ahead(monkeypatch, minutes=1)
    world.reconcile()

    assert world.painter.drain() == [True]
    assert world.job(job_id)["status"] == "succeeded"
    assert (attempts(world, job_id), len(results(world, job_id))) == (2, 1)
    assert world.image(job_id).size == (256, 192)


def test_painter_releases_its_job_before_its_deadline(world: World, photo: bytes) -> None:
    job_id = world.accept(world.upload(photo), **ENDLESS)
    painter = FunctionProcess(PAINTER, world.stage.environment)
    source = QueueSource(world.stage.sqs, world.stage.paint_queue, painter, seconds=33)
    assert source.deliver() is True

    job = world.job(job_id)
    assert (job["status"], job["progress"], attempts(world, job_id)) == ("queued", 0.0, 1)
    assert world.stage.waiting(world.stage.paint_queue) == 1


def refusing(client_of: Literal["s3", "dynamodb"], times: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have a service answer the next requests of this process that it is asked too much; gives what they were."""
    answers = {
        "s3": (503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"),
        "dynamodb": (400, b'{"__type": "ProvisionedThroughputExceededException", "message": "too much"}'),
    }
    refused: list[str] = []
    made = BaseClient.__init__

    def refuse(request: Any, event_name: str, **_: object) -> Any:
        if len(refused) >= times:
            return None
        refused.append(event_name.rpartition(".")[2])
        status, body = answers[client_of]

        class Raw(io.BytesIO):
            def stream(self, **_: object) -> Iterator[bytes]:
                yield self.read()

        return AWSResponse(request.url, status, HTTPHeaders(), Raw(body))

    def init(self: BaseClient, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        if self.meta.service_model.service_name == client_of:
            self.meta.events.register("before-send.*", refuse)

    monkeypatch.setattr(BaseClient, "__init__", init)
    return refused


def test_message_returns_while_the_table_is_unavailable(
    world: World, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = world.accept(world.upload(photo))
    monkeypatch.setattr(import_module(PAINTER), "_RETRY_SECONDS", 1)
    refused = refusing("dynamodb", 4, monkeypatch)
    assert world.painter.drain() == [False]
    assert refused == ["GetItem"] * 4
    assert world.job(job_id)["status"] == "queued"

    wait_for(lambda: world.stage.waiting(world.stage.paint_queue) == 1)
    assert world.painter.drain() == [True]
    assert world.job(job_id)["status"] == "succeeded"


def test_unprocessable_messages_are_dead_letters_with_a_reason(
    world: World, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = world.accept(world.upload(photo))
    for poison in ("not JSON", "[]", '{"id": 1}'):
        world.stage.sqs.send_message(QueueUrl=world.stage.paint_queue, MessageBody=poison)

    def fail(*_: object, **__: object) -> None:
        raise OSError("no disk")

    monkeypatch.setattr("stylizer_painter.painting.claim", fail)
    monkeypatch.setattr(import_module(PAINTER), "_RETRY_SECONDS", 0)
    assert world.painter.drain() == [False] * 4 * TRIES
    assert world.stage.waiting(world.stage.dead_letters) == 4
    assert world.dead_letters.drain() == [True] * 4

    job = world.job(job_id)
    assert (job["status"], job["error"]["type"]) == ("failed", "/problems/painting-failed")
    assert job["error"]["detail"] == "several painters failed to process this; see the log"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (b"<html>not a picture</html>", "unsupported-image"),
        (bomb(), "too-many-pixels"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40_000), "image-too-large"),
    ],
    ids=["text", "bomb", "too long"],
)
def test_file_unlike_its_forms_media_type_is_refused_on_use(
    world: World, file: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "image-too-large":
        monkeypatch.setenv("STYLIZER_MAX_BYTES", "30000")  # moto lets the form take more than it says
    answer = world.ask(world.upload(file))
    problem = answer.json()

    assert (problem["type"], problem["field"]) == (f"/problems/{kind}", "content"), problem
    assert answer.status_code == problem["status"] in (413, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["allowed"]
    assert world.stage.s3.list_objects_v2(Bucket=world.stage.results)["KeyCount"] == 0


def test_job_can_be_canceled_in_every_non_final_state(world: World, photo: bytes) -> None:
    content = world.upload(photo)

    def cancel(job_id: str) -> tuple[int, str]:
        answer = world.ann.post(f"v1/stylizations/{job_id}/cancel")
        return answer.status_code, answer.json()["status" if answer.is_success else "type"]

    waiting = world.accept(content)
    assert [cancel(waiting), cancel(waiting)] == [(200, "canceled")] * 2
    assert world.painter.drain() == [True]
    assert (world.job(waiting)["status"], attempts(world, waiting)) == ("canceled", 0)

    running = world.accept(content, **ENDLESS)
    with world.painting():
        wait_for(lambda: world.job(running)["progress"] > 0)
        assert cancel(running) == (200, "canceled")
        wait_for(lambda: unseen(world.stage) == 0)
    assert (world.job(running)["status"], results(world, running)) == ("canceled", [])

    done = world.accept(content)
    world.painter.drain()
    assert cancel(done) == (409, "/problems/conflict")
    assert world.job(done)["status"] == "succeeded"


def unseen(stage: Stage) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = stage.sqs.get_queue_attributes(QueueUrl=stage.paint_queue, AttributeNames=names)["Attributes"]
    return sum(int(count) for count in found.values())


class Skewed:
    """A clock that goes wrong by so many seconds."""

    def __init__(self, seconds: float):
        self._error = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._error


@pytest.mark.parametrize("seconds", [20, 60])
def test_painters_whose_clocks_differ_never_both_end_a_job(world: World, photo: bytes, seconds: float) -> None:
    job_id = world.accept(world.upload(photo))
    settings = PainterSettings()
    first_ports, second_ports = open_ports(settings), open_ports(settings, Skewed(seconds))
    first = claim(first_ports, settings, job_id)
    assert first is not None
    reconcile_jobs(second_ports, settings)
    second = claim(second_ports, settings, job_id)
    # Within the lease a wrong clock takes nothing away; beyond it the job goes to the second, and to it alone.
    assert (second is not None) == (seconds > settings.lease_seconds)
    winner, loser = (second, first) if second else (first, None)
    if loser:
        with pytest.raises(LeaseLost):
            loser.succeed(b"late", preview=b"late", width=1, height=1)
        loser.abandon()
    winner.succeed(b"painting", preview=b"small", width=1, height=1)

    assert results(world, job_id) == [f"{winner.job.work_folder}result.jpg"]
    assert world.job(job_id)["status"] == "succeeded"
