"""Deletion of resources on request of their owner, with every set of adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from adapters import on_both
from clocks import SteppedClock
from uploads import store_upload

from stylizer_service.inputs import upload_key
from stylizer_service.jobs.leases import LeaseLost, claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.usecases import Service

Picture = Callable[..., bytes]
Order = Callable[..., StylizationRequest]
Refusal = Callable[..., Problem]
Finish = Callable[[str], None]


@on_both
def test_erased_job_loses_files_at_once_and_its_record_later(
    service: Service, order: Order, finish: Finish, refusal: Refusal, clock: SteppedClock
) -> None:
    job, _ = service.create_stylization("ann", order(webhook="https://ann.example/"))
    finish(job.id)
    result = service.ports.jobs.get(job.id)
    assert result is not None
    assert result.result is not None
    for _ in range(2):
        gone = service.delete_stylization("ann", job.id)
        assert (gone.status, gone.result, gone.preview) == ("expired", None, None)
    assert service.ports.blobs.size(f"jobs/{job.id}/content") is None
    assert service.ports.blobs.size(result.result.key) is None
    assert refusal(service.image_url, "ann", job.id).status == 410
    with_pending_webhook = service.ports.jobs.get(job.id)
    assert with_pending_webhook is not None
    assert with_pending_webhook.notify_at is None
    clock.advance(days=30, seconds=1)
    service.sweep()
    assert refusal(service.get_stylization, "ann", job.id).code == "not-found"


def test_erasing_a_running_job_cancels_it_and_leaves_no_files(service: Service, order: Order) -> None:
    job, _ = service.create_stylization("ann", order())
    lease = claim(service.ports, service.settings, job.id)
    assert lease is not None
    lease.report(0.3, b"preview")

    assert service.delete_stylization("ann", job.id).status == "expired"

    with pytest.raises(LeaseLost):
        lease.succeed(b"painting", preview=b"small", width=64, height=43)
    lease.abandon()
    folder = lease.job.work_folder
    names = [f"{folder}preview.jpg", f"{folder}result.jpg", f"jobs/{job.id}/content"]
    assert [name for name in names if service.ports.blobs.size(name) is not None] == []
    assert claim(service.ports, service.settings, job.id) is None


@on_both
def test_erasing_style_and_upload_keeps_their_paintings(
    service: Service, picture: Picture, refusal: Refusal, finish: Finish
) -> None:
    photo = store_upload(service, picture())
    style = service.create_style("ann", photo, "Mine")
    key = service.ports.styles.get(style.id)
    assert key is not None
    request = StylizationRequest.model_validate({"content": photo, "style": style.id})
    job, _ = service.create_stylization("ann", request)

    service.delete_upload("ann", photo)
    assert service.ports.blobs.size(upload_key(photo)) is None
    assert service.get_style("ann", style.id) == style
    service.delete_style("ann", style.id)

    assert service.ports.blobs.size(key.key) is None
    assert service.ports.blobs.size(f"jobs/{job.id}/style-0") is not None
    assert style.id not in [each.id for each in service.list_styles("ann", limit=100).items]
    for call, name in ((service.delete_upload, photo), (service.delete_style, style.id)):
        assert refusal(call, "ann", name).code == "not-found"
    assert refusal(service.create_stylization, "ann", request).code in ("not-found", "unknown-style")
    finish(job.id)
