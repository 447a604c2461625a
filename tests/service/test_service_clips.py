"""Clips: what is accepted as one, and how its segments are kept. On both sets of adapters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from adapters import on_both
from disk_clips import gif, long_gif, variable_video, video
from pictures import slope
from uploads import store_upload

from stylizer_service import clip_headers, clip_probe
from stylizer_service.jobs.leases import LeaseLost, claim
from stylizer_service.models import StylizationRequest
from stylizer_service.ports import Unavailable
from stylizer_service.problems import Problem, ProblemError
from stylizer_service.records import Job
from stylizer_service.sandbox.sandbox import Sandbox
from stylizer_service.settings import Settings
from stylizer_service.usecases import Service

Refusal = Callable[..., Problem]


def request_for(service: Service, content: bytes, **fields: object) -> StylizationRequest:
    upload = store_upload(service, content)
    return StylizationRequest.model_validate({"content": upload, "style": "ink", "size": 64} | fields)


def accept(service: Service, content: bytes, **fields: object) -> Job:
    created, _ = service.create_stylization("ann", request_for(service, content, **fields))
    job = service.ports.jobs.get(created.id)
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("gif", {}, (False, "jpeg", None)),
        ("gif", {"animate": False, "format": "png"}, (False, "png", None)),
        ("gif", {"animate": True}, (True, "gif", 6)),
        ("gif", {"format": "gif"}, (True, "gif", 6)),
        ("webp", {"animate": True}, (True, "webp", 6)),
        ("png", {"animate": True}, (True, "png", 6)),
        ("gif", {"format": "mp4"}, (True, "mp4", 6)),
        ("mp4", {}, (True, "mp4", 6)),
        ("webm", {"format": "gif"}, (True, "gif", 6)),
    ],
)
def test_clip_is_what_is_asked_for_or_a_video(
    service: Service, kind: str, fields: dict[str, Any], expected: tuple[bool, str, int | None]
) -> None:
    content = video(6, kind=kind) if kind in ("mp4", "webm") else gif(6, kind=kind)

    job = accept(service, content, **fields)

    assert (job.options.animate, job.options.format, job.frames) == expected
    assert service.get_stylization("ann", job.id).frames == expected[2]


def test_original_size_of_a_clip_becomes_that_of_its_frames(service: Service, refusal: Refusal) -> None:
    assert accept(service, gif(2, (96, 64)), animate=True, size="original").options.size == 96

    large = request_for(service, gif(2, (1200, 200)), animate=True, size="original")
    problem = refusal(service.create_stylization, "ann", large)

    assert (problem.code, problem.field) == ("invalid-option", "size")
    assert problem.detail.startswith("size is original, and the clip is 1200 x 200 pixels; allowed: at most 1080")


def test_variable_frame_rate_is_accepted(service: Service) -> None:
    assert accept(service, variable_video([40, 200, 40, 120])).frames == 4


@pytest.mark.parametrize(
    ("content", "fields", "code", "field"),
    [
        (long_gif(10_001), {"animate": True}, "clip-too-long", "content"),
        (long_gif(0), {"animate": True}, "corrupt-image", "content"),
        (gif(6)[:300], {"animate": True}, "corrupt-image", "content"),
        (slope(48, 32, "JPEG"), {"animate": True}, "unsupported-image", "content"),
        (gif(6, (12, 12)), {"animate": True}, "image-too-small", "content"),
        (gif(6), {"animate": True, "format": "jpeg"}, "invalid-option", "format"),
        (slope(), {"animate": False, "format": "gif"}, "invalid-option", "format"),
        (gif(6), {"animate": True, "variants": 2}, "invalid-option", "variants"),
        (gif(6), {"animate": True, "size": 2048}, "invalid-option", "size"),
        (gif(6), {"animate": True, "keep_metadata": "exif"}, "invalid-option", "keep_metadata"),
    ],
    ids=[
        "10001 frames",
        "no frames",
        "truncated",
        "jpeg",
        "tiny",
        "as jpeg",
        "still as gif",
        "variants",
        "large",
        "exif",
    ],
)
def test_bad_clip_names_the_field(
    service: Service, refusal: Refusal, content: bytes, fields: dict[str, Any], code: str, field: str
) -> None:
    problem = refusal(service.create_stylization, "ann", request_for(service, content, **fields))

    assert (problem.code, problem.field) == (code, field)
    assert service.list_stylizations("ann").items == []


@pytest.mark.parametrize("share", [0.3, 0.95])
def test_truncated_video_is_refused(service: Service, refusal: Refusal, share: float) -> None:
    content = video(12)

    problem = refusal(service.create_stylization, "ann", request_for(service, content[: int(share * len(content))]))

    assert (problem.code, problem.field) == ("corrupt-image", "content")


def test_video_is_not_painted_as_a_still(service: Service, refusal: Refusal) -> None:
    problem = refusal(service.create_stylization, "ann", request_for(service, video(3), animate=False))

    assert (problem.code, problem.field) == ("invalid-option", "animate")


def test_video_as_a_style_is_refused(service: Service, refusal: Refusal) -> None:
    request = request_for(service, gif(3), animate=True, style=store_upload(service, video(3)))

    problem = refusal(service.create_stylization, "ann", request)

    assert (problem.code, problem.field) == ("unsupported-image", "style")
    assert "video/mp4" not in (problem.allowed or ())


def test_mask_of_a_clip_has_the_shape_of_its_frames(service: Service, refusal: Refusal) -> None:
    mask = store_upload(service, slope(10, 10))

    problem = refusal(service.create_stylization, "ann", request_for(service, gif(3), animate=True, mask=mask))

    assert (problem.code, problem.field) == ("mask-mismatch", "mask")
    assert problem.allowed == "a picture of 96 x 64 pixels"


@pytest.mark.parametrize(
    ("worker", "seconds", "code"),
    [("spin", 120, "unusable-image"), ("crash", 120, "corrupt-image"), ("sleep", 1, None)],
)
def test_clip_that_breaks_its_probe_is_refused(
    monkeypatch: pytest.MonkeyPatch, worker: str, seconds: int, code: str | None
) -> None:
    monkeypatch.setattr(clip_probe, "CPU_SECONDS", 1)
    monkeypatch.setattr(clip_probe, "_SECONDS", seconds)
    with closing(Sandbox(f"tools.fuzz.hostile_worker:{worker}")) as sandbox:
        monkeypatch.setattr(clip_probe, "_SANDBOX", sandbox)
        with pytest.raises((ProblemError, Unavailable)) as caught:
            clip_probe.probe_clip(gif(6), Settings(), field="content")
    assert (caught.value.problem.code if isinstance(caught.value, ProblemError) else None) == code


def test_probe_without_pyav_refuses_only_videos(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    request = {"limits": {}, "field": "content"}

    assert clip_headers.examine(request, video_bytes)[0]["code"] == "missing-video-support"
    assert "info" in clip_headers.examine(request, gif(3))[0]

    monkeypatch.setattr(clip_probe._SANDBOX, "run", lambda request, data, _: clip_headers.examine(request, data))
    settings = service.settings.model_copy(update={"video_painters": True})
    assert clip_probe.probe_clip(video_bytes, settings, field="content") is None  # its painters check it


video_bytes = video(3)


def test_segment_is_recorded_with_the_lease_that_painted_it(service: Service) -> None:
    job = accept(service, gif(40), animate=True)
    lease = claim(service.ports, service.settings, job.id)
    assert lease is not None

    lease.add_segment(b"first", progress=0.4)

    stored = service.ports.jobs.get(job.id)
    assert stored is not None
    assert stored.segments == (lease.job.lease_token,)
    assert lease.segment(0) == b"first"
    assert stored.progress == 0.4


@on_both
def test_segments_survive_their_painter(service: Service) -> None:
    job = accept(service, gif(40), animate=True)
    first = claim(service.ports, service.settings, job.id)
    assert first is not None
    first.add_segment(b"first", progress=0.4)
    first.release(counts=True)
    second = claim(service.ports, service.settings, job.id)
    assert second is not None

    assert second.segment(0) == b"first"
    second.add_segment(b"second", progress=0.8)
    assert second.job.segments == (first.job.lease_token, second.job.lease_token)
    assert second.job.attempt == 1  # only deaths without progress count
    with pytest.raises(LeaseLost):
        first.add_segment(b"late", progress=0.8)
    assert [second.segment(index) for index in (0, 1)] == [b"first", b"second"]


@pytest.mark.parametrize("end", ["delete", "sweep"])
def test_segments_go_with_their_job(service: Service, clock: Any, end: str) -> None:
    job = accept(service, gif(40), animate=True)
    lease = claim(service.ports, service.settings, job.id)
    assert lease is not None
    lease.add_segment(b"first", progress=0.4)
    key = job.segment_key(0, lease.job.lease_token or "")
    assert service.ports.blobs.size(key) == 5
    if end == "delete":
        service.delete_stylization("ann", job.id)
    else:
        service.cancel_stylization("ann", job.id)
        clock.advance(hours=25)
        service.sweep()

    assert service.ports.blobs.size(key) is None
