"""Painting by the GPU endpoint: a real container process, and a fake of SageMaker."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from clocks import go_ahead
from cloud.container import Container
from cloud.control_plane import ControlPlane
from cloud.event_source import Event, notice
from cloud.stage import Stage
from waiting import PATIENCE

if TYPE_CHECKING:
    from .conftest import World

    Reconcile = Callable[[Event], None]

LEASE = 60.0
# The queue of this stage has time for next to nothing of the slower methods.
SLOW = {"method": "optimization", "quality": "draft", "size": 64}
ENDLESS = {"method": "optimization", "quality": "high", "size": 1024}


@pytest.fixture
def plane(stage: Stage, reconciler: Reconcile, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    """The endpoint, to which goes what would take the queue's painters more than their time."""
    plane = ControlPlane(stage.s3, stage.results, lambda message: reconciler(notice(message)))
    settings = {
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": plane.url,
        "STYLIZER_ENDPOINT_NAME": "painter",
        "STYLIZER_GPU": "true",
        "STYLIZER_PAINTER_SECONDS": "5",
        "STYLIZER_LEASE_SECONDS": str(LEASE),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    stage.environment.update(settings)
    with plane.running():
        yield plane


@pytest.fixture
def container(plane: ControlPlane, stage: Stage, tmp_path: Path) -> Iterator[Container]:
    container = Container(stage, tmp_path)
    container.wait_until_well()
    plane.container = container.url
    yield container
    if container.process.poll() is None:
        container.process.kill()
    container.process.wait()


def test_jobs_too_large_for_the_queue_go_to_the_endpoint(
    world: World, plane: ControlPlane, container: Container, photo: bytes
) -> None:
    quick = world.accept(world.upload(photo))
    job_id = world.accept(world.upload(photo), **SLOW)
    assert world.stage.waiting(world.stage.paint_queue) == 1
    assert plane.finish() == [f'{{"job_id":"{job_id}","outcome":"succeeded"}}'], container.log.read_text()

    job = world.job(job_id)
    assert (job["status"], job["method"]) == ("succeeded", "optimization")
    assert world.image(job_id).size == (64, 48)
    call = plane.invocations[0]
    assert call["x-amzn-sagemaker-inference-id"] == job_id
    assert call["x-amzn-sagemaker-inputlocation"].startswith(f"s3://{world.stage.results}/jobs/{job_id}/")
    assert world.job(quick)["status"] == "queued"


def test_cancellation_stops_painting_in_the_container(
    world: World, plane: ControlPlane, container: Container, photo: bytes
) -> None:
    job_id = world.accept(world.upload(photo), **ENDLESS)
    container.wait_for(lambda: world.job(job_id)["progress"] > 0)
    assert world.ann.post(f"v1/stylizations/{job_id}/cancel").json()["status"] == "canceled"

    assert '"outcome":"lost"' in plane.finish()[0]
    assert world.job(job_id)["status"] == "canceled"


def test_stopping_container_hands_its_job_to_the_next(
    world: World, plane: ControlPlane, container: Container, photo: bytes
) -> None:
    job_id = world.accept(world.upload(photo), **ENDLESS)
    container.wait_for(lambda: world.job(job_id)["progress"] > 0)
    plane.container = None
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(PATIENCE) == 0

    job = world.job(job_id)
    assert (job["status"], job["progress"]) == ("queued", 0.0)
    assert len(plane.invocations) == 2


def test_job_of_a_killed_container_is_sent_again(
    world: World, plane: ControlPlane, container: Container, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = world.accept(world.upload(photo), **ENDLESS)
    container.wait_for(lambda: world.job(job_id)["progress"] > 0)
    plane.container = None
    container.process.kill()
    plane.finish()
    assert world.job(job_id)["status"] == "running"  # its lease is not over yet
    go_ahead(monkeypatch, seconds=LEASE)
    world.reconcile()
    assert (world.job(job_id)["status"], len(plane.invocations)) == ("queued", 2)
    plane.expire()
    plane.finish()

    # The second one found no instance at all, nor did a third: an end, with a reason that says no more than it should.
    assert len(plane.invocations) == 3
    error = world.job(job_id)["error"]
    assert (world.job(job_id)["status"], error["type"]) == ("failed", "/problems/painting-failed")
    assert error["detail"] == "the GPU painter failed before it could paint this; try again later"


def test_invocation_without_job_id_is_rejected(container: Container) -> None:
    for body in (b"", b"[]", b"{}", b"\xff"):
        answer = httpx.post(f"{container.url}/invocations", content=body)
        assert (answer.status_code, answer.json()) == (400, {"error": 'the body must be {"job_id": "stz_\u2026"}'})
    assert httpx.post(f"{container.url}/invocations", json={"job_id": "stz_nothing"}).json()["outcome"] == "skipped"


def test_switched_off_gpu_ends_its_jobs_and_nothing_else(
    world: World, plane: ControlPlane, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = world.accept(world.upload(photo), **SLOW)
    spared = world.accept(world.upload(photo))
    assert len(plane.invocations) == 1
    monkeypatch.delenv("STYLIZER_ENDPOINT_NAME")
    monkeypatch.delenv("STYLIZER_GPU")
    for function in ("api", "painter", "reconciler"):  # as a deploy restarts them
        sys.modules.pop(f"stylizer_{function}.lambda_handler", None)

    world.reconcile()
    assert world.job(lost)["error"]["type"] == "/problems/painting-failed"
    assert world.job(spared)["status"] == "queued"
    world.reconcile()  # it goes on, minute by minute
