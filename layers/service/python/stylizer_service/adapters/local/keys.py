"""API keys of one machine: who may call, told by a secret of which only a digest is kept."""

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
"""What a caller may be called, in words."""
_SECRET = re.compile(r"stz_key_[A-Za-z0-9_-]{43}")
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key once it has been handed out.

    Attributes:
        id: Whose the jobs are that are made with it; never used again for another.
        name: What people call the caller.
        created_at: When it was made.
    """

    id: str
    name: str
    created_at: datetime


class Keys:
    """The keys in the data folder. Other processes may add and remove them at any time; that holds at once.

    Args:
        database: Where they are.
        clock: Tells the time.
    """

    def __init__(self, database: Database, clock: Clock):
        self._database = database
        self._clock = clock

    def add(self, name: str) -> str:
        """Make a key, and give it: nobody can ask for it again.

        Args:
            name: What to call the caller; see `NAMES`.

        Raises:
            ValueError: The name is taken, or cannot be one.
        """
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a key; allowed are {NAMES}")
        secret = f"stz_key_{secrets.token_urlsafe(_BYTES)}"
        values = [f"key_{secrets.token_hex(8)}", name, _digest(secret), format_timestamp(self._clock.now())]
        if not self._database.run(
            "INSERT OR IGNORE INTO api_keys (id, name, digest, created_at) VALUES (?, ?, ?, ?)", values
        ):
            raise ValueError(f"there is a key named {name!r} already: remove it first, or take another name")
        return secret

    def all(self) -> list[Key]:
        """Every key, by name."""
        rows = self._database.all("SELECT id, name, created_at FROM api_keys ORDER BY name")
        return [Key(row["id"], row["name"], datetime.fromisoformat(row["created_at"])) for row in rows]

    def remove(self, name: str) -> bool:
        """Let a key be valid no longer; whether there was one of that name."""
        return self._database.run("DELETE FROM api_keys WHERE name = ?", [name]) > 0

    def owner(self, secret: str) -> str | None:
        """The id of a key, or None if it is not one of ours."""
        if not _SECRET.fullmatch(secret):
            return None
        digest = _digest(secret)
        row = self._database.one("SELECT id, digest FROM api_keys WHERE digest = ?", [digest])
        # What the index takes longer or shorter to find is a digest, which tells nothing of the key it is made from.
        return str(row["id"]) if row and hmac.compare_digest(row["digest"], digest) else None


def _digest(secret: str) -> str:
    # No salt and no stretching: there are 256 random bits in a key, and none to be guessed.
    return hashlib.sha256(secret.encode()).hexdigest()
