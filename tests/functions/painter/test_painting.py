"""One job, from the claim to its end."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from disks import full_disk
from PIL import Image

import functions.painter.painting as painter
import stylizer
from functions.painter.decoding import GUARDED
from functions.painter.painting import Outcome, paint_job, small_jpeg
from stylizer.errors import CorruptImage, MissingWeights, StylizerError
from stylizer.images import ImageSource, Limits
from stylizer.progress import OnProgress, Progress
from stylizer_service.leases import Lease, claim
from stylizer_service.local import Local
from stylizer_service.ports import Unavailable

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
    job_id = submit(style="woodcut", method="texture", mask=mask, content_mask=mask, format="png")

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
    job_id = submit(style=None, styles=blend, method="texture", mask=mask, content_mask=mask, format="webp", **controls)

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
        "decoder": GUARDED,
    }
    result = local.service.get_stylization("ann", job_id).result
    assert result is not None
    assert (result.media_type, result.width) == ("image/webp", 640)


def test_method_and_features_reach_the_core_and_the_result_names_those_that_were_used(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, object]] = []

    def stylize(*_: object, options: stylizer.Options, method: str, **__: object) -> stylizer.Painting:
        seen.append((method, options.features))
        return replace(painting(options), features=options.features or "compact")

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)
    jobs = [submit(method="optimization"), submit(method="optimization", features="vgg19")]

    assert [paint(local, job_id) for job_id in jobs] == ["succeeded"] * 2
    assert seen == [("optimization", None), ("optimization", "vgg19")]
    results = [local.service.get_stylization("ann", job_id).result for job_id in jobs]
    assert [result and result.features for result in results] == ["compact", "vgg19"]


class Time:
    """Painting where time passes only as it is told to, and what the job was told when."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.reports: list[float] = []
        self.previews: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def slow_preview(self) -> Image.Image:
        self.previews.append(self.now)
        self.now += 0.3
        return SQUARE.copy()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time, told = Time(), Lease.report

    def report(lease: Lease, progress: float, preview: bytes | None = None) -> None:
        time.reports.append(time.now)
        told(lease, progress, preview)

    monkeypatch.setattr(painter, "time", SimpleNamespace(monotonic=time.monotonic))
    monkeypatch.setattr(Lease, "report", report)
    return time


def test_a_core_that_reports_all_the_time_is_passed_on_twice_a_second_with_few_slow_previews(
    local: Local, submit: Submit, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        for step in range(1000):
            time.now += 0.02
            on_progress(Progress(step, 1000, time.slow_preview))
        return painting(options)

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)

    assert paint(local, submit()) == "succeeded"
    gaps = [later - earlier for earlier, later in pairwise(time.reports)]
    assert len(time.reports) > 30
    assert min(gaps) >= 0.5
    assert 5 < len(time.previews) < 10  # at 0.3 s each about a tenth of the 20 s


def test_a_cancel_is_heard_within_half_a_second_although_previews_are_slow(
    local: Local, submit: Submit, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit()
    steps: list[float] = []

    def stylize(*_: object, on_progress: OnProgress, **__: object) -> None:
        for step in range(100):
            time.now += 0.1
            if step == 5:
                local.service.cancel_stylization("ann", job_id)
                steps.clear()
            steps.append(time.now)
            on_progress(Progress(step, 100, time.slow_preview))

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)

    assert paint(local, job_id) == "lost"
    assert len(steps) <= 6


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


@pytest.mark.parametrize(
    "refusal",
    [
        CorruptImage("the photo is broken", field="content", allowed=["a whole one"]),
        MissingWeights("looked for /a/folder/of/the/server", field="features", allowed=["compact"]),
    ],
)
def test_what_the_core_refuses_becomes_the_problem_of_the_job(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch, refusal: StylizerError
) -> None:
    def stylize(*_: object, on_progress: OnProgress, **__: object) -> None:
        report(on_progress)
        raise refusal

    monkeypatch.setattr(stylizer, "stylize", stylize, raising=False)
    job_id = submit()

    assert paint(local, job_id) == "failed"
    job = local.service.get_stylization("ann", job_id)
    assert job.error is not None
    assert (job.status, job.error.type, job.error.status) == ("failed", f"/problems/{refusal.code}", 422)
    assert (job.error.field, job.error.allowed, job.preview) == (refusal.field, refusal.allowed, None)
    assert "/a/folder" not in job.error.detail


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


def test_a_store_that_is_out_of_reach_costs_a_job_its_painter_and_not_its_life(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit()
    with monkeypatch.context() as patch:

        def be_gone(*_: object, **__: object) -> None:
            raise Unavailable("GetObject was refused")

        patch.setattr(type(local.blobs), "open", be_gone)
        with pytest.raises(Unavailable):
            paint(local, job_id)
    assert local.service.get_stylization("ann", job_id).status == "running"
    local.queue.bury_painters()

    assert paint(local, job_id) == "succeeded"


def test_a_store_that_fails_while_a_painting_runs_and_is_back_for_its_end_costs_nothing(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        with monkeypatch.context() as patch:
            patch.setattr(Lease, "report", be_gone)
            report(on_progress)
        return painting(options)

    def be_gone(*_: object) -> None:
        raise Unavailable("UpdateItem was refused")

    monkeypatch.setattr(stylizer, "stylize", stylize)

    assert paint(local, submit()) == "succeeded"


def test_a_cancel_is_heard_although_there_is_no_room_for_previews(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit()

    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        local.service.cancel_stylization("ann", job_id)
        for _step in range(250):  # five seconds: long before the lease is renewed, which would tell as well
            report(on_progress)
            threading.Event().wait(0.02)
        return painting(options)

    def refuse(*_: object) -> None:
        raise Unavailable("the disk cannot be used now")

    monkeypatch.setattr(stylizer, "stylize", stylize)
    monkeypatch.setattr(type(local.blobs), "put", refuse)

    assert paint(local, job_id) == "lost"


def test_a_painting_for_which_the_disk_has_no_room_is_handed_back_uncounted_and_not_failed(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = Image.effect_noise((500, 500), 200).convert("RGB")
    monkeypatch.setattr(stylizer, "stylize", lambda *_, options, **__: painting(options, noise))
    job_id = submit(format="png")
    with (
        full_disk(200_000),  # more than the database takes, and less than the result
        pytest.raises(Unavailable, match="File too large"),
    ):
        paint(local, job_id)
    assert local.queue.bury_painters(counts=False) == 1
    assert local.queue.bury_painters(counts=False) == 0  # only once for each time that it was taken
    assert not list((local.service.settings.data_dir / "drafts").iterdir())

    assert paint(local, job_id) == "succeeded"
    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert (job.status, job.attempt) == ("succeeded", 1)


def test_a_job_that_lost_every_painter_has_failed_for_whoever_finds_it_and_is_nothing_to_the_next(
    local: Local, submit: Submit
) -> None:
    job_id = submit()
    for _ in range(local.service.settings.max_attempts):
        assert claim(local.service.ports, local.service.settings, job_id)
        local.queue.bury_painters()

    assert [paint(local, job_id), paint(local, job_id)] == ["failed", "nothing"]


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


def test_a_painter_whose_time_is_over_hands_the_job_back_and_the_last_one_ends_it_as_too_slow(
    local: Local, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stylize(*_: object, on_progress: OnProgress, **__: object) -> None:
        report(on_progress)

    monkeypatch.setattr(stylizer, "stylize", stylize)
    ports, settings = local.service.ports, local.service.settings
    job_id = submit()
    outcomes = [paint_job(ports, settings, job_id, is_late=lambda: True) for _ in range(settings.max_attempts)]

    assert outcomes == ["released"] * (settings.max_attempts - 1) + ["failed"]
    job = ports.jobs.get(job_id)
    assert job is not None
    assert job.error is not None
    assert (job.status, job.error.code, job.error.field) == ("failed", "too-slow", "size")


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
