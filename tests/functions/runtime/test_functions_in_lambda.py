"""The functions under Lambda's runtime client, from what their images and zips hold."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloud.event_source import SCHEDULE, QueueSource
from cloud.layouts import CHECKOUT, PYTHON, Builder
from cloud.runtime_api import Function
from cloud.stage import Stage
from uploads import store_upload
from waiting import PATIENCE

from stylizer_service.adapters.aws import open_aws
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.models import StylizationRequest
from stylizer_service.records import Job
from stylizer_service.usecases import Service

Start = Callable[..., AbstractContextManager[Function]]

FIND = """
import json, os, sys
from importlib.util import find_spec
found = {name: spec.origin if (spec := find_spec(name)) else None for name in sys.argv[1:]}
json.dump({"path": [os.path.abspath(path) for path in sys.path], "found": found}, sys.stdout)
"""


@pytest.fixture(scope="module")
def service(stage: Stage) -> Iterator[Service]:
    """The use cases on the stage, with the test as their caller."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stage.environment.items():
            patch.setenv(name, value)
        yield open_aws(ApiSettings())


@pytest.fixture
def submit(service: Service, photo: bytes) -> Callable[[], Job]:
    """Ask for a small painting."""

    def submitted() -> Job:
        content = store_upload(service, photo)
        request = {"content": content, "style": "woodcut", "size": 64, "quality": "draft"}
        return job(service, service.create_stylization("ann", StylizationRequest.model_validate(request))[0].id)

    return submitted


def job(service: Service, job_id: str) -> Job:
    found = service.ports.jobs.get(job_id)
    assert found is not None
    return found


def deliver(stage: Stage, painter: Function, *, seconds: float = 900.0) -> tuple[bool | None, Any]:
    """Take one message to the painter; whether it is done with, and what the painter answered."""
    answers = []

    def invoke(event: dict[str, Any], context: Any) -> Any:  # noqa: ARG001 - the runtime client makes its own
        answers.append(painter.invoke(event, seconds=seconds))
        assert answers[-1].kind == "response", answers[-1].body
        return answers[-1].body

    done = QueueSource(stage.sqs, stage.paint_queue, invoke).deliver()
    return done, answers[-1].body


def empty(stage: Stage) -> None:
    """Take every message out of the paint queue. Purging is allowed once a minute."""
    while messages := stage.sqs.receive_message(QueueUrl=stage.paint_queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            stage.sqs.delete_message(QueueUrl=stage.paint_queue, ReceiptHandle=message["ReceiptHandle"])


def find(function: Function, *modules: str) -> dict[str, Any]:
    """Where a process like the function's would import modules from, and where it would look."""
    command = [*PYTHON, "-c", FIND, *modules]
    result = subprocess.run(
        command, cwd=function.folder, env=function.environment, capture_output=True, timeout=PATIENCE, check=True
    )
    return dict(json.loads(result.stdout))


def is_of_the_checkout(path: str) -> bool:
    """Whether a path leads to code in the checkout, which may well hold the interpreter and its library too."""
    place = Path(path).resolve()
    folders = [CHECKOUT / name for name in ("core", "functions", "layers", "tests")]
    return place == CHECKOUT or any(place.is_relative_to(folder) for folder in folders)


def files(folder: Path) -> set[Path]:
    """What is in a folder, relative to it."""
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_the_painter_paints_what_a_message_asks_for(
    stage: Stage, service: Service, painter: Function, submit: Callable[[], Job]
) -> None:
    empty(stage)
    asked = submit()
    done, answer = deliver(stage, painter)
    assert (done, answer) == (True, {"batchItemFailures": []})
    painted = job(service, asked.id)
    assert painted.status == "succeeded"
    assert painted.result is not None
    assert service.ports.blobs.size(painted.result.key) == painted.result.bytes
    assert f"{asked.id}: succeeded" in painter.log()


def test_painter_runs_on_a_read_only_image(builder: Builder, painter: Function) -> None:
    assert files(painter.folder) == files(builder.build("code").folder)


def test_missing_device_is_reported_before_any_message(
    start_image: Start, function_environment: dict[str, str]
) -> None:
    with start_image(function_environment | {"STYLIZER_DEVICE": "cuda:99"}) as function:
        report = function.report()
    assert report.kind == "init"
    assert "STYLIZER_DEVICE, in the environment, is 'cuda:99'" in report.body["errorMessage"]


def test_a_message_that_names_no_job_is_given_back_to_the_queue(stage: Stage, painter: Function) -> None:
    empty(stage)
    message = stage.sqs.send_message(QueueUrl=stage.paint_queue, MessageBody="not JSON")
    done, answer = deliver(stage, painter)
    assert (done, answer) == (False, {"batchItemFailures": [{"itemIdentifier": message["MessageId"]}]})
    assert '"FailedMessages":[1.0]' in painter.log()


def test_a_painter_without_time_hands_its_job_back(
    stage: Stage, service: Service, painter: Function, submit: Callable[[], Job]
) -> None:
    empty(stage)
    asked = submit()
    assert deliver(stage, painter, seconds=10) == (True, {"batchItemFailures": []})
    assert (job(service, asked.id).status, job(service, asked.id).attempt) == ("queued", 1)
    assert deliver(stage, painter) == (True, {"batchItemFailures": []})
    assert job(service, asked.id).status == "succeeded"


def test_the_api_answers_and_takes_work(
    stage: Stage, api: Function, behind_gateway: Callable[..., httpx.Client], photo: bytes
) -> None:
    empty(stage)
    client = behind_gateway(lambda event, _: api.invoke(event, seconds=29).body, "secret", keys={"secret": "ann"})
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/v1/styles/woodcut/image").content[8:12] == b"WEBP"
    assert client.get("/").headers["content-type"].startswith("text/html")
    answer = client.post("/v1/stylizations", data={"style": "woodcut"}, files={"content": ("photo.jpg", photo)})
    assert answer.status_code == 202, answer.text
    message = stage.sqs.receive_message(QueueUrl=stage.paint_queue)["Messages"][0]
    assert json.loads(message["Body"]) == {"job_id": answer.json()["id"]}


def test_missing_setting_is_reported_before_any_event(start_zip: Start, function_environment: dict[str, str]) -> None:
    environment = {key: value for key, value in function_environment.items() if key != "STYLIZER_TABLE"}
    with start_zip("reconciler", environment) as function:
        report = function.report()
    assert report.kind == "init"
    assert "STYLIZER_TABLE" in report.body["errorMessage"]


def test_schedule_requeues_a_job_that_is_in_no_queue(
    stage: Stage, reconciler: Function, submit: Callable[[], Job]
) -> None:
    forgotten = submit()
    empty(stage)
    assert reconciler.invoke(SCHEDULE) == ("response", None)
    messages = stage.sqs.receive_message(QueueUrl=stage.paint_queue, MaxNumberOfMessages=10)["Messages"]
    assert {"job_id": forgotten.id} in [json.loads(message["Body"]) for message in messages]


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("painter", ["stylizer_painter.lambda_handler", "stylizer", "stylizer_service", "awslambdaric"]),
        ("api", ["stylizer_api.lambda_handler", "stylizer_service", "fastapi"]),
        ("reconciler", ["stylizer_reconciler.lambda_handler", "stylizer_service", "boto3"]),
    ],
)
def test_what_is_deployed_is_what_runs(name: str, modules: list[str], request: pytest.FixtureRequest) -> None:
    """The checkout is installed in the python of the tests, and would hide whatever is missing in a zip or an image."""
    found = find(request.getfixturevalue(name), *modules)
    assert None not in found["found"].values()
    places = [*found["path"], *found["found"].values()]
    assert [place for place in places if is_of_the_checkout(place)] == []


@pytest.mark.parametrize("name", ["api", "reconciler"])
def test_functions_that_do_not_paint_have_no_painting_code(name: str, request: pytest.FixtureRequest) -> None:
    found = find(request.getfixturevalue(name), "torch", "numpy", "stylizer.painting")
    assert found["found"] == {"torch": None, "numpy": None, "stylizer.painting": None}
