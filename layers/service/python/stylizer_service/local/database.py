"""One SQLite file, shared by the server and the painter process."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stylizer_service.rows import Value

SCHEMA_VERSION = 2

_SCHEMA = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    status TEXT NOT NULL,
    method TEXT NOT NULL,
    options TEXT NOT NULL,
    content TEXT NOT NULL,
    styles TEXT NOT NULL,
    mask TEXT,
    content_mask TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    progress REAL NOT NULL,
    preview_key TEXT,
    attempt INTEGER NOT NULL,
    lease_token TEXT,
    lease_expires_at TEXT,
    result TEXT,
    error TEXT,
    way TEXT NOT NULL DEFAULT 'queue',
    webhook TEXT,
    notify_at TEXT,
    notify_attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_by_owner ON jobs (owner, created_at, id);
CREATE INDEX jobs_by_status ON jobs (status, created_at, id);
CREATE INDEX jobs_by_expiry ON jobs (status, expires_at);
CREATE INDEX jobs_by_notice ON jobs (notify_at) WHERE notify_at IS NOT NULL;

CREATE TABLE idempotency_keys (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    job_id TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    media_type TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    sha256 TEXT
) STRICT;
CREATE INDEX uploads_by_expiry ON uploads (expires_at);

CREATE TABLE styles (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    title TEXT NOT NULL,
    created_at TEXT NOT NULL,
    key TEXT NOT NULL
) STRICT;
CREATE INDEX styles_by_owner ON styles (owner, created_at, id);
"""

_FROM_1_TO_2 = """
ALTER TABLE jobs ADD COLUMN way TEXT NOT NULL DEFAULT 'queue';
ALTER TABLE jobs ADD COLUMN webhook TEXT;
ALTER TABLE jobs ADD COLUMN notify_at TEXT;
ALTER TABLE jobs ADD COLUMN notify_attempts INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_by_notice ON jobs (notify_at) WHERE notify_at IS NOT NULL;
"""
_STEPS = {0: _SCHEMA, 1: _FROM_1_TO_2}
"""What brings a file of each earlier version to the present one; 0 is a new file."""


class Database:
    """A connection that threads share, one at a time: every use is a matter of milliseconds.

    Args:
        path: The file; made with its tables if it is not there.
    """

    def __init__(self, path: Path):
        self._lock = threading.RLock()
        # isolation_level=None: transactions are opened here, by name, and nowhere else.
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        # FULL: an accepted job is on the disk before the answer leaves, even if the power fails next.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._prepare(path)

    def _prepare(self, path: Path) -> None:
        with self.transaction():
            row = self.one("PRAGMA user_version")
            version = row[0] if row else None
            if version == SCHEMA_VERSION:
                return
            if version not in _STEPS:
                raise RuntimeError(f"{path} was made by a later version of this service: use another data folder")
            for statement in _STEPS[version].split(";"):
                self.run(statement)
            self.run(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else writes meanwhile."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run one statement; returns how many rows it changed."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def one(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """The first row, or None. Reads every row: that ends the statement, and commits a RETURNING."""
        rows = self.all(statement, values)
        return rows[0] if rows else None

    def all(self, statement: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """Every row."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()
