"""Painting of clips, segment by segment."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from disk_clips import gif, read_frames, video

from stylizer import clips
from stylizer_painter import clip_painting
from stylizer_painter.local_worker import paint_next
from stylizer_painter.painting import Outcome
from stylizer_service.adapters.local import Local
from stylizer_service.inputs import upload_key
from stylizer_service.models import StylizationRequest

Submit = Callable[..., str]
Paint = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def segments_of_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use segments of 8 frames instead of 16, so that tests need half as many frames."""
    monkeypatch.setattr(clip_painting, "SEGMENT_FRAMES", 8)


@pytest.fixture
def submit_clip(local: Local) -> Submit:
    """Return a function (file, **fields) that requests a painting of a clip and returns the id of the job."""

    def submitted(content: bytes, **fields: object) -> str:
        upload = local.service.create_upload("ann", "image/gif").id
        local.service.ports.blobs.put(upload_key(upload), content, "image/gif")
        request = {
            "content": upload,
            "style": "woodcut",
            "size": 64,
            "method": "color",
            "quality": "draft",
        } | fields
        return local.service.create_stylization("ann", StylizationRequest.model_validate(request))[0].id

    return submitted


def result_of(local: Local, job_id: str) -> bytes:
    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert job.result is not None, job.error
    with local.blobs.open(job.result.key) as file:
        return file.read()


@pytest.mark.parametrize("form", ["gif", "webp", "png", "mp4"])
def test_gif_is_painted_as_every_format(local: Local, submit_clip: Submit, paint: Paint, form: str) -> None:
    job_id = submit_clip(gif(5), animate=True, format=form)

    assert paint(job_id) == "succeeded"

    seen = local.service.get_stylization("ann", job_id)
    assert seen.result is not None
    assert (seen.result.frames, seen.result.duration) == (5, 0.4)
    frames = read_frames(result_of(local, job_id))
    assert len(frames) == 5
    assert {frame.size for frame in frames} == {(seen.result.width, seen.result.height)}
    assert seen.result.media_type == {"mp4": "video/mp4"}.get(form, f"image/{form}")


def test_video_is_painted_as_mp4(local: Local, submit_clip: Submit, paint: Paint) -> None:
    pytest.importorskip("av")
    job_id = submit_clip(video(5, kind="webm"))

    assert paint(job_id) == "succeeded"

    seen = local.service.get_stylization("ann", job_id)
    assert seen.options.format == "mp4"
    assert len(read_frames(result_of(local, job_id))) == 5


def test_painter_after_a_dead_one_repeats_no_segment(
    local: Local, submit_clip: Submit, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = gif(18)
    whole = submit_clip(content, animate=True)
    assert paint(whole) == "succeeded"
    interrupted = submit_clip(content, animate=True)
    paint_segment, starts = clips.paint_segment, list[int]()

    def dying(source: bytes, info: clips.ClipInfo, segment: clips.Segment, *rest: Any, **options: Any) -> Any:
        starts.append(segment.start)
        if starts == [0, 8]:
            raise SystemExit  # as if the process were killed
        return paint_segment(source, info, segment, *rest, **options)

    monkeypatch.setattr(clips, "paint_segment", dying)
    clock = count(step=100)
    monkeypatch.setattr(clip_painting, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(SystemExit):
        paint(interrupted)
    local.queue.expire_all_leases(counts=True)

    assert paint(interrupted) == "succeeded"
    assert starts == [0, 8, 8, 16]
    assert result_of(local, interrupted) == result_of(local, whole)
    result = local.service.get_stylization("ann", interrupted).result
    assert result is not None
    assert result.seconds.painting == 300, "100 for each segment, of the dead painter too"
    assert not list((local.service.settings.data_dir / "blobs").rglob("segments/*"))


def test_painter_past_its_deadline_leaves_the_rest_to_the_next(local: Local, submit_clip: Submit, paint: Paint) -> None:
    job_id = submit_clip(gif(25), animate=True)
    turns = 0

    def is_late() -> bool:
        job = local.service.ports.jobs.get(job_id)
        return job is not None and len(job.segments) > turns

    outcomes = []
    while (outcome := paint(job_id, is_late=is_late)) == "released":  # one segment a turn
        turns += 1
        outcomes.append(outcome)
    assert (outcome, turns) == ("succeeded", 3)  # more turns than a job has attempts


def test_damaged_segment_is_repainted(local: Local, submit_clip: Submit, paint: Paint) -> None:
    job_id = submit_clip(gif(10), animate=True)
    assert (
        paint(job_id, is_late=lambda: bool((job := local.service.ports.jobs.get(job_id)) and job.segments))
        == "released"
    )
    (segment,) = (local.service.settings.data_dir / "blobs").rglob("segments/*")
    segment.write_bytes(segment.read_bytes()[:-1])

    assert paint(job_id) == "succeeded"
    assert len(read_frames(result_of(local, job_id))) == 10


def test_progress_of_a_clip_counts_its_frames(local: Local, submit_clip: Submit, paint: Paint) -> None:
    job_id = submit_clip(gif(16), animate=True)
    seen: list[float] = []

    def should_stop() -> bool:
        seen.append(local.service.get_stylization("ann", job_id).progress)
        return False

    assert paint(job_id, should_stop=should_stop) == "succeeded"
    assert seen == sorted(seen)
    assert any(0.4 <= progress < 1 for progress in seen)


def test_canceled_clip_leaves_no_segments(local: Local, submit_clip: Submit, paint: Paint) -> None:
    job_id = submit_clip(gif(18), animate=True)

    def should_stop() -> bool:
        job = local.service.ports.jobs.get(job_id)
        if job is not None and job.segments and job.status == "running":
            local.service.cancel_stylization("ann", job_id)
        return False

    assert paint(job_id, should_stop=should_stop) == "lost"
    assert not list((local.service.settings.data_dir / "blobs").rglob("segments/*"))


def test_clip_yields_to_pictures_between_segments(local: Local, submit_clip: Submit, submit: Submit) -> None:
    clip, photo = submit_clip(gif(18), animate=True), submit(method="color")
    other_clip = submit_clip(gif(2), animate=True)

    assert paint_next(local, lambda: False)

    clip_end, photo_end, other_end = (
        local.service.get_stylization("ann", job_id).finished_at for job_id in (clip, photo, other_clip)
    )
    assert clip_end is not None
    assert photo_end is not None
    assert photo_end < clip_end
    assert other_end is None
