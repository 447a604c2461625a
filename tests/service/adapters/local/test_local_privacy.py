"""What is forgotten is gone from the disk."""

from __future__ import annotations

from collections.abc import Callable

from clocks import SteppedClock
from uploads import store_upload

from stylizer_service.adapters.local import Local
from stylizer_service.adapters.local.orphans import remove_orphans
from stylizer_service.models import StylizationRequest
from stylizer_service.settings import Settings

Picture = Callable[..., bytes]


def test_deleted_records_leave_database_and_journal(
    local: Local, picture: Picture, clock: SteppedClock, settings: Settings
) -> None:
    """Where it says who asked for what: a record outlives its files by 30 days, and not by more."""

    def kept() -> list[str]:
        files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
        return [path.name for path in files if b"S3CRET" in path.read_bytes()]

    service = local.service
    photo = store_upload(service, picture())
    request = {"content": photo, "style": "ink", "webhook": "https://ann.example/S3CRET"}
    job, _ = service.create_stylization("ann", StylizationRequest.model_validate(request))
    service.cancel_stylization("ann", job.id)
    assert kept()
    clock.advance(days=2)
    service.sweep()
    clock.advance(days=30)
    service.sweep()
    local.close()
    assert kept() == []


def test_late_files_of_a_deleted_job_are_deleted_too(local: Local, picture: Picture, clock: SteppedClock) -> None:
    service = local.service
    photo = store_upload(service, picture())
    deleted, waiting = (
        service.create_stylization("ann", StylizationRequest.model_validate({"content": photo, "style": "ink"}))[0]
        for _ in range(2)
    )
    service.delete_stylization("ann", deleted.id)
    late = f"jobs/{deleted.id}/token/result.jpg"
    local.blobs.put(late, b"painting", "image/jpeg")
    clock.advance(hours=2)
    assert remove_orphans(local.blobs, service.ports) == 1
    assert local.blobs.size(late) is None
    assert local.blobs.size(f"jobs/{waiting.id}/content") is not None
