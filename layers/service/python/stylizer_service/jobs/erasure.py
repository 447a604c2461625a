"""Deletion of resources before they expire, at their owner's request."""

from __future__ import annotations

from stylizer_service.inputs import upload_folder
from stylizer_service.jobs.finish import end
from stylizer_service.models import FINAL
from stylizer_service.ports import Ports
from stylizer_service.records import Job, Precondition, StyleRecord, expired_changes
from stylizer_service.settings import Settings


def erase_job(ports: Ports, settings: Settings, job: Job) -> None:
    """Cancel a job unless it is final, delete its files and mark its record expired. Idempotent.

    As in `retention.sweep`, files are deleted first, so a crash in between leaves a job that can be erased again. A
    painter that is working on it loses its lease at its next write and deletes what it has written in the meantime.
    """
    end(ports, settings, job, Precondition(statuses=("queued", "running")), "canceled")
    ports.blobs.delete_folder(job.folder)
    changes = expired_changes(job)
    changes["expires_at"] = ports.clock.now()
    changes["notify_at"] = None  # no webhook for a job its owner has deleted
    ports.jobs.update(job.id, Precondition(statuses=FINAL), **changes)


def erase_style(ports: Ports, style: StyleRecord) -> None:
    """Delete a style. Jobs that use it have their own copies."""
    ports.blobs.delete_folder(f"styles/{style.id}/")
    ports.styles.delete(style.id)


def erase_upload(ports: Ports, upload_id: str) -> None:
    """Delete an upload. Jobs and styles made from it have their own copies."""
    ports.blobs.delete_folder(upload_folder(upload_id))
    ports.uploads.delete(upload_id)
