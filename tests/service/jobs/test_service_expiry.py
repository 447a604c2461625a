"""Expiry of jobs, uploads and files, with every set of adapters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from adapters import on_both
from clocks import SteppedClock

from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.usecases import Service

Order = Callable[..., StylizationRequest]
Refusal = Callable[..., Problem]
Finish = Callable[[str], None]


@on_both
def test_finished_job_expires_with_its_files(
    service: Service, order: Order, clock: SteppedClock, refusal: Refusal, finish: Finish
) -> None:
    job, _ = service.create_stylization("ann", order())
    finish(job.id)
    clock.advance(hours=24)
    before_sweep = service.get_stylization("ann", job.id)
    swept = service.sweep()
    after_sweep = service.get_stylization("ann", job.id)

    assert before_sweep.status == after_sweep.status == "expired"
    assert (before_sweep.result, before_sweep.preview, after_sweep.result) == (None, None, None)
    assert swept == 2  # the job, and the upload of its photo
    assert service.ports.blobs.size(f"jobs/{job.id}/content") is None
    for call in (service.image_url, service.preview_url):
        assert refusal(call, "ann", job.id).status == 410
    assert service.sweep() == 0
    clock.advance(days=30)
    assert service.sweep() == 1
    assert refusal(service.get_stylization, "ann", job.id).code == "not-found"


def test_queued_job_keeps_its_files_for_days(
    service: Service, order: Order, clock: SteppedClock, finish: Finish
) -> None:
    job, _ = service.create_stylization("ann", order())
    clock.advance(days=5)
    service.sweep()

    finish(job.id)

    done = service.get_stylization("ann", job.id)
    assert done.status == "succeeded"
    assert service.ports.blobs.size(f"jobs/{job.id}/content") is not None
    assert done.expires_at - service.ports.clock.now() == timedelta(hours=24)
