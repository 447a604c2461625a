"""Painting of jobs with several variants."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fakes import painting, report
from PIL import Image

import stylizer
from stylizer.progress import OnProgress
from stylizer_painter.painting import Outcome
from stylizer_service.adapters.local import Local

Submit = Callable[..., str]
Paint = Callable[..., Outcome]
Core = Callable[[Callable[..., object]], None]


def test_variants_are_those_of_the_library(local: Local, submit: Submit, paint: Paint, photo: bytes) -> None:
    options = {"size": 64, "quality": "draft", "seed": 3}
    job_id = submit(style="woodcut", variants=2, format="png", **options)

    assert paint(job_id) == "succeeded"

    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    found = []
    for result in job.results:
        with local.blobs.open(result.key) as file, Image.open(file) as image:
            found.append(image.convert("RGB").tobytes())
    expected = [
        stylizer.stylize(photo, "woodcut", options=each).image.tobytes()
        for each in stylizer.variants(stylizer.Options(size=64, quality="draft", seed=3), 2)
    ]
    assert found == expected
    assert len(set(found)) == 2


def test_painter_after_a_dead_one_paints_only_the_rest(local: Local, submit: Submit, paint: Paint, core: Core) -> None:
    job_id = submit(variants=3, seed=10)
    seeds: list[int] = []

    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        seeds.append(options.seed)
        report(on_progress)
        if seeds == [10, 11]:
            raise SystemExit  # as if the process were killed
        return painting(options)

    core(stylize)
    with pytest.raises(SystemExit):
        paint(job_id)
    local.queue.expire_all_leases(counts=True)

    assert paint(job_id) == "succeeded"
    assert seeds == [10, 11, 11, 12]
    done = local.service.get_stylization("ann", job_id)
    assert [each.seed for each in done.results] == [10, 11, 12]
    assert all(local.service.image_url("ann", job_id, number) for number in (1, 2, 3))


def test_progress_covers_all_variants(local: Local, submit: Submit, paint: Paint, core: Core) -> None:
    job_id = submit(variants=2)
    seen: list[float] = []

    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        report(on_progress, step=1)
        seen.append(local.service.get_stylization("ann", job_id).progress)
        return painting(options)

    core(stylize)

    assert paint(job_id) == "succeeded"
    assert 0 < seen[0] < 0.5 <= seen[1] < 1


def test_canceled_between_variants_paints_no_more(local: Local, submit: Submit, paint: Paint, core: Core) -> None:
    job_id = submit(variants=4)
    count = 0

    def stylize(*_: object, options: stylizer.Options, **__: object) -> stylizer.Painting:
        nonlocal count
        count += 1
        if count == 2:
            local.service.cancel_stylization("ann", job_id)
        return painting(options)

    core(stylize)

    assert paint(job_id) == "lost"
    assert count == 2
    assert local.service.get_stylization("ann", job_id).results == []
    assert not list((local.service.settings.data_dir / "blobs").rglob("result*"))
