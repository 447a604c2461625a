"""What callers hear while the database is held by another program, or the disk is full: real faults, real HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpx
import pytest
from disks import full_disk

from stylizer_service.adapters.local import Local
from stylizer_service.adapters.local import database as module


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)


@contextmanager
def held(local: Local) -> Iterator[None]:
    """Another program writes, and takes its time."""
    with closing(sqlite3.connect(local.service.settings.data_dir / "stylizer.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def ask(client: httpx.Client, photo: bytes) -> Callable[[], httpx.Response]:
    """Ask for a painting, as a good client does: again with the same key."""
    return lambda: client.post(
        "/v1/stylizations",
        files={"content": ("cat.jpg", photo)},
        data={"style": "ink"},
        headers={"Idempotency-Key": "one"},
    )


def is_told_to_come_again(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (
        503,
        "/problems/unavailable",
        "10",
    )


def test_locked_database_serves_reads_and_defers_writes(
    client: httpx.Client, local: Local, accepted: Callable[..., str], ask: Callable[[], httpx.Response]
) -> None:
    job_id = accepted()
    with held(local):
        assert is_told_to_come_again(ask())
        assert is_told_to_come_again(client.post(f"/v1/stylizations/{job_id}/cancel"))
        assert is_told_to_come_again(client.post("/v1/uploads", json={"media_type": "image/png"}))
        assert client.get(f"/v1/stylizations/{job_id}").json()["status"] == "queued"
        assert client.get("/healthz").json()["queued"] == 1

    assert [ask().status_code for _ in range(2)] == [202, 202]
    assert len(client.get("/v1/stylizations").json()["items"]) == 2


@pytest.mark.parametrize("room", [0, 1000], ids=["for nothing", "for the photo's file and not for the database"])
def test_full_disk_defers_requests_and_leaves_nothing_partial(
    client: httpx.Client, local: Local, accepted: Callable[..., str], ask: Callable[[], httpx.Response], room: int
) -> None:
    job_id = accepted()
    with full_disk(room):
        answers = [ask(), client.post(f"/v1/stylizations/{job_id}/cancel")]
        seen = client.get(f"/v1/stylizations/{job_id}")
    assert all(is_told_to_come_again(answer) for answer in answers)
    assert seen.json()["status"] == "queued"
    assert not list((local.service.settings.data_dir / "drafts").iterdir())

    assert [ask().status_code for _ in range(2)] == [202, 202]
    assert len(client.get("/v1/stylizations").json()["items"]) == 2
