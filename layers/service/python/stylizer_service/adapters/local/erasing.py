"""Erasure of all data of one owner before it expires."""

from __future__ import annotations

from stylizer_service.adapters.local.blobs import LocalBlobs
from stylizer_service.adapters.local.database import Database

_KINDS = {
    "uploads": ("SELECT id FROM uploads WHERE owner = ?", "DELETE FROM uploads WHERE id = ?"),
    "jobs": ("SELECT id FROM jobs WHERE owner = ?", "DELETE FROM jobs WHERE id = ?"),
    "styles": ("SELECT id FROM styles WHERE owner = ?", "DELETE FROM styles WHERE id = ?"),
}
"""For each blob folder: the queries that find and delete its records."""


def erase(database: Database, blobs: LocalBlobs, owner: str) -> int:
    """Delete all uploads, jobs and styles of an owner. Idempotent and safe to run concurrently.

    A painter at work loses its job at its next step; what it writes until then is removed as an orphan.

    Returns:
        The number of uploads, jobs and styles deleted.
    """
    count = 0
    for folder, (find, delete) in _KINDS.items():
        for row in database.all(find, [owner]):
            # Files first: a crash in between leaves a record that is found again.
            blobs.delete_folder(f"{folder}/{row['id']}/")
            count += database.run(delete, [row["id"]])
    database.run("DELETE FROM idempotency_keys WHERE owner = ?", [owner])
    return count
