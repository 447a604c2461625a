"""Job, upload and style stores on a DynamoDB table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Unpack

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from stylizer_service import cursors
from stylizer_service.adapters.aws import schema
from stylizer_service.adapters.aws.table import Row, Table
from stylizer_service.models import Prefix, Status
from stylizer_service.ports import BadCursor
from stylizer_service.records import IdempotencyRecord, Job, JobChanges, Precondition, StyleRecord, UploadRecord
from stylizer_service.serialization import Record, Value, format_timestamp, from_row, to_columns, to_row

_PLACE = re.compile(r"[0-9TZ:.-]{27}#[a-z]{3}_[a-z2-7]{26}")
_UPLOAD_GRACE = timedelta(days=2)
"""Delay of DynamoDB's TTL for upload records beyond their expiry, so that the sweep deletes the files first."""


class DynamoJobs:
    """Port `Jobs`. Each conditional write is one UpdateItem.

    Args:
        table: The table.
        record_ttl: How long a job's record outlives its files.
    """

    def __init__(self, table: Table, record_ttl: timedelta):
        self._table = table
        self._record_ttl = record_ttl

    def create(self, job: Job, idempotency: IdempotencyRecord | None, now: datetime) -> IdempotencyRecord | None:
        """Store a new job and its idempotency key, or return the existing record of that key."""
        writes: list[tuple[dict[str, Value], ConditionBase]] = [(self._item(job), Attr(schema.KEY).not_exists())]
        if idempotency:
            is_free = Attr(schema.KEY).not_exists() | Attr("expires_at").lte(format_timestamp(now))
            writes.insert(0, (_key_item(idempotency), is_free))
        conflicts = self._table.transact_put(writes)
        if conflicts is None:
            return None
        if idempotency and conflicts[0]:
            known = from_row(IdempotencyRecord, conflicts[0])
            # Same job: an earlier attempt of this request succeeded and its response was lost.
            return None if known.job_id == job.id else known
        raise FileExistsError(f"there is a job {job.id} already")

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        return _get(self._table, Job, "stz", job_id)

    def get_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Return those of the jobs that exist."""
        return [from_row(Job, row) for row in self._table.read(job_ids)]

    def page(
        self, owner: str, *, limit: int, cursor: str | None, status: Status | None
    ) -> tuple[list[Job], str | None]:
        """Return a page of the owner's jobs, newest first. Indexes are eventually consistent: recent writes may lag."""
        if status is None:
            return _page(self._table, Job, schema.BY_OWNER, f"stz#{owner}", limit, cursor)
        jobs, following = _page(self._table, Job, schema.BY_OWNER_STATUS, f"{status}#{owner}", limit, cursor)
        return [job for job in jobs if job.status == status], following

    def update(self, job_id: str, when: Precondition, **changes: Unpack[JobChanges]) -> Job | None:
        """Apply the changes if the precondition holds."""
        columns = to_columns(changes)
        if "status" in changes:
            job = self.get(job_id)
            if job is None:
                return None
            columns |= _status_lists(job.owner, changes["status"])
        if "expires_at" in changes:
            columns[schema.TTL] = _epoch(changes["expires_at"] + self._record_ttl)
        if "notify_at" in changes:
            columns["notify_list"] = _notify_list(changes["notify_at"])
        row = self._table.update(job_id, columns, _condition(when))
        return from_row(Job, row) if row else None

    def find_key(self, owner: str, key: str, now: datetime) -> IdempotencyRecord | None:
        """Return the record of an idempotency key, or None if unknown or expired."""
        row = self._table.get(_key_name(owner, key))
        record = from_row(IdempotencyRecord, row) if row else None
        return record if record and record.expires_at > now else None

    def due(self, status: Status, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` expired jobs in that status."""
        listed = Key("status_list").eq(f"stz#{status}") & Key("expires_at").lte(format_timestamp(now))

        def is_due(job: Job) -> bool:
            return job.status == status and job.expires_at <= now

        return _some(self._table, Job, schema.BY_STATUS, listed, is_due, limit)

    def with_expired_lease(self, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` jobs with an expired lease. Queries all running jobs: at most one per painter."""

        def is_expired(job: Job) -> bool:
            return job.status == "running" and job.lease_expires_at is not None and job.lease_expires_at <= now

        return _some(self._table, Job, schema.BY_STATUS, Key("status_list").eq("stz#running"), is_expired, limit)

    def with_pending_webhook(self, now: datetime, *, limit: int) -> list[Job]:
        """Return up to `limit` jobs with a webhook due."""
        listed = Key("notify_list").eq("due") & Key("notify_at").lte(format_timestamp(now))

        def is_due(job: Job) -> bool:
            return job.notify_at is not None and job.notify_at <= now

        return _some(self._table, Job, schema.BY_NOTIFY, listed, is_due, limit)

    def delete(self, job_id: str) -> None:
        """Delete a job record."""
        self._table.delete(job_id)

    def _item(self, job: Job) -> dict[str, Value]:
        return {
            **to_row(job),
            schema.KEY: job.id,
            "owner_list": f"stz#{job.owner}",
            "place": _place(job.created_at, job.id),
            **_status_lists(job.owner, job.status),
            "notify_list": _notify_list(job.notify_at),
            schema.TTL: _epoch(job.expires_at + self._record_ttl),
        }


class DynamoUploads:
    """Port `Uploads`."""

    def __init__(self, table: Table):
        self._table = table

    def put(self, upload: UploadRecord) -> None:
        """Store or replace a record."""
        ttl = _epoch(upload.expires_at + _UPLOAD_GRACE)
        self._table.put({**to_row(upload), schema.KEY: upload.id, "status_list": "upl", schema.TTL: ttl})

    def get(self, upload_id: str) -> UploadRecord | None:
        """Return the record, or None."""
        return _get(self._table, UploadRecord, "upl", upload_id)

    def due(self, now: datetime, *, limit: int) -> list[UploadRecord]:
        """Return up to `limit` expired uploads."""
        listed = Key("status_list").eq("upl") & Key("expires_at").lte(format_timestamp(now))
        return _some(
            self._table, UploadRecord, schema.BY_STATUS, listed, lambda upload: upload.expires_at <= now, limit
        )

    def delete(self, upload_id: str) -> None:
        """Delete an upload record."""
        self._table.delete(upload_id)


class DynamoStyles:
    """Port `Styles`."""

    def __init__(self, table: Table):
        self._table = table

    def put(self, style: StyleRecord) -> None:
        """Store a record."""
        place = _place(style.created_at, style.id)
        self._table.put({**to_row(style), schema.KEY: style.id, "owner_list": f"sty#{style.owner}", "place": place})

    def get(self, style_id: str) -> StyleRecord | None:
        """Return the record, or None."""
        return _get(self._table, StyleRecord, "sty", style_id)

    def page(self, owner: str, *, limit: int, cursor: str | None) -> tuple[list[StyleRecord], str | None]:
        """Return a page of the owner's styles, newest first."""
        return _page(self._table, StyleRecord, schema.BY_OWNER, f"sty#{owner}", limit, cursor)

    def delete(self, style_id: str) -> None:
        """Delete a style record."""
        self._table.delete(style_id)


def _get(table: Table, kind: type[Record], prefix: Prefix, name: str) -> Record | None:
    # Ids come from callers and all record types share one table: reject overlong ids and ids of another type.
    row = table.get(name) if name.startswith(f"{prefix}_") and len(name) <= 100 else None
    return from_row(kind, row) if row else None


def _page(
    table: Table, kind: type[Record], index: str, of: str, limit: int, cursor: str | None
) -> tuple[list[Record], str | None]:
    listed: ConditionBase = Key(schema.INDEXES[index][0]).eq(of)
    if cursor is not None:
        listed &= Key("place").lt(_read_place(cursor))
    entries: list[Row] = []
    # Fetch one more than requested to detect a next page.
    for some in table.entries(index, listed, size=limit + 1, newest_first=True):
        entries += some
        if len(entries) > limit:
            break
    records = [from_row(kind, row) for row in table.read([entry[schema.KEY] for entry in entries[:limit]])]
    has_next = len(entries) > limit
    return records, cursors.encode(*entries[limit - 1]["place"].split("#")) if has_next else None


def _some(
    table: Table,
    kind: type[Record],
    index: str,
    listed: ConditionBase,
    holds: Callable[[Record], bool],
    limit: int,
) -> list[Record]:
    """Return the first records listed by an index that still match: indexes are eventually consistent."""
    found: list[Record] = []
    for entries in table.entries(index, listed, size=limit):
        rows = table.read([entry[schema.KEY] for entry in entries])
        found += [record for record in (from_row(kind, row) for row in rows) if holds(record)]
        if len(found) >= limit:
            break
    return found[:limit]


def _condition(when: Precondition) -> ConditionBase:
    condition: ConditionBase = Attr("status").is_in(list(when.statuses))
    if when.token is not None:
        condition &= Attr("lease_token").eq(when.token)
    if when.lease_expired_by is not None:
        condition &= Attr("lease_expires_at").lte(format_timestamp(when.lease_expired_by))
    if when.notify_at is not None:
        condition &= Attr("notify_at").eq(format_timestamp(when.notify_at))
    if when.progress_below is not None:
        condition &= Attr("progress").lt(when.progress_below)
    return condition


def _status_lists(owner: str, status: Status) -> dict[str, Value]:
    return {"status_list": f"stz#{status}", "owner_status": f"{status}#{owner}"}


def _notify_list(notify_at: datetime | None) -> str | None:
    return None if notify_at is None else "due"


def _key_name(owner: str, key: str) -> str:
    return f"key#{owner}#{key}"


def _key_item(record: IdempotencyRecord) -> dict[str, Value]:
    return {**to_row(record), schema.KEY: _key_name(record.owner, record.key), schema.TTL: _epoch(record.expires_at)}


def _place(created_at: datetime, name: str) -> str:
    return f"{format_timestamp(created_at)}#{name}"


def _read_place(cursor: str) -> str:
    place = "#".join(cursors.decode(cursor, 2))
    if not _PLACE.fullmatch(place):
        raise BadCursor(cursor)
    return place


def _epoch(time: datetime) -> int:
    return math.ceil(time.timestamp())
