"""Progress reports, cancellation and heartbeats of a running painting."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from clocks import SteppedClock
from fakes import Time, painting, report
from PIL import Image
from waiting import wait_for

import stylizer
from stylizer.progress import OnProgress, Progress
from stylizer_painter.painting import Outcome, paint_job
from stylizer_painter.reporting import small_jpeg
from stylizer_service.adapters.local import Local
from stylizer_service.jobs.leases import claim

Submit = Callable[..., str]
Paint = Callable[..., Outcome]
Core = Callable[[Callable[..., object]], None]


def test_progress_shows_with_a_small_preview(local: Local, submit: Submit, paint: Paint, core: Core) -> None:
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

    core(stylize)

    assert paint(job_id) == "succeeded"


def test_preview_of_transparent_painting_has_white_background() -> None:
    preview = Image.open(io.BytesIO(small_jpeg(Image.new("RGBA", (400, 1000), (255, 0, 0, 0)))))

    assert preview.size == (128, 320)
    assert preview.getpixel((5, 5)) == (255, 255, 255)


def test_progress_is_throttled_to_twice_a_second(submit: Submit, paint: Paint, core: Core, time: Time) -> None:
    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        for step in range(1000):
            time.now += 0.02
            on_progress(Progress(step, 1000, time.slow_preview))
        return painting(options)

    core(stylize)

    assert paint(submit()) == "succeeded"
    gaps = [later - earlier for earlier, later in pairwise(time.reports)]
    assert len(time.reports) > 30
    assert min(gaps) >= 0.5
    assert 5 < len(time.previews) < 10  # at 0.3 s each about a tenth of the 20 s


def test_cancel_takes_half_a_second_despite_slow_previews(
    local: Local, submit: Submit, paint: Paint, core: Core, time: Time
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

    core(stylize)

    assert paint(job_id) == "lost"
    assert len(steps) <= 6


def test_canceled_painting_stops_at_its_next_step(
    local: Local, submit: Submit, paint: Paint, core: Core, time: Time
) -> None:
    job_id = submit()
    steps: list[int] = []

    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        report(on_progress, 0)
        local.service.cancel_stylization("ann", job_id)
        for step in range(10):
            time.now += 0.25
            steps.append(step)
            report(on_progress)
        return painting(options)

    core(stylize)

    assert paint(job_id) == "lost"
    assert local.service.get_stylization("ann", job_id).status == "canceled"
    folder = local.service.settings.data_dir / "blobs" / "jobs" / job_id
    assert sorted(path.name for path in folder.iterdir()) == ["content", "style-0"]
    assert steps == [0, 1], "the next report that is due tells"


def test_lease_is_renewed_during_a_long_step(local: Local, submit: Submit, core: Core) -> None:
    settings = local.service.settings.model_copy(update={"lease_seconds": 0.3})
    job_id = submit()
    clock = SteppedClock()
    ports = replace(local.service.ports, clock=clock)

    def end_of_lease() -> datetime:
        job = ports.jobs.get(job_id)
        assert job is not None
        assert job.lease_expires_at is not None
        return job.lease_expires_at

    def stylize(*_: object, options: stylizer.Options, **__: object) -> stylizer.Painting:
        first = end_of_lease()
        while clock.now() < first:  # and no report
            clock.advance(seconds=0.2)
            wait_for(lambda: end_of_lease() > clock.now() + timedelta(seconds=0.2))
        assert claim(ports, settings, job_id) is None
        return painting(options)

    core(stylize)

    assert paint_job(ports, settings, job_id) == "succeeded"
