from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from waiting import PATIENCE, wait_for

from stylizer_server.messenger import Messenger
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.stores import SqliteJobs
from stylizer_service.models import PaintingOptions, StyleWeight, new_id
from stylizer_service.ports import Ports
from stylizer_service.records import Job
from stylizer_service.settings import Settings
from stylizer_service.webhooks.delivery import NotSent, Sender


class Recorder:
    """Keeps whom it told; nobody hears of the jobs that fail."""

    def __init__(self, *failing: str):
        self._failing = failing
        self.tried: list[str] = []

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:  # noqa: ARG002
        self.tried.append(headers["webhook-id"])
        if headers["webhook-id"] in self._failing:
            raise NotSent("nobody there")
        return 204


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    (tmp_path / "styles").mkdir()
    with closing(open_local(Settings(data_dir=tmp_path / "data", styles_dir=tmp_path / "styles"))) as local:
        yield local


@pytest.fixture
def ports(local: Local) -> Ports:
    return local.service.ports


def ended(ports: Ports, webhook: str = "https://hooks.example/painted") -> str:
    """A job that has ended, and whose caller is to be told now."""
    now = ports.clock.now()
    job = Job(
        id=new_id("stz"),
        owner="local",
        status="canceled",
        method="neighbor",
        options=PaintingOptions(),
        content=new_id("upl"),
        styles=(StyleWeight(style="ink"),),
        mask=None,
        content_mask=None,
        created_at=now,
        expires_at=now + timedelta(days=1),
        finished_at=now,
        webhook=webhook,
        notify_at=now,
    )
    ports.jobs.create(job, None, now)
    return job.id


def stored(ports: Ports, job_id: str) -> Job:
    job = ports.jobs.get(job_id)
    assert job is not None
    return job


@contextmanager
def telling(ports: Ports, sender: Sender) -> Iterator[Messenger]:
    messenger = Messenger(ports, Settings(), sender)
    messenger.start()
    yield messenger
    messenger.stop()


def test_all_are_told_who_were_waiting_or_come_later_even_if_one_cannot_be_reached(ports: Ports) -> None:
    before = [ended(ports) for _ in range(3)]
    sender = Recorder(before[0])

    with telling(ports, sender):
        wait_for(lambda: len(sender.tried) == 3)
        later = ended(ports)
        wait_for(lambda: stored(ports, later).notify_at is None)

    assert sender.tried == [*before, later]
    assert [stored(ports, job_id).notify_at is None for job_id in before] == [False, True, True]


def test_a_store_that_fails_for_a_moment_stops_nothing(
    local: Local, ports: Ports, caplog: pytest.LogCaptureFixture
) -> None:
    class Stumbling(SqliteJobs):
        stumbles = 1

        def untold(self, now: datetime, *, limit: int) -> list[Job]:
            if self.stumbles:
                self.stumbles -= 1
                raise sqlite3.OperationalError("disk I/O error")
            return super().untold(now, limit=limit)

    job_id = ended(ports)

    with telling(replace(ports, jobs=Stumbling(local.database)), Recorder()):
        wait_for(lambda: stored(ports, job_id).notify_at is None)

    assert "disk I/O error" in caplog.text


def test_to_stop_does_not_wait_for_who_never_answers_and_the_try_is_not_forgotten(ports: Ports) -> None:
    over = threading.Event()
    tried = threading.Event()

    class Hanging(Recorder):
        def post(self, *_: object) -> int:
            tried.set()
            over.wait()
            raise NotSent("too late")

    job_id = ended(ports)
    with telling(ports, Hanging()):
        assert tried.wait(PATIENCE)

    job = stored(ports, job_id)
    assert job.notify_at is not None
    assert job.notify_attempts == 1
    over.set()


def test_the_server_goes_on_telling_what_an_earlier_one_left_and_never_leads_inside(
    local: Local, ports: Ports, tmp_path: Path
) -> None:
    job_id = ended(ports, "https://10.0.0.7/painted")  # as if its name had changed since it was taken
    command = [sys.executable, "-c", "from stylizer_server.server import main; main()"]
    log = tmp_path / "log"

    with log.open("wb") as file:
        data_dir = str(local.service.settings.data_dir)
        process = subprocess.Popen([*command, "--port", "0", "--data-dir", data_dir], stdout=file, stderr=file)
    try:
        wait_for(lambda: f"webhook of {job_id}: " in log.read_text(), "a try", process=process, log=log.read_text)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()

    assert "10.0.0.7 is at 10.0.0.7, which is not public; next try in" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert stored(ports, job_id).notify_attempts == 1
