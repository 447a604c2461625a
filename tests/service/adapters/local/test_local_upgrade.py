"""Data folders of earlier versions, which knew fewer options and methods, and had other default methods."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from pictures import slope

from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.database import Database
from stylizer_service.models import Stylization, StylizationRequest
from stylizer_service.problems import ProblemError
from stylizer_service.rows import stamp
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


@pytest.fixture
def photo() -> bytes:
    return slope()


@pytest.fixture
def content(local: Local, photo: bytes) -> str:
    return local.service.add_upload("ann", io.BytesIO(photo), field="content")


@pytest.fixture
def old(local: Local, tmp_path: Path, photo: bytes, content: str) -> Stylization:
    """A job of the first version under the key "old"; its caller had named no method, and a content mask."""
    request = StylizationRequest(content=content, style="woodcut", method="texture", content_mask=content)
    job, _ = local.service.create_stylization("ann", request)
    file = f"sha256:{hashlib.sha256(photo).hexdigest()}"
    wish = FIRST_OPTIONS | {
        "method": "texture",
        "content": file,
        "mask": None,
        "content_mask": file,
        "styles": [["woodcut", 1.0]],
    }
    fingerprint = hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()
    tomorrow = stamp(job.created_at + timedelta(days=1))
    with closing(Database(tmp_path / "stylizer.db")) as database:
        database.run("UPDATE jobs SET options = ?", [json.dumps(FIRST_OPTIONS)])
        database.run("INSERT INTO idempotency_keys VALUES ('ann', 'old', ?, ?, ?)", [fingerprint, job.id, tomorrow])
    return job


def test_a_job_is_what_it_was_when_it_was_made(local: Local, old: Stylization) -> None:
    assert local.service.get_stylization("ann", old.id) == old
    assert (old.method, old.options.features) == ("texture", None)
    assert local.service.list_stylizations("ann").items == [old]


def test_a_request_sent_again_under_its_key_is_the_same_job_whether_or_not_it_names_the_method(
    local: Local, old: Stylization, content: str
) -> None:
    request = StylizationRequest(content=content, style="woodcut", content_mask=content)
    named = StylizationRequest(content=content, style="woodcut", content_mask=content, method="texture")

    assert local.service.create_stylization("ann", request, "old") == (old, False)
    assert local.service.create_stylization("ann", named, "old") == (old, False)


def test_key_stored_under_feedforward_default_replays(local: Local, content: str) -> None:
    """The version whose default was `feedforward` stored the fingerprint of that method for a request without one."""
    before = StylizationRequest(content=content, style="woodcut", method="feedforward")
    job, _ = local.service.create_stylization("ann", before, "stored")

    repeated = StylizationRequest(content=content, style="woodcut")
    assert local.service.create_stylization("ann", repeated, "stored") == (job, False)
    assert local.service.create_stylization("ann", before, "stored") == (job, False)
    assert local.service.get_stylization("ann", job.id).method == "feedforward"


@pytest.mark.parametrize("change", [{"method": "neighbor"}, {"method": "texture"}, {"size": 512}], ids=str)
def test_key_of_feedforward_default_refuses_other_request(
    local: Local, content: str, change: dict[str, object]
) -> None:
    before = StylizationRequest(content=content, style="woodcut", method="feedforward")
    local.service.create_stylization("ann", before, "stored")

    other = StylizationRequest.model_validate({"content": content, "style": "woodcut"} | change)
    with pytest.raises(ProblemError) as caught:
        local.service.create_stylization("ann", other, "stored")
    assert caught.value.problem.code == "idempotency-mismatch"


def test_new_key_without_method_is_stored_as_neighbor(local: Local, content: str) -> None:
    plain = StylizationRequest(content=content, style="woodcut")
    job, _ = local.service.create_stylization("ann", plain, "new")
    assert job.method == "neighbor"

    named = StylizationRequest(content=content, style="woodcut", method="neighbor")
    assert local.service.create_stylization("ann", named, "new") == (job, False)
    former = StylizationRequest(content=content, style="woodcut", method="feedforward")
    with pytest.raises(ProblemError) as caught:
        local.service.create_stylization("ann", former, "new")
    assert caught.value.problem.code == "idempotency-mismatch"


def test_another_request_under_an_old_key_is_refused(local: Local, old: Stylization, content: str) -> None:
    assert old.method == "texture"
    for other in ({"method": "optimization"}, {"method": "feedforward"}, {"method": "neighbor"}, {"size": 512}):
        request = StylizationRequest.model_validate(
            {"content": content, "style": "woodcut", "content_mask": content} | other
        )
        with pytest.raises(ProblemError) as caught:
            local.service.create_stylization("ann", request, "old")
        assert caught.value.problem.code == "idempotency-mismatch"


def test_a_data_folder_of_before_there_were_keys_takes_keys_and_keeps_its_jobs(
    local: Local, old: Stylization, tmp_path: Path
) -> None:
    local.keys.add("ann")
    with closing(Database(tmp_path / "stylizer.db")) as database:
        for statement in ("DROP TABLE api_keys", "DROP INDEX uploads_by_owner", "DROP INDEX jobs_waiting"):
            database.run(statement)
        database.run("PRAGMA user_version = 2")

    with closing(open_local(Settings(data_dir=tmp_path))) as later:
        assert later.keys.all() == []
        secret = later.keys.add("ann")
        assert later.keys.owner(secret) == later.keys.all()[0].id
        assert later.service.list_stylizations("ann").items == [old]
