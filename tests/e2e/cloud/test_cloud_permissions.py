"""The roles of the stack let each function do what it does, and no more: what one asks for and may do is compared.

The functions run with the environment that the stack gives them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cloud.calls import Recorder
from cloud.control_plane import ControlPlane
from cloud.event_source import LambdaContext, QueueSource, notice
from cloud.receiver import stranger
from cloud.roles import Deployment
from cloud.stage import PAST, Stage
from disk_clips import gif

from infra.app import make_app
from infra.settings import stage_settings
from stylizer_painter.painting import paint_job
from stylizer_service.adapters.aws import open_ports
from stylizer_service.adapters.aws.settings import PainterSettings
from stylizer_service.models import PaintingOptions

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.xdist_group("infra")

STYLES = Path(__file__).parents[3] / "core/stylizer/styles"
GPU = {"method": "optimization", "quality": "high", "size": 2048}

_RUNNING = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
_TAKING = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
BY_AWS = {
    "api": _RUNNING,
    "painter": _RUNNING | _TAKING,
    "reconciler": _RUNNING | _TAKING | {"sqs:SendMessage"},  # what it fails at goes to the queue of the undelivered
    "gpu": {
        "cloudwatch:PutMetricData",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "s3:PutObject",  # the answer of the container
        "sns:Publish",
    },
}
"""What a role allows and no code of ours asks for: Lambda and SageMaker do, in the function's name."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a stage that has everything."""
    settings = stage_settings({"all": {"gpu": True}}, "all")
    assembly = make_app(settings, str(tmp_path_factory.mktemp("assembly"))).synth()
    return dict(assembly.stacks[0].template)


@pytest.fixture
def deployment(template: dict[str, Any], stage: Stage) -> Deployment:
    return Deployment(template, stage)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


@pytest.fixture
def surround(deployment: Deployment, recorder: Recorder) -> Callable[[str], AbstractContextManager[None]]:
    """Each function has the environment of the template, and what it asks for is kept."""

    @contextmanager
    def deployed(function: str) -> Iterator[None]:
        given = {**deployment.environment(function), "STYLIZER_STYLES_DIR": str(STYLES)}
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("STYLIZER_")]:
                patch.delenv(name)
            for name, value in given.items():
                patch.setenv(name, value)
            with recorder.as_function(function):
                yield

    return deployed


@pytest.fixture
def plane(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    """An endpoint without an instance: invocations wait."""
    plane = ControlPlane(stage.s3, stage.results, lambda _: None)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", plane.url)
    with plane.running():
        yield plane


def leave(stage: Stage, job_id: str) -> None:
    """Have a job as a painter leaves it that was killed."""
    stage.s3.put_object(Bucket=stage.results, Key=f"jobs/{job_id}/dead/preview.jpg", Body=b"sketch")
    stage.change(job_id, status="running", status_list="stz#running", lease_token="dead", lease_expires_at=PAST)


def use_the_api(world: World, photo: bytes) -> list[str]:
    """Everything that callers can do; gives the ids of jobs that wait."""
    upload = world.upload(photo)
    style = world.ann.post("v1/styles", json={"upload": upload, "title": "Mine"}).json()["id"]
    assert world.store.get(world.ann.get(f"v1/styles/{style}/image").headers["location"]).content == photo
    request = {
        "content": upload,
        "style": style,
        "size": 64,
        "quality": "draft",
        "webhook": "https://hooks.example/painted",
    }
    for replayed in (None, "true"):
        answer = world.ann.post("v1/stylizations", json=request, headers={"Idempotency-Key": "once"})
        assert (answer.status_code, answer.headers.get("idempotency-replayed")) == (202, replayed)
    form = {"style": "woodcut", "size": "64", "quality": "draft"}
    sent = world.ann.post("v1/stylizations", data=form, files={"content": ("cat.jpg", photo)})
    slow = world.accept(upload, **GPU, webhook=request["webhook"])
    canceled = world.accept(upload, webhook=request["webhook"])
    assert world.ann.post(f"v1/stylizations/{canceled}/cancel").status_code == 200
    for path in (f"stylizations/{canceled}", f"styles/{style}", f"uploads/{world.upload(photo)}"):
        assert world.ann.post(f"v1/{path}/delete").is_success
    assert world.ask(world.upload(b"no picture")).status_code == 422
    assert world.ask(world.ann.post("v1/uploads", json={"media_type": "image/png"}).json()["id"]).status_code == 409
    assert len(world.ann.get("v1/stylizations").json()["items"]) == 4
    assert len(world.ann.get("v1/stylizations?status=queued").json()["items"]) == 3
    assert style not in world.ann.get("v1/styles?limit=100").text
    for path in ("v1/webhook-secret", "healthz", "", "docs", "openapi.json"):
        assert world.ann.get(path).status_code == 200
    return [answer.json()["id"], sent.json()["id"], slow]


def use_the_painter(world: World, jobs: list[str]) -> None:
    """Hand a job back, paint, one after a painter that died, fail at a message, and paint a clip in chunks."""
    source = QueueSource(world.stage.sqs, world.stage.paint_queue, world.painter.handler, seconds=1)
    assert source.deliver() is True  # too late to paint it: it is sent again
    leave(world.stage, jobs[1])
    world.stage.sqs.send_message(QueueUrl=world.stage.paint_queue, MessageBody="no job")
    assert sorted(world.painter.drain()) == [False, True, True, True, True]
    for job_id in jobs:
        job = world.job(job_id)
        assert job["status"] == "succeeded", job
        assert world.image(job_id).size == (64, 48)
    clip = world.accept(world.upload(gif(56), "image/gif"), method="color", animate=True)
    assert world.painter.drain().count(True) == 4  # key frames, two chunks, and both joined
    assert world.job(clip)["status"] == "succeeded"


def use_the_endpoint(world: World, job_id: str) -> None:
    """Hand a job back, and paint it, smaller than was asked for to be done sooner."""
    settings = PainterSettings()
    ports = open_ports(settings)
    assert paint_job(ports, settings, job_id, should_stop=lambda: True) == "released"
    leave(world.stage, job_id)
    world.stage.change(job_id, options=PaintingOptions(size=64, quality="draft").model_dump_json())
    assert paint_job(ports, settings, job_id) == "succeeded"


def use_reconciler(world: World, jobs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliver webhooks, handle dead letters, requeue jobs with expired leases, and delete expired data."""
    painted, other, slow = jobs
    with stranger(trustme.CA()) as receiver:
        receiver.answers = [503]
        monkeypatch.setattr(import_module("stylizer_reconciler.lambda_handler"), "_sender", receiver.sender)
        monkeypatch.setattr("stylizer_service.outbound.addresses._SPECIAL_V4", [])
        assert set(world.webhooks.drain()) == {True}
    world.stage.sqs.send_message(QueueUrl=world.stage.dead_letters, MessageBody=f'{{"job_id": "{painted}"}}')
    assert world.dead_letters.drain() == [True]
    for job_id in (other, slow):
        leave(world.stage, job_id)
    world.reconcile()
    assert {world.job(job_id)["status"] for job_id in (other, slow)} == {"queued"}
    world.stage.sqs.purge_queue(QueueUrl=world.stage.paint_queue)
    world.stage.change(painted, expires_at=PAST, notify_list="due", notify_at=PAST)
    for item in world.stage.dynamodb.scan(TableName=world.stage.table)["Items"]:
        if item["pk"]["S"].startswith("upl_"):
            world.stage.change(item["pk"]["S"], expires_at=PAST)
    world.reconcile()
    assert world.ann.get(f"v1/stylizations/{painted}").status_code == 404
    world.invoke_reconciler(notice('{"inferenceId": "stz_nothing", "invocationStatus": "Completed"}'), LambdaContext())


@pytest.mark.usefixtures("plane")
def test_each_role_allows_exactly_its_functions_calls(
    world: World,
    photo: bytes,
    deployment: Deployment,
    recorder: Recorder,
    surround: Callable[[str], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = use_the_api(world, photo)
    use_the_painter(world, jobs[:2])
    with surround("gpu"):
        use_the_endpoint(world, jobs[2])
    use_reconciler(world, jobs, monkeypatch)

    assert set(recorder.calls) == set(BY_AWS)
    for function, calls in recorder.calls.items():
        grants = deployment.grants(function)
        missing = {call for call in calls if not any(grant.covers(call) for grant in grants)}
        assert not missing, f"{function} may not {missing}"
        unused = {grant for grant in grants if not any(grant.covers(call) for call in calls)}
        idle = {grant for grant in unused if grant.action not in BY_AWS[function]}
        assert not idle, f"{function} never does {idle}"
