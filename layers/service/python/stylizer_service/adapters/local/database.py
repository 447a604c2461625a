"""SQLite database shared by the server and the painter process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from stylizer_service.ports import StorageFull, Unavailable
from stylizer_service.serialization import Value

SCHEMA_VERSION = 7

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
    backend TEXT NOT NULL DEFAULT 'queue',
    webhook TEXT,
    notify_at TEXT,
    notify_attempts INTEGER NOT NULL DEFAULT 0,
    variants INTEGER NOT NULL DEFAULT 1,
    results TEXT NOT NULL DEFAULT '[]',
    frames INTEGER,
    segments TEXT NOT NULL DEFAULT '[]',
    boundaries TEXT NOT NULL DEFAULT '[]',
    parent_id TEXT
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
    expires_at TEXT NOT NULL
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

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX uploads_by_owner ON uploads (owner);
CREATE INDEX jobs_waiting ON jobs (owner) WHERE status = 'queued';
"""
_MIGRATIONS = {
    3: """
ALTER TABLE jobs ADD COLUMN variants INTEGER NOT NULL DEFAULT 1;
ALTER TABLE jobs ADD COLUMN results TEXT NOT NULL DEFAULT '[]';
""",
    4: """
ALTER TABLE jobs ADD COLUMN frames INTEGER;
ALTER TABLE jobs ADD COLUMN segments TEXT NOT NULL DEFAULT '[]';
""",
    5: """
ALTER TABLE jobs ADD COLUMN borders TEXT NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN clip TEXT;
""",
    6: """
ALTER TABLE jobs RENAME COLUMN way TO backend;
ALTER TABLE jobs RENAME COLUMN borders TO boundaries;
ALTER TABLE jobs RENAME COLUMN clip TO parent_id;
""",
}
"""Statements that bring a database of that version to the next one."""
_PATIENCE = 5.0
"""Seconds a write waits for other threads, and again for other processes."""
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""SQLite error codes caused by the environment at this moment, not by the statement."""


class Database:
    """Two connections shared by all threads: one for reads, one for writes.

    In WAL mode writers, in this process or another, do not block readers: job status is served immediately even while
    the disk is full or another program holds the write lock.

    Each operation takes milliseconds. One that cannot run within a few seconds, because another process holds the lock
    or the disk is full, raises `Unavailable` and has no effect.

    Args:
        path: Database file; created with its tables if missing.

    Raises:
        RuntimeError: The file is damaged, is not a database, or has another schema version.
        Unavailable: The file is not accessible at the moment.
    """

    def __init__(self, path: Path):
        self._writing = threading.RLock()
        self._reading = threading.Lock()
        with ExitStack() as opened:
            try:
                self._writer = opened.enter_context(closing(_connect(path)))
                self._reader = opened.enter_context(closing(_connect(path)))
                self._prepare(path)
            except sqlite3.DatabaseError as error:
                advice = "put back a copy of it, or use another data folder"
                raise RuntimeError(f"{path} cannot be used: {error}; {advice}") from error
            opened.pop_all()

    def _prepare(self, path: Path) -> None:
        if self._version() == SCHEMA_VERSION:  # read without a lock, so that startup does not wait for writers
            found = self.all("PRAGMA quick_check(1)")[0][0]
            if found != "ok":
                raise sqlite3.DatabaseError(found.splitlines()[-1])
            return
        with self.transaction():
            version = self._version()
            if version == SCHEMA_VERSION:
                return
            steps = [_SCHEMA] if version == 0 else [_MIGRATIONS.get(v) for v in range(version, SCHEMA_VERSION)]
            if not steps or None in steps:
                raise RuntimeError(f"{path} was made by another version of this service: use another data folder")
            for statement in ";".join(step or "" for step in steps).split(";"):
                self.run(statement)
            self.run(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _version(self) -> int:
        return int(self.all("PRAGMA user_version")[0][0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block atomically and exclusive of other writers. Reads inside the block see the state before it."""
        with self._turn(), _reachable():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # SQLite has already rolled back if the disk was full
                    self._writer.execute("ROLLBACK")
                raise

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run one write statement; returns the number of rows changed."""
        with self._turn(), _reachable():
            return self._writer.execute(statement, values).rowcount

    def change(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """Run one write statement with RETURNING; returns the first row, or None."""
        with self._turn(), _reachable():
            # Fetching all rows completes the statement, which commits it.
            rows = self._writer.execute(statement, values).fetchall()
        return rows[0] if rows else None

    def one(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """Run a query; returns the first row, or None."""
        rows = self.all(statement, values)
        return rows[0] if rows else None

    def all(self, statement: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """Run a query; returns all rows."""
        with self._reading, _reachable():
            return self._reader.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close both connections."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the write connection. Threads wait concurrently, each for at most `_PATIENCE` seconds."""
        if not self._writing.acquire(timeout=_PATIENCE):
            raise Unavailable(f"no turn to write in {_PATIENCE:g} s: the database is busy")
        try:
            yield
        finally:
            self._writing.release()


def _connect(path: Path) -> sqlite3.Connection:
    # isolation_level=None: transactions are opened explicitly only.
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        with _reachable():
            _use_wal(connection)
            # FULL: an accepted job is durable before the response is sent, even if the power fails next.
            connection.execute("PRAGMA synchronous = FULL")
            # Deleted content is overwritten, not left in the file until its pages are reused.
            connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL, with retries: when several processes switch at once, SQLite returns BUSY despite the timeout."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.02)


@contextmanager
def _reachable() -> Iterator[None]:
    """Raise `StorageFull` or `Unavailable` for transient errors; let bugs and corruption through."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StorageFull(f"the database cannot grow: {error}") from error
        if code in _PASSING:
            raise Unavailable(f"the database cannot be used now: {error}") from error
        raise
