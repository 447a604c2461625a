"""Tidying up after what was killed: files that no record knows, and files never finished."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from stylizer_service.adapters.local.blobs import LocalBlobs
from stylizer_service.ports import Jobs, Ports

_GRACE = timedelta(hours=1)


def remove_orphans(blobs: LocalBlobs, ports: Ports, *, grace: timedelta = _GRACE) -> int:
    """Delete folders without a record, or whose job has expired, and drafts, that nobody has touched for a while.

    Files are stored before the record that names them, so a process killed in between leaves files behind, as does a
    painter that was killed while its job was deleted. The grace keeps away from those who are in between right now.

    Returns:
        How many folders and drafts went.
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
