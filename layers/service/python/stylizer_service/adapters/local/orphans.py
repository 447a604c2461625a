"""Cleanup after crashes: blob folders without a record, and unfinished drafts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from stylizer_service.adapters.local.blobs import LocalBlobs
from stylizer_service.ports import Jobs, Ports

_GRACE = timedelta(hours=1)


def remove_orphans(blobs: LocalBlobs, ports: Ports, *, grace: timedelta = _GRACE) -> int:
    """Delete drafts, and folders whose record is missing or whose job has expired, if unchanged for `grace`.

    Files are stored before the record that names them, so a process killed in between leaves files behind, as does a
    painter killed while its job was being deleted. The grace period protects writes in progress.

    Returns:
        The number of folders and drafts deleted.
    """
    before = ports.clock.now() - grace
    count = blobs.remove_drafts(before)
    is_known: dict[str, Callable[[str], bool]] = {
        "jobs": lambda name: _has_files(ports.jobs, name),
        "uploads": lambda name: ports.uploads.get(name) is not None,
        "styles": lambda name: ports.styles.get(name) is not None,
    }
    for kind, knows in is_known.items():
        for name in blobs.untouched(kind, before):
            if not knows(name):
                blobs.delete_folder(f"{kind}/{name}/")
                count += 1
    return count


def _has_files(jobs: Jobs, job_id: str) -> bool:
    job = jobs.get(job_id)
    return job is not None and job.status != "expired"
