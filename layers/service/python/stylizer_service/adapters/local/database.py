"""One SQLite file, shared by the server and the painter process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from stylizer_service.ports import StorageFull, Unavailable
from stylizer_service.serialization import Value

SCHEMA_VERSION = 3

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

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX uploads_by_owner ON uploads (owner);
CREATE INDEX jobs_waiting ON jobs (owner) WHERE status = 'queued';
"""
_PATIENCE = 5.0
"""How long a write waits for other threads, and then for other processes, seconds."""
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""What has to do with the machine at this moment, and not with what was asked."""


class Database:
    """Two connections that threads share: one to read with, one to write with.

    In WAL mode nobody who writes, here or in another process, keeps a reader waiting: what a job is like is answered
    at once even while the disk is full or another program holds the file.

    Every use is a matter of milliseconds. One that cannot be had in a few seconds, because another process holds the
    file or the disk is full, raises `Unavailable`, and nothing of it is done.

    Args:
        path: The file; made with its tables if it is not there.

    Raises:
        RuntimeError: The file is damaged, is something else, or was made by another version.
        Unavailable: It cannot be reached now.
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
        if self._version() == SCHEMA_VERSION:  # asked without a lock, so that a start need not wait for who writes
            found = self.all("PRAGMA quick_check(1)")[0][0]
            if found != "ok":
                raise sqlite3.DatabaseError(found.splitlines()[-1])
            return
        with self.transaction():
            version = self._version()
            if version == SCHEMA_VERSION:
                return
            if version != 0:  # a new file has 0
                raise RuntimeError(f"{path} was made by another version of this service: use another data folder")
            for statement in _SCHEMA.split(";"):
                self.run(statement)
            self.run(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _version(self) -> int:
        return int(self.all("PRAGMA user_version")[0][0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else writes meanwhile. What the block reads is as it was before."""
        with self._turn(), _reachable():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # SQLite has rolled back by itself where the disk was full
                    self._writer.execute("ROLLBACK")
                raise

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run one statement that writes; returns how many rows it changed."""
        with self._turn(), _reachable():
            return self._writer.execute(statement, values).rowcount

    def change(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """Run one statement that writes and returns rows; gives the first, or None."""
        with self._turn(), _reachable():
            # Every row is read: that ends the statement, and commits it.
            rows = self._writer.execute(statement, values).fetchall()
        return rows[0] if rows else None

    def one(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """The first row of what a statement reads, or None."""
        rows = self.all(statement, values)
        return rows[0] if rows else None

    def all(self, statement: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """Every row of what a statement reads."""
        with self._reading, _reachable():
            return self._reader.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the connection that writes. Those who wait for it wait side by side, and not for long."""
        if not self._writing.acquire(timeout=_PATIENCE):
            raise Unavailable(f"no turn to write in {_PATIENCE:g} s: the database is busy")
        try:
            yield
        finally:
            self._writing.release()


def _connect(path: Path) -> sqlite3.Connection:
    # isolation_level=None: transactions are opened by name, and nowhere else.
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        with _reachable():
            _use_wal(connection)
            # FULL: an accepted job is on the disk before the answer leaves, even if the power fails next.
            connection.execute("PRAGMA synchronous = FULL")
            # What is forgotten is overwritten, not left in the file until something else comes to lie there.
            connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turn a new file to WAL. Of those who do so at once SQLite sends some away, without the wait they asked for."""
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
    """Tell what passes, such as a full disk, from mistakes of ours and from a file that is damaged."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StorageFull(f"the database cannot grow: {error}") from error
        if code in _PASSING:
            raise Unavailable(f"the database cannot be used now: {error}") from error
        raise
