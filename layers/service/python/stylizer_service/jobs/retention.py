"""Retention: deletion of expired files and records."""

from __future__ import annotations

from datetime import timedelta

from stylizer_service.inputs import upload_folder
from stylizer_service.models import FINAL
from stylizer_service.ports import Ports
from stylizer_service.records import Precondition, expired_changes

_BATCH = 100


def sweep(ports: Ports, *, record_ttl: timedelta) -> int:
    """Delete the files of expired jobs and uploads, and job records `record_ttl` later.

    Idempotent and safe to run concurrently. Files are deleted before the record is updated, so a crash in between
    leaves a record that the next sweep finds again.

    Returns:
        The number of records changed or deleted.
    """
    now = ports.clock.now()
    count = 0
    for status in FINAL:
        while jobs := ports.jobs.due(status, now, limit=_BATCH):
            for job in jobs:
                ports.blobs.delete_folder(job.folder)
                ports.jobs.update(job.id, Precondition(statuses=(status,)), **expired_changes(job))
            count += len(jobs)
    while jobs := ports.jobs.due("expired", now - record_ttl, limit=_BATCH):
        for job in jobs:
            ports.jobs.delete(job.id)
        count += len(jobs)
    while uploads := ports.uploads.due(now, limit=_BATCH):
        for upload in uploads:
            ports.blobs.delete_folder(upload_folder(upload.id))
            ports.uploads.delete(upload.id)
        count += len(uploads)
    return count
