"""Best-effort deletion that must not fail the operation around it."""

from __future__ import annotations

import logging

from stylizer_service.ports import Ports
from stylizer_service.records import Job

log = logging.getLogger(__name__)


def discard(ports: Ports, folder: str) -> None:
    """Try to delete a folder. On failure log a warning: retention deletes it later."""
    try:
        ports.blobs.delete_folder(folder)
    except Exception:
        log.warning("could not delete %s; it will be deleted later", folder, exc_info=True)


def discard_unfinished(ports: Ports, job: Job) -> None:
    """Try to delete the work folder of a job's last lease, unless a finished variant is in it."""
    if job.lease_token and not job.has_painted:
        discard(ports, job.work_folder)
