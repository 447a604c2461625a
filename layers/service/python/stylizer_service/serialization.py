"""Conversion between records and flat rows of plain values: timestamps as text, structures as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from stylizer_service.records import IdempotencyRecord, Job, StyleRecord, UploadRecord

Record = TypeVar("Record", Job, UploadRecord, StyleRecord, IdempotencyRecord)
Value = str | int | float | None

_ADAPTERS: dict[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Job, UploadRecord, StyleRecord, IdempotencyRecord)
}
_JSON_COLUMNS = frozenset({"options", "styles", "result", "results", "segments", "boundaries", "error"})


def format_timestamp(time: datetime) -> str:
    """Format a time as fixed-width UTC text that sorts chronologically."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_row(record: Job | UploadRecord | StyleRecord | IdempotencyRecord) -> dict[str, Value]:
    """Return a record as columns."""
    return to_columns({field.name: getattr(record, field.name) for field in fields(record)})


def to_columns(values: Mapping[str, object]) -> dict[str, Value]:
    """Return some fields of a record as columns."""
    return {name: _value(value) for name, value in values.items()}


def from_row(kind: type[Record], row: Mapping[str, object]) -> Record:
    """Return the record stored in a row. Numbers may be text, missing columns are None, unknown columns are ignored."""
    values = {
        field.name: _read(field.name, row.get(field.name))
        for field in fields(kind)
        if field.name in row or field.default is MISSING
    }
    record: Record = _ADAPTERS[kind].validate_python(values)
    return record


def _value(value: object) -> Value:
    if isinstance(value, datetime):
        return format_timestamp(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return to_json(value).decode()


def _read(name: str, value: object) -> object:
    return json.loads(value) if name in _JSON_COLUMNS and isinstance(value, str) else value
