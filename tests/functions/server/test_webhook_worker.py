from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from job_records import make_job
from waiting import PATIENCE, wait_for

from stylizer_server.webhook_worker import WebhookWorker
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.stores import SqliteJobs
from stylizer_service.ports import Ports
from stylizer_service.records import Job
from stylizer_service.settings import Settings
from stylizer_service.webhooks.delivery import NotSent, Sender


class RecordingSender:
    """Records deliveries, and fails for given jobs."""

    def __init__(self, *failing: str):
        self._failing = failing
        self.attempts: list[str] = []

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:  # noqa: ARG002
        self.attempts.append(headers["webhook-id"])
        if headers["webhook-id"] in self._failing:
            raise NotSent("connection refused")
        return 204


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with closing(open_local(Settings(data_dir=tmp_path / "data"))) as local:
        yield local


@pytest.fixture
def ports(local: Local) -> Ports:
    return local.service.ports


def ended_job(ports: Ports, webhook: str = "https://hooks.example/painted") -> str:
    """Store an ended job with a due webhook."""
    now = ports.clock.now()
    job = make_job(now, owner="local", status="canceled", finished_at=now, webhook=webhook, notify_at=now)
    ports.jobs.create(job, None, now)
    return job.id


def stored(ports: Ports, job_id: str) -> Job:
    job = ports.jobs.get(job_id)
    assert job is not None
    return job


@contextmanager
def running_worker(ports: Ports, sender: Sender) -> Iterator[WebhookWorker]:
    worker = WebhookWorker(ports, Settings(), sender)
    worker.start()
    yield worker
    worker.stop()


def test_webhook_worker_delivers_due_and_later_webhooks(ports: Ports) -> None:
    before = [ended_job(ports) for _ in range(3)]
    sender = RecordingSender(before[0])

    with running_worker(ports, sender):
        wait_for(lambda: len(sender.attempts) == 3)
        later = ended_job(ports)
        wait_for(lambda: stored(ports, later).notify_at is None)

    assert sender.attempts == [*before, later]
    assert [stored(ports, job_id).notify_at is None for job_id in before] == [False, True, True]


def test_webhook_worker_survives_a_database_error(local: Local, ports: Ports, caplog: pytest.LogCaptureFixture) -> None:
    class FailingOnce(SqliteJobs):
        failures = 1

        def with_pending_webhook(self, now: datetime, *, limit: int) -> list[Job]:
            if self.failures:
                self.failures -= 1
                raise sqlite3.OperationalError("disk I/O error")
            return super().with_pending_webhook(now, limit=limit)

    job_id = ended_job(ports)

    with running_worker(replace(ports, jobs=FailingOnce(local.database)), RecordingSender()):
        wait_for(lambda: stored(ports, job_id).notify_at is None)

    assert "disk I/O error" in caplog.text


def test_webhook_worker_stop_abandons_a_hanging_attempt(ports: Ports) -> None:
    released = threading.Event()
    tried = threading.Event()

    class Hanging(RecordingSender):
        def post(self, *_: object) -> int:
            tried.set()
            released.wait()
            raise NotSent("too late")

    job_id = ended_job(ports)
    with running_worker(ports, Hanging()):
        assert tried.wait(PATIENCE)

    job = stored(ports, job_id)
    assert job.notify_at is not None
    assert job.notify_attempts == 1
    released.set()


def test_server_delivers_earlier_webhooks_to_public_hosts_only(local: Local, ports: Ports, tmp_path: Path) -> None:
    job_id = ended_job(ports, "https://10.0.0.7/painted")  # as if its DNS record had changed since it was accepted
    command = [sys.executable, "-c", "from stylizer_server.server import main; main()"]
    log = tmp_path / "log"

    with log.open("wb") as file:
        data_dir = str(local.service.settings.data_dir)
        process = subprocess.Popen([*command, "--port", "0", "--data-dir", data_dir], stdout=file, stderr=file)
    try:
        wait_for(lambda: f"webhook of {job_id}: " in log.read_text(), "an attempt", process=process, log=log.read_text)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()

    assert "10.0.0.7 is at 10.0.0.7, which is not public; next try in" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert stored(ports, job_id).notify_attempts == 1
