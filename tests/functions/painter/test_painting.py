"""One job, from the claim to its end."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from PIL import Image

import stylizer
from functions.painter.painting import Outcome, paint_job, small_jpeg
from stylizer.errors import CorruptImage
from stylizer.images import ImageSource, Limits
from stylizer.progress import OnProgress, Progress
from stylizer_service.leases import claim
from stylizer_service.local import Local

Submit = Callable[..., str]
SQUARE = Image.new("RGB", (640, 320), "teal")


def paint(local: Local, job_id: str, should_stop: Callable[[], bool] = lambda: False) -> Outcome:
    return paint_job(local.service.ports, local.service.settings, job_id, should_stop=should_stop)


def painting(options: stylizer.Options, image: Image.Image = SQUARE) -> stylizer.Painting:
    return stylizer.Painting(image=image, method="texture", options=options, seconds=0.0, features=None)


def report(on_progress: OnProgress, step: int = 1) -> None:
    on_progress(Progress(step, 4, SQUARE.copy))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tests share the processor, and threads that wait for each other there wait long."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_job_is_painted_by_the_core(local: Local, submit: Submit, photo: bytes) -> None:
    mask = local.service.add_upload("ann", io.BytesIO(photo), field="mask")
    job_id = submit(style="woodcut", mask=mask, content_mask=mask, format="png")

    assert paint(local, job_id) == "succeeded"

    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert job.result is not None
    assert (job.status, job.progress, job.attempt, job.lease_token) == ("succeeded", 1.0, 1, None)
    assert (job.result.width, job.result.height, job.result.media_type) == (64, 43, "image/png")
    with local.blobs.open(job.result.key) as file, Image.open(file) as image:
        image.load()
        assert (image.size, image.format) == ((64, 43), "PNG")
    assert paint(local, job_id) == "nothing"


def test_everything_that_was_asked_for_reaches_the_core(
    local: Local, submit: Submit, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = local.service.create_style("ann", local.service.add_upload("ann", io.BytesIO(photo), field="f"), "Own")
    mask = local.service.add_upload("ann", io.BytesIO(photo), field="mask")
    seen: dict[str, object] = {}

    def stylize(
        content: ImageSource,
        style: list[tuple[ImageSource, float]],
        *,
        options: stylizer.Options,
        on_progress: OnProgress,
        **rest: object,
    ) -> stylizer.Painting:
        report(on_progress)
        sources = {"content": content, "style-1": style[1][0]} | {
            name: rest.pop(name) for name in ("mask", "content_mask")
        }
        seen.update({name: file.read() for name, file in sources.items()})  # type: ignore[attr-defined]
        seen.update({"built-in": style[0], "weight": style[1][1], "options": options} | rest)
        return painting(options)

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)
    blend = [{"style": "woodcut", "weight": 3}, {"style": own.id, "weight": 0.5}]
    controls: dict[str, object] = {
        "size": 200,
        "strength": 0.25,
        "style_scale": 2.0,
        "preserve_color": "luminance",
        "quality": "high",
        "seed": 7,
    }
    job_id = submit(style=None, styles=blend, mask=mask, content_mask=mask, format="webp", **controls)

    assert paint(local, job_id) == "succeeded"
    assert seen == {
        "content": photo,
        "mask": photo,
        "content_mask": photo,
        "built-in": ("woodcut", 3.0),
        "style-1": photo,
        "weight": 0.5,
        "options": stylizer.Options(**controls),  # type: ignore[arg-type]
        "method": "texture",
        "limits": Limits(),
    }
    result = local.service.get_stylization("ann", job_id).result
    assert result is not None
    assert (result.media_type, result.width) == ("image/webp", 640)


def test_progress_shows_with_a_small_preview(local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = submit()

    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        report(on_progress)
        running = local.service.ports.jobs.get(job_id)
        assert running is not None
        assert (running.status, running.progress) == ("running", 0.25)
        assert running.preview_key is not None
        with local.blobs.open(running.preview_key) as file, Image.open(file) as preview:
            assert (preview.size, preview.format) == ((320, 160), "JPEG")
        return painting(options)

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)

    assert paint(local, job_id) == "succeeded"


def test_what_the_core_refuses_becomes_the_problem_of_the_job(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stylize(*_: object, on_progress: OnProgress, **__: object) -> None:
        report(on_progress)
        raise CorruptImage("the photo is broken", field="content", allowed=["a whole one"])

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)
    job_id = submit()

    assert paint(local, job_id) == "failed"
    job = local.service.get_stylization("ann", job_id)
    assert job.error is not None
    assert (job.status, job.error.type, job.error.status) == ("failed", "/problems/corrupt-image", 422)
    assert (job.error.field, job.error.allowed, job.preview) == ("content", ["a whole one"], None)


def test_a_defect_shows_in_the_log_and_not_to_the_caller(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stylize(*_: object, **__: object) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)
    job_id = submit()

    assert paint(local, job_id) == "failed"
    error = local.service.get_stylization("ann", job_id).error
    assert error is not None
    assert (error.code, error.status) == ("internal", 500)
    assert "secret" not in error.model_dump_json()
    assert "secret details" in caplog.text
    assert job_id in caplog.text


def test_a_canceled_painting_stops_at_its_next_step_and_leaves_nothing(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit()
    steps: list[int] = []

    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        report(on_progress, 0)
        local.service.cancel_stylization("ann", job_id)
        while True:  # the next report that is due tells
            steps.append(1)
            report(on_progress)
            threading.Event().wait(0.01)
        return painting(options)

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)

    assert paint(local, job_id) == "lost"
    assert local.service.get_stylization("ann", job_id).status == "canceled"
    folder = local.service.settings.data_dir / "blobs" / "jobs" / job_id
    assert sorted(path.name for path in folder.iterdir()) == ["content", "style-0"]
    assert steps


def test_a_painting_that_was_canceled_at_the_last_moment_has_no_result(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit()

    def stylize(*_: object, options: stylizer.Options, **__: object) -> stylizer.Painting:
        local.service.cancel_stylization("ann", job_id)
        return painting(options)

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)

    assert paint(local, job_id) == "lost"
    job = local.service.get_stylization("ann", job_id)
    assert (job.status, job.result) == ("canceled", None)
    assert not list((local.service.settings.data_dir / "blobs").rglob("result*"))


def test_a_painter_that_has_to_go_hands_the_job_back(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stylize(*_: object, on_progress: OnProgress, **__: object) -> None:
        report(on_progress)

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)
    job_id = submit()

    assert paint(local, job_id, should_stop=lambda: True) == "released"
    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert (job.status, job.attempt, job.progress) == ("queued", 0, 0.0)
    assert local.queue.receive() == job_id


def test_one_long_step_does_not_lose_the_lease(local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = local.service.settings.model_copy(update={"lease_seconds": 0.6})
    job_id = submit()

    def stylize(*_: object, options: stylizer.Options, **__: object) -> stylizer.Painting:
        first = local.service.ports.jobs.get(job_id)
        assert first is not None
        assert first.lease_expires_at is not None
        while True:  # no report, for longer than the lease would have lasted
            threading.Event().wait(0.05)
            now = local.service.ports.jobs.get(job_id)
            assert now is not None
            assert now.lease_expires_at is not None
            if now.lease_expires_at > first.lease_expires_at + timedelta(seconds=1):
                assert claim(local.service.ports, settings, job_id) is None
                return painting(options)

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)

    assert paint_job(local.service.ports, settings, job_id) == "succeeded"


def test_a_preview_of_a_transparent_painting_lies_on_white() -> None:
    preview = Image.open(io.BytesIO(small_jpeg(Image.new("RGBA", (400, 1000), (255, 0, 0, 0)))))

    assert preview.size == (128, 320)
    assert preview.getpixel((5, 5)) == (255, 255, 255)
