"""Letting go of things before their time, because their owner says so."""

from __future__ import annotations

from stylizer_service.inputs import upload_folder
from stylizer_service.jobs.finish import end
from stylizer_service.models import FINAL
from stylizer_service.ports import Ports
from stylizer_service.records import Job, Precondition, StyleRecord
from stylizer_service.settings import Settings


def erase_job(ports: Ports, settings: Settings, job: Job) -> None:
    """End a job that has not ended, and delete its files. Its bare record says that it has expired. May be repeated.

    As in a sweep, files go first: whoever is stopped in between leaves a job that can be erased again. A painter that
    is at it learns of the end from its next write, and takes away what it has written meanwhile.
    """
    end(ports, settings, job, Precondition(statuses=("queued", "running")), "canceled")
    ports.blobs.delete_folder(job.folder)
    ports.jobs.update(
        job.id,
        Precondition(statuses=FINAL),
        status="expired",
        expires_at=ports.clock.now(),
        result=None,
        preview_key=None,
        notify_at=None,  # who deletes it need not be told any more
    )


def erase_style(ports: Ports, style: StyleRecord) -> None:
    """Delete a style. Jobs that use it have copies of their own."""
    ports.blobs.delete_folder(f"styles/{style.id}/")
    ports.styles.delete(style.id)


def erase_upload(ports: Ports, upload_id: str) -> None:
    """Delete an upload. Jobs and styles that were made from it have copies of their own."""
    ports.blobs.delete_folder(upload_folder(upload_id))
    ports.uploads.delete(upload_id)
