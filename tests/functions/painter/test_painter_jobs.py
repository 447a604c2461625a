"""Painting of a job, from the claim to a terminal state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes import painting, report
from pictures import slope
from PIL import Image
from uploads import store_upload

import stylizer
from stylizer.errors import CorruptImage, MissingWeights, StylizerError
from stylizer.images import ImageSource, Limits
from stylizer.progress import OnProgress
from stylizer_painter.decoding import SANDBOXED
from stylizer_painter.painting import Outcome, paint_job
from stylizer_service.adapters.local import Local
from stylizer_service.jobs.leases import claim

Submit = Callable[..., str]
Paint = Callable[..., Outcome]
Core = Callable[[Callable[..., object]], None]


def test_result_equals_the_painting_of_the_core(local: Local, submit: Submit, paint: Paint, photo: bytes) -> None:
    mask = store_upload(local.service, photo)
    job_id = submit(style="woodcut", method="texture", mask=mask, content_mask=mask, format="png")

    assert paint(job_id) == "succeeded"

    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert job.result is not None
    assert (job.status, job.progress, job.attempt, job.lease_token) == ("succeeded", 1.0, 1, None)
    assert (job.result.width, job.result.height, job.result.media_type) == (64, 43, "image/png")
    with local.blobs.open(job.result.key) as file, Image.open(file) as image:
        image.load()
        assert (image.size, image.format) == ((64, 43), "PNG")
    assert paint(job_id) == "skipped"


def test_every_option_reaches_the_core(local: Local, submit: Submit, core: Core, photo: bytes) -> None:
    files = {"mask": slope(96, 64), "content_mask": slope(96, 64, "WEBP"), "style-1": slope(40, 40)}
    files["style-1-mask"] = slope(96, 64, "TIFF")
    sent = {name: store_upload(local.service, file) for name, file in files.items()}
    own, region = local.service.create_style("ann", sent.pop("style-1"), "Own"), sent.pop("style-1-mask")
    seen: dict[str, object] = {}

    def stylize(
        content: ImageSource,
        style: list[stylizer.WeightedStyle],
        *,
        options: stylizer.Options,
        on_progress: OnProgress,
        **rest: object,
    ) -> stylizer.Painting:
        report(on_progress)
        sources = {"content": content, "style-1": style[1].style, "style-1-mask": style[1].mask} | {
            name: rest.pop(name) for name in ("mask", "content_mask")
        }
        seen.update({name: file.read() for name, file in sources.items()})  # type: ignore[attr-defined]
        seen.update({"built-in": style[0], "weight": style[1].weight, "options": options} | rest)
        return painting(options)

    core(stylize)
    blend = [{"style": "woodcut", "weight": 3}, {"style": own.id, "weight": 0.5, "mask": region}]
    controls: dict[str, object] = {
        "size": 200,
        "strength": 0.25,
        "style_scale": 2.0,
        "preserve_color": "luminance",
        "quality": "high",
        "seed": 7,
    }
    job_id = submit(style=None, styles=blend, method="texture", format="webp", **sent, **controls)

    limits = {"max_bytes": 5_000_000, "max_pixels": 6_000_000, "max_aspect_ratio": 7.0, "min_side": 8}
    settings = local.service.settings.model_copy(update=limits)
    assert paint_job(local.service.ports, settings, job_id) == "succeeded"
    assert seen == {
        "content": photo,
        **files,
        "built-in": ("woodcut", 3.0, None),
        "weight": 0.5,
        "options": stylizer.Options(**controls),  # type: ignore[arg-type]
        "method": "texture",
        "limits": Limits(max_bytes=5_000_000, max_pixels=6_000_000, max_aspect_ratio=7.0, min_side=8),
        "decoder": SANDBOXED,
    }
    result = local.service.get_stylization("ann", job_id).result
    assert result is not None
    assert (result.media_type, result.width) == ("image/webp", 640)


def test_method_and_features_reach_the_core_and_the_result(
    local: Local, submit: Submit, paint: Paint, core: Core
) -> None:
    seen: list[tuple[object, object]] = []

    def stylize(*_: object, options: stylizer.Options, method: str, **__: object) -> stylizer.Painting:
        seen.append((method, options.features))
        return replace(painting(options), features=options.features or "compact")

    core(stylize)
    jobs = [submit(method="optimization"), submit(method="optimization", features="vgg19")]

    assert [paint(job_id) for job_id in jobs] == ["succeeded"] * 2
    assert seen == [("optimization", None), ("optimization", "vgg19")]
    results = [local.service.get_stylization("ann", job_id).result for job_id in jobs]
    assert [result and result.features for result in results] == ["compact", "vgg19"]


@pytest.mark.parametrize(
    "refusal",
    [
        CorruptImage("the photo is broken", field="content", allowed=["a whole one"]),
        MissingWeights("looked for /a/folder/of/the/server", field="features", allowed=["compact"]),
    ],
)
def test_error_of_the_core_becomes_the_problem_of_the_job(
    local: Local, submit: Submit, paint: Paint, core: Core, refusal: StylizerError
) -> None:
    def stylize(*_: object, on_progress: OnProgress, **__: object) -> None:
        report(on_progress)
        raise refusal

    core(stylize)
    job_id = submit()

    assert paint(job_id) == "failed"
    job = local.service.get_stylization("ann", job_id)
    assert job.error is not None
    assert (job.status, job.error.type, job.error.status) == ("failed", f"/problems/{refusal.code}", 422)
    assert (job.error.field, job.error.allowed, job.preview) == (refusal.field, refusal.allowed, None)
    assert "/a/folder" not in job.error.detail


def test_unexpected_error_is_logged_but_hidden_from_callers(
    local: Local, submit: Submit, paint: Paint, core: Core, caplog: pytest.LogCaptureFixture
) -> None:
    def stylize(*_: object, **__: object) -> None:
        raise RuntimeError("secret details")

    core(stylize)
    job_id = submit()

    assert paint(job_id) == "failed"
    error = local.service.get_stylization("ann", job_id).error
    assert error is not None
    assert (error.code, error.status) == ("internal", 500)
    assert "secret" not in error.model_dump_json()
    assert "secret details" in caplog.text
    assert job_id in caplog.text


def test_painting_canceled_at_the_last_moment_has_no_result(
    local: Local, submit: Submit, paint: Paint, core: Core
) -> None:
    job_id = submit()

    def stylize(*_: object, options: stylizer.Options, **__: object) -> stylizer.Painting:
        local.service.cancel_stylization("ann", job_id)
        return painting(options)

    core(stylize)

    assert paint(job_id) == "lost"
    job = local.service.get_stylization("ann", job_id)
    assert (job.status, job.result) == ("canceled", None)
    assert not list((local.service.settings.data_dir / "blobs").rglob("result*"))


def test_stopped_painter_releases_the_job(local: Local, submit: Submit, paint: Paint, core: Core) -> None:
    def stylize(*_: object, on_progress: OnProgress, **__: object) -> None:
        report(on_progress)

    core(stylize)
    job_id = submit()

    assert paint(job_id, should_stop=lambda: True) == "released"
    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert (job.status, job.attempt, job.progress) == ("queued", 0, 0.0)
    assert local.queue.receive() == job_id


def test_timed_out_painter_requeues_and_the_last_fails_too_slow(
    local: Local, submit: Submit, paint: Paint, core: Core
) -> None:
    def stylize(*_: object, on_progress: OnProgress, **__: object) -> None:
        report(on_progress)

    core(stylize)
    job_id = submit()
    attempts = local.service.settings.max_attempts
    outcomes = [paint(job_id, is_late=lambda: True) for _ in range(attempts)]

    assert outcomes == ["released"] * (attempts - 1) + ["failed"]
    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert job.error is not None
    assert (job.status, job.error.code, job.error.field) == ("failed", "too-slow", "size")


def test_job_that_lost_every_painter_has_failed(local: Local, submit: Submit, paint: Paint) -> None:
    job_id = submit()
    for _ in range(local.service.settings.max_attempts):
        assert claim(local.service.ports, local.service.settings, job_id)
        local.queue.expire_all_leases()

    assert [paint(job_id), paint(job_id)] == ["failed", "skipped"]
