"""Data folders of earlier versions, which knew fewer options."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from stylizer_service.local import Local, open_local
from stylizer_service.local.database import Database, stamp
from stylizer_service.models import StylizationRequest
from stylizer_service.settings import Settings

# As the first version had them: there was no `features`.
FIRST_OPTIONS = {
    "size": 1024,
    "strength": 1.0,
    "style_scale": 1.0,
    "preserve_color": "none",
    "quality": "standard",
    "seed": 0,
    "format": "jpeg",
    "format_quality": 90,
}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with closing(open_local(Settings(data_dir=tmp_path))) as local:
        yield local


def test_a_job_and_a_key_from_before_there_were_features_are_still_understood(local: Local, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").save(file, "PNG")
    content = local.service.add_upload("ann", file, field="content")
    request = StylizationRequest(content=content, style="woodcut")
    job, _ = local.service.create_stylization("ann", request)
    wish = FIRST_OPTIONS | {
        "method": "texture",
        "content": f"sha256:{hashlib.sha256(file.getvalue()).hexdigest()}",
        "mask": None,
        "content_mask": None,
        "styles": [["woodcut", 1.0]],
    }
    fingerprint = hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()
    tomorrow = stamp(job.created_at + timedelta(days=1))
    with closing(Database(tmp_path / "stylizer.db")) as database:
        database.run("UPDATE jobs SET options = ?", [json.dumps(FIRST_OPTIONS)])
        database.run("INSERT INTO idempotency_keys VALUES ('ann', 'old', ?, ?, ?)", [fingerprint, job.id, tomorrow])

    assert local.service.get_stylization("ann", job.id) == job
    assert local.service.create_stylization("ann", request, "old") == (job, False)
