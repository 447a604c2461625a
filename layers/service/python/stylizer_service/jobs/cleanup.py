"""Deleting what is of no use any more, where that must not stand in the way of what matters."""

from __future__ import annotations

import logging

from stylizer_service.ports import Ports

log = logging.getLogger(__name__)


def discard(ports: Ports, folder: str) -> None:
    """Delete the files of a folder now if that is possible; if not, they go with their job, or as orphans."""
    try:
        ports.blobs.delete_folder(folder)
    except Exception:
        log.warning("could not delete %s; it goes later", folder, exc_info=True)
