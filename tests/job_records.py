"""Records of jobs for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from stylizer_service.models import PaintingOptions, StyleWeight, new_id
from stylizer_service.records import Job


def make_job(now: datetime, **fields: Any) -> Job:
    """A queued job that was created `now` and expires an hour later, of one style, with other `fields`."""
    values: dict[str, Any] = {
        "id": new_id("stz"),
        "owner": "ann",
        "status": "queued",
        "method": "texture",
        "options": PaintingOptions(),
        "content": new_id("upl"),
        "styles": (StyleWeight(style="ink"),),
        "mask": None,
        "content_mask": None,
        "created_at": now,
        "expires_at": now + timedelta(hours=1),
    }
    return Job(**(values | fields))
