"""Deleting everything of one owner, long before its time."""

from __future__ import annotations

from stylizer_service.adapters.local.blobs import LocalBlobs
from stylizer_service.adapters.local.database import Database

_KINDS = {
    "uploads": ("SELECT id FROM uploads WHERE owner = ?", "DELETE FROM uploads WHERE id = ?"),
    "jobs": ("SELECT id FROM jobs WHERE owner = ?", "DELETE FROM jobs WHERE id = ?"),
    "styles": ("SELECT id FROM styles WHERE owner = ?", "DELETE FROM styles WHERE id = ?"),
}
"""By the folder where their files lie, how records are found and deleted."""


def erase(database: Database, blobs: LocalBlobs, owner: str) -> int:
    """Delete what an owner has sent and had painted. Safe to run twice, and while others work on it.

    A painter at work finds its job gone at its next step; what it writes until then is tidied up as any orphan is.

    Returns:
        How many uploads, jobs and styles went.
    """
    count = 0
    for folder, (find, delete) in _KINDS.items():
        for row in database.all(find, [owner]):
            # Files first: whoever is stopped in between leaves a record that is found again.
            blobs.delete_folder(f"{folder}/{row['id']}/")
            count += database.run(delete, [row["id"]])
    database.run("DELETE FROM idempotency_keys WHERE owner = ?", [owner])
    return count
