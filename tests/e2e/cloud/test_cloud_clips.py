"""Clips in chunks: one chunk a message, painted by several painters, joined once."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from cloud.stage import PAST
from disk_clips import gif, read_frames, video

from stylizer import clips
from stylizer.errors import CorruptImage
from stylizer_service.jobs import chunks
from stylizer_service.jobs.leases import Lease

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from .conftest import World

FRAMES = 40
ONCE = [(0, 1), (1, 16), (16, 17), (17, 24), (24, 25), (25, 40)]
"""Segments of a clip in chunks: each key frame, and the frames between two of them."""
CLIP = {"method": "color", "animate": True, "format": "png"}

Painted = list[tuple[int, int]]


@pytest.fixture(autouse=True)
def chunks_of_16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZER_CLIP_CHUNK_FRAMES", "16")
    monkeypatch.setenv("STYLIZER_REQUEUE_AFTER", "0")


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> Painted:
    """The segments painted so far, in order."""
    paint_segment, segments = clips.paint_segment, Painted()

    def paint(source: bytes, info: clips.ClipInfo, segment: clips.Segment, *rest: Any, **options: Any) -> Any:
        segments.append((segment.start, segment.stop))
        return paint_segment(source, info, segment, *rest, **options)

    monkeypatch.setattr(clips, "paint_segment", paint)
    return segments


def accept(world: World, **fields: Any) -> str:
    return world.accept(world.upload(gif(FRAMES), "image/gif"), **CLIP, **fields)


def divide(world: World, job_id: str) -> list[MessageTypeDef]:
    """Have the key frames painted; return the messages of the chunks."""
    assert world.painter.deliver()
    assert world.job(job_id)["status"] == "running"
    return sorted(world.painter.receive(10), key=lambda message: message["Body"])


def chunk_id(job_id: str, start: int) -> str:
    return f"{job_id}/chunks/{start:05}"


def at_once(world: World, messages: Sequence[MessageTypeDef]) -> list[bool]:
    """Handle messages by as many painters at once."""
    outcomes: list[bool] = []
    threads = [
        threading.Thread(target=lambda one: outcomes.append(world.painter.handle(one)), args=[message])
        for message in messages
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def result_of(world: World, job_id: str) -> bytes:
    leads = world.ann.get(f"v1/stylizations/{job_id}/image")
    assert leads.status_code == 303, leads.text
    return world.store.get(leads.headers["location"]).content


def files(world: World, job_id: str) -> list[str]:
    listed = world.stage.s3.list_objects_v2(Bucket=world.stage.results, Prefix=f"jobs/{job_id}/")
    return [entry["Key"].removeprefix(f"jobs/{job_id}/") for entry in listed.get("Contents", ())]


def status(world: World, job_id: str) -> str:
    item = world.stage.dynamodb.get_item(TableName=world.stage.table, Key={"pk": {"S": job_id}})["Item"]
    return item["status"]["S"]


def expire_lease(world: World, job_id: str) -> None:
    """Let the lease of a dead painter expire, and what is due be done."""
    world.stage.change(job_id, lease_expires_at=PAST)
    world.reconcile()


def delete(world: World, job_id: str, prefix: str) -> None:
    (name,) = [name for name in files(world, job_id) if name.startswith(prefix)]
    world.stage.s3.delete_object(Bucket=world.stage.results, Key=f"jobs/{job_id}/{name}")


def test_chunks_by_several_painters_make_the_clip_of_one(world: World, painted: Painted) -> None:
    alone = accept(world)
    world.painter.drain()
    expected = result_of(world, alone)
    assert sorted(painted) == ONCE
    assert len(read_frames(expected)) == FRAMES
    painted.clear()

    together = accept(world)
    first, second, third = divide(world, together)
    # Reordered and twice; each at once with its double.
    assert at_once(world, [third, third, second, second, first, first]).count(False) == 0
    world.painter.drain()

    assert sorted(painted) == ONCE
    assert result_of(world, together) == expected
    job = world.job(together)
    assert (job["status"], job["progress"], job["result"]["frames"]) == ("succeeded", 1.0, FRAMES)
    assert sorted(name.rpartition("/")[2] for name in files(world, together)) == [
        "content",
        "preview.jpg",
        "result.png",
    ]
    assert world.painter.handle(second)  # late
    assert result_of(world, together) == expected
    assert sorted(painted) == ONCE


@pytest.mark.parametrize(
    ("owner", "method", "call"), [(Lease, "finish_chunk", 1), (chunks, "on_chunk_done", 3), (Lease, "succeed", 1)]
)
def test_painter_that_dies_after_storing_repeats_nothing(
    world: World, painted: Painted, monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, call: int
) -> None:
    job_id = accept(world)
    messages = divide(world, job_id)
    alive, calls = getattr(owner, method), 0

    def die(*arguments: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise SystemExit  # as if the process were killed; its message stays hidden
        alive(*arguments, **options)

    monkeypatch.setattr(owner, method, die)
    for message in messages:
        with suppress(SystemExit):
            world.painter.handle(message)
    with suppress(SystemExit):
        world.painter.drain()
    assert calls >= call
    assert world.job(job_id)["status"] == "running"

    for dead in (chunk_id(job_id, 0), job_id):
        expire_lease(world, dead)
        world.painter.drain()

    assert world.job(job_id)["status"] == "succeeded"
    assert len(read_frames(result_of(world, job_id))) == FRAMES
    assert sorted(painted) == ONCE


def test_chunk_whose_message_was_lost_is_sent_again(world: World, painted: Painted) -> None:
    job_id = accept(world)
    first, lost, third = divide(world, job_id)
    world.stage.sqs.delete_message(QueueUrl=world.stage.paint_queue, ReceiptHandle=lost["ReceiptHandle"])
    assert at_once(world, [first, third]) == [True, True]
    assert world.painter.drain() == []

    world.reconcile()
    world.painter.drain()

    assert world.job(job_id)["status"] == "succeeded"
    assert sorted(painted) == ONCE


def test_killed_chunk_painter_repeats_only_its_segment(
    world: World, painted: Painted, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = accept(world)
    first, *others = divide(world, job_id)
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "add_segment", Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            world.painter.handle(first)
    assert at_once(world, others) == [True, True]
    expire_lease(world, chunk_id(job_id, 0))
    world.painter.drain()

    assert world.job(job_id)["status"] == "succeeded"
    assert sorted(painted) == sorted([*ONCE, (1, 16)])


@pytest.mark.parametrize("when", ["before its chunks", "before it is joined"])
@pytest.mark.parametrize("lost", ["segments/00001", "segments/00002"])
def test_lost_key_frame_of_chunks_is_painted_again(world: World, painted: Painted, lost: str, when: str) -> None:
    job_id = accept(world)
    messages = divide(world, job_id)
    if when == "before its chunks":
        delete(world, job_id, lost)
    at_once(world, messages)
    if when == "before it is joined":
        delete(world, job_id, lost)
    for start in (0, 16, 24):
        world.painter.drain()
        expire_lease(world, chunk_id(job_id, start))
    world.painter.drain()

    assert world.job(job_id)["status"] == "succeeded"
    assert len(read_frames(result_of(world, job_id))) == FRAMES
    assert set(painted) == set(ONCE)


def test_lost_segment_of_a_chunk_is_painted_again(world: World, painted: Painted) -> None:
    job_id = accept(world)
    messages = divide(world, job_id)
    assert at_once(world, messages) == [True] * 3
    delete(world, job_id, "chunks/00016/segments/")
    world.painter.drain()

    assert world.job(job_id)["status"] == "succeeded"
    assert len(read_frames(result_of(world, job_id))) == FRAMES
    assert sorted(painted) == sorted([*ONCE, (17, 24)])


def test_canceled_clip_stops_its_chunks(world: World, painted: Painted, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = accept(world)
    messages = divide(world, job_id)
    report = Lease.report

    def cancel(lease: Lease, progress: float, preview: bytes | None = None) -> None:
        world.ann.post(f"v1/stylizations/{job_id}/cancel")
        report(lease, progress, preview)

    monkeypatch.setattr(Lease, "report", cancel)
    for message in messages:
        assert world.painter.handle(message)
    world.reconcile()

    assert world.painter.drain() == []
    assert world.job(job_id)["status"] == "canceled"
    assert painted == [ONCE[0], ONCE[2], ONCE[4], ONCE[1]]
    assert {status(world, chunk_id(job_id, start)) for start in (0, 16, 24)} == {"canceled"}
    assert not [name for name in files(world, job_id) if name.startswith(("segments/", "chunks/"))]


@pytest.mark.parametrize(("cause", "code"), [("error", "corrupt-image"), ("dead letter", "painting-failed")])
def test_failed_chunk_fails_the_clip_once(world: World, monkeypatch: pytest.MonkeyPatch, cause: str, code: str) -> None:
    job_id = accept(world, webhook="https://example.com/painted")
    messages = divide(world, job_id)
    if cause == "error":
        broken = CorruptImage("the clip is broken at frame 20", field="content")
        monkeypatch.setattr(clips, "paint_segment", Mock(side_effect=broken))
    else:
        body = json.dumps({"job_id": chunk_id(job_id, 16)})
        world.stage.sqs.send_message(QueueUrl=world.stage.dead_letters, MessageBody=body)
        assert world.dead_letters.drain() == [True]
    assert at_once(world, messages) == [True] * 3
    world.reconcile()

    job = world.job(job_id)
    assert job["status"] == "failed"
    assert job["error"]["type"].endswith(code)
    assert world.stage.waiting(world.stage.webhook_queue) == 1
    assert world.painter.drain() == []


def test_broken_video_that_only_painters_read_fails_the_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer_service.probe.probe_clip", lambda *_, **__: None)  # as without PyAV
    whole = video(12)
    job_id = world.accept(world.upload(whole[: len(whole) // 2], "video/mp4"), method="color")

    assert world.painter.drain() == [True]
    error = world.job(job_id)["error"]
    assert error["field"] == "content"
    assert error["type"].endswith("corrupt-image")


def test_chunks_are_hidden_from_callers(world: World) -> None:
    job_id = accept(world)
    divide(world, job_id)

    assert [job["id"] for job in world.ann.get("v1/stylizations").json()["items"]] == [job_id]
    assert world.ann.get(f"v1/stylizations/{job_id}%2Fchunks%2F00000").status_code == 404
