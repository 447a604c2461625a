"""Job, upload and style stores on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Unpack

from stylizer_service import cursors
from stylizer_service.adapters.local.database import Database
from stylizer_service.models import Status
from stylizer_service.records import IdempotencyRecord, Job, JobChanges, Precondition, StyleRecord, UploadRecord
from stylizer_service.serialization import Record, Value, format_timestamp, from_row, to_columns, to_row


class SqliteJobs:
    """Port `Jobs`. Each conditional write is one UPDATE with the precondition in its WHERE clause."""

    def __init__(self, database: Database):
        self._database = database

    def create(self, job: Job, idempotency: IdempotencyRecord | None, now: datetime) -> IdempotencyRecord | None:
        """Store a new job and its idempotency key, or return the existing record of that key."""
        with self._database.transaction():
            if idempotency:
                self._database.run("DELETE FROM idempotency_keys WHERE expires_at <= ?", [format_timestamp(now)])
                known = self.find_key(idempotency.owner, idempotency.key, now)
                if known:
                    return known
                _insert(self._database, "idempotency_keys", to_row(idempotency))
            _insert(self._database, "jobs", to_row(job))
        return None

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        return _read(Job, self._database.one("SELECT * FROM jobs WHERE id = ?", [job_id]))

    def get_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Return those of the jobs that exist."""
        return [job for job in map(self.get, job_ids) if job is not None]

    def page(
        self, owner: str, *, limit: int, cursor: str | None, status: Status | None
    ) -> tuple[list[Job], str | None]:
        """Return a page of the owner's jobs, newest first."""
        return _page(self._database, "jobs", Job, owner, limit, cursor, status)

    def update(self, job_id: str, when: Precondition, **changes: Unpack[JobChanges]) -> Job | None:
        """Apply the changes if the precondition holds."""
        columns = to_columns(changes)
        condition, values = _condition(when)
        assignments = ", ".join(f"{name} = ?" for name in columns)
        statement = f"UPDATE jobs SET {assignments} WHERE id = ? AND {condition} RETURNING *"  # noqa: S608 - column names
        return _read(Job, self._database.change(statement, [*columns.values(), job_id, *values]))

    def find_key(self, owner: str, key: str, now: datetime) -> IdempotencyRecord | None:
        """Return the record of an idempotency key, or None if unknown or expired."""
        statement = "SELECT * FROM idempotency_keys WHERE owner = ? AND key = ? AND expires_at > ?"
        return _read(IdempotencyRecord, self._database.one(statement, [owner, key, format_timestamp(now)]))

    def due(self, status: Status, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` expired jobs in that status."""
        statement = "SELECT * FROM jobs WHERE status = ? AND expires_at <= ? ORDER BY expires_at LIMIT ?"
        rows = self._database.all(statement, [status, format_timestamp(now), limit])
        return [from_row(Job, dict(row)) for row in rows]

    def with_expired_lease(self, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` running jobs with an expired lease."""
        statement = "SELECT * FROM jobs WHERE status = 'running' AND lease_expires_at <= ? LIMIT ?"
        rows = self._database.all(statement, [format_timestamp(now), limit])
        return [from_row(Job, dict(row)) for row in rows]

    def with_pending_webhook(self, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` jobs with a webhook due."""
        statement = "SELECT * FROM jobs WHERE notify_at <= ? ORDER BY notify_at LIMIT ?"
        rows = self._database.all(statement, [format_timestamp(now), limit])
        return [from_row(Job, dict(row)) for row in rows]

    def delete(self, job_id: str) -> None:
        """Delete a job record."""
        self._database.run("DELETE FROM jobs WHERE id = ?", [job_id])


class SqliteUploads:
    """Port `Uploads`."""

    def __init__(self, database: Database):
        self._database = database

    def put(self, upload: UploadRecord) -> None:
        """Store or replace a record."""
        _insert(self._database, "uploads", to_row(upload), replace=True)

    def get(self, upload_id: str) -> UploadRecord | None:
        """Return the record, or None."""
        return _read(UploadRecord, self._database.one("SELECT * FROM uploads WHERE id = ?", [upload_id]))

    def due(self, now: datetime, *, limit: int) -> list[UploadRecord]:
        """Return up to `limit` expired uploads."""
        statement = "SELECT * FROM uploads WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
        return [
            from_row(UploadRecord, dict(row)) for row in self._database.all(statement, [format_timestamp(now), limit])
        ]

    def delete(self, upload_id: str) -> None:
        """Delete an upload record."""
        self._database.run("DELETE FROM uploads WHERE id = ?", [upload_id])


class SqliteStyles:
    """Port `Styles`."""

    def __init__(self, database: Database):
        self._database = database

    def put(self, style: StyleRecord) -> None:
        """Store a record."""
        _insert(self._database, "styles", to_row(style), replace=True)

    def get(self, style_id: str) -> StyleRecord | None:
        """Return the record, or None."""
        return _read(StyleRecord, self._database.one("SELECT * FROM styles WHERE id = ?", [style_id]))

    def page(self, owner: str, *, limit: int, cursor: str | None) -> tuple[list[StyleRecord], str | None]:
        """Return a page of the owner's styles, newest first."""
        return _page(self._database, "styles", StyleRecord, owner, limit, cursor)

    def delete(self, style_id: str) -> None:
        """Delete a style record."""
        self._database.run("DELETE FROM styles WHERE id = ?", [style_id])


def _page(
    database: Database,
    table: str,
    kind: type[Record],
    owner: str,
    limit: int,
    cursor: str | None,
    status: Status | None = None,
) -> tuple[list[Record], str | None]:
    conditions = ["owner = ?"]
    values: list[Value] = [owner]
    if status is not None:
        conditions.append("status = ?")
        values.append(status)
    if cursor is not None:
        conditions.append("(created_at, id) < (?, ?)")
        values += cursors.decode(cursor, 2)
    where = " AND ".join(conditions)
    statement = f"SELECT * FROM {table} WHERE {where} ORDER BY created_at DESC, id DESC LIMIT ?"  # noqa: S608 - names
    # Fetch one more than requested to detect a next page.
    rows = database.all(statement, [*values, limit + 1])
    records = [from_row(kind, dict(row)) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return records, cursors.encode(last["created_at"], last["id"]) if last else None


def _condition(when: Precondition) -> tuple[str, list[Value]]:
    parts = [f"status IN ({', '.join('?' * len(when.statuses))})"]
    values: list[Value] = [*when.statuses]
    if when.token is not None:
        parts.append("lease_token = ?")
        values.append(when.token)
    if when.lease_expired_by is not None:
        parts.append("lease_expires_at <= ?")
        values.append(format_timestamp(when.lease_expired_by))
    if when.notify_at is not None:
        parts.append("notify_at = ?")
        values.append(format_timestamp(when.notify_at))
    if when.progress_below is not None:
        parts.append("progress < ?")
        values.append(when.progress_below)
    return " AND ".join(parts), values


def _insert(database: Database, table: str, columns: Mapping[str, Value], *, replace: bool = False) -> None:
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    places = ", ".join("?" * len(columns))
    database.run(f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({places})", [*columns.values()])


def _read(kind: type[Record], row: sqlite3.Row | None) -> Record | None:
    return None if row is None else from_row(kind, dict(row))
