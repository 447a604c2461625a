"""Painting while a store is unavailable or full."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from disks import full_disk
from fakes import Time, painting, report
from PIL import Image

import stylizer
from stylizer.progress import OnProgress
from stylizer_painter.painting import Outcome
from stylizer_service.adapters.local import Local
from stylizer_service.jobs.leases import Lease
from stylizer_service.ports import Unavailable

Submit = Callable[..., str]
Paint = Callable[..., Outcome]
Core = Callable[[Callable[..., object]], None]


def test_unavailable_store_stops_the_painter_but_not_the_job(
    local: Local, submit: Submit, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit()
    with monkeypatch.context() as patch:

        def be_gone(*_: object, **__: object) -> None:
            raise Unavailable("GetObject was refused")

        patch.setattr(type(local.blobs), "open", be_gone)
        with pytest.raises(Unavailable):
            paint(job_id)
    assert local.service.get_stylization("ann", job_id).status == "running"
    local.queue.expire_all_leases()

    assert paint(job_id) == "succeeded"


def test_store_outage_during_painting_costs_nothing(
    submit: Submit, paint: Paint, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        with monkeypatch.context() as patch:
            patch.setattr(Lease, "report", be_gone)
            report(on_progress)
        return painting(options)

    def be_gone(*_: object) -> None:
        raise Unavailable("UpdateItem was refused")

    core(stylize)

    assert paint(submit()) == "succeeded"


def test_cancel_works_without_space_for_previews(
    local: Local, submit: Submit, paint: Paint, core: Core, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit()

    def stylize(*_: object, options: stylizer.Options, on_progress: OnProgress, **__: object) -> stylizer.Painting:
        local.service.cancel_stylization("ann", job_id)
        for _step in range(10):
            time.now += 0.25
            report(on_progress)
        return painting(options)

    def refuse(*_: object) -> None:
        raise Unavailable("the disk cannot be used now")

    core(stylize)
    monkeypatch.setattr(type(local.blobs), "put", refuse)

    assert paint(job_id) == "lost"


def test_painting_without_disk_space_is_requeued_uncounted(
    local: Local, submit: Submit, paint: Paint, core: Core
) -> None:
    noise = Image.effect_noise((500, 500), 200).convert("RGB")
    core(lambda *_, options, **__: painting(options, noise))
    job_id = submit(format="png")
    with (
        full_disk(200_000),  # more than the database takes, and less than the result
        pytest.raises(Unavailable, match="File too large"),
    ):
        paint(job_id)
    assert local.queue.expire_all_leases(counts=False) == 1
    assert local.queue.expire_all_leases(counts=False) == 0  # only once for each time that it was taken
    assert not list((local.service.settings.data_dir / "drafts").iterdir())

    assert paint(job_id) == "succeeded"
    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert (job.status, job.attempt) == ("succeeded", 1)
