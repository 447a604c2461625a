"""API keys of the local server, stored as digests only."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from stylizer_service.adapters.local.database import Database
from stylizer_service.ports import Clock
from stylizer_service.serialization import format_timestamp

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
NAMES = "1 to 64 letters, digits and . _ @ -, beginning with a letter or digit"
"""Description of valid key names."""
_SECRET = re.compile(r"stz_key_[A-Za-z0-9_-]{43}")
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """Metadata of an issued key.

    Attributes:
        id: Owner id of jobs created with the key; never reused.
        name: Display name of the caller.
        created_at: Creation time.
    """

    id: str
    name: str
    created_at: datetime


class Keys:
    """API keys in the data folder. Changes by other processes take effect immediately.

    Args:
        database: The database.
        clock: Time source.
    """

    def __init__(self, database: Database, clock: Clock):
        self._database = database
        self._clock = clock

    def add(self, name: str) -> str:
        """Create a key and return its secret, which cannot be retrieved later.

        Args:
            name: Name of the caller; see `NAMES`.

        Raises:
            ValueError: The name is taken or invalid.
        """
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a key; allowed: {NAMES}")
        secret = f"stz_key_{secrets.token_urlsafe(_BYTES)}"
        values = [f"key_{secrets.token_hex(8)}", name, _digest(secret), format_timestamp(self._clock.now())]
        if not self._database.run(
            "INSERT OR IGNORE INTO api_keys (id, name, digest, created_at) VALUES (?, ?, ?, ?)", values
        ):
            raise ValueError(f"there is a key named {name!r} already: remove it first, or take another name")
        return secret

    def all(self) -> list[Key]:
        """Return all keys, sorted by name."""
        rows = self._database.all("SELECT id, name, created_at FROM api_keys ORDER BY name")
        return [Key(row["id"], row["name"], datetime.fromisoformat(row["created_at"])) for row in rows]

    def remove(self, name: str) -> bool:
        """Revoke a key; returns whether there was one of that name."""
        return self._database.run("DELETE FROM api_keys WHERE name = ?", [name]) > 0

    def owner(self, secret: str) -> str | None:
        """Return the id of the key with this secret, or None if it is not valid."""
        if not _SECRET.fullmatch(secret):
            return None
        digest = _digest(secret)
        row = self._database.one("SELECT id, digest FROM api_keys WHERE digest = ?", [digest])
        # Lookup time can reveal only the digest, which says nothing about the key.
        return str(row["id"]) if row and hmac.compare_digest(row["digest"], digest) else None


def _digest(secret: str) -> str:
    # Neither salt nor key stretching is needed: a key has 256 random bits and cannot be guessed.
    return hashlib.sha256(secret.encode()).hexdigest()
