"""Several real processes on one data folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from uploads import store_upload

from stylizer_service.adapters.local import open_local
from stylizer_service.settings import Settings

Start = Callable[[str], "subprocess.Popen[str]"]

_PRELUDE = """
import sys
from stylizer_service.jobs.leases import claim
from stylizer_service.adapters.local import open_local
from stylizer_service.models import StylizationRequest
from stylizer_service.settings import Settings

local = open_local(Settings(data_dir=sys.argv[1], styles_dir=sys.argv[2], queue_limit=10_000))
service = local.service
print("ready", flush=True)
line = sys.stdin.readline().strip()
"""


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Start a process that runs code on the data folder, with `service` and the first `line` it is sent."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _PRELUDE + code, str(settings.data_dir), str(settings.styles_dir)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def go(processes: list[subprocess.Popen[str]], line: str) -> list[list[str]]:
    """Let them all run at once, to their ends; gives the lines of each."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return [process.communicate()[0].split() for process in processes]


@pytest.fixture
def photo(settings: Settings, picture: Callable[..., bytes]) -> str:
    with closing(open_local(settings)) as local:
        return store_upload(local.service, picture())


def test_processes_share_secret_keys_and_jobs(start: Start, photo: str) -> None:
    painting_clients = [
        start("""
from datetime import UTC, datetime
request = StylizationRequest(content=line, style="ink")
ids = [service.create_stylization("ann", request, f"key-{number}")[0].id for number in range(10)]
claimed = []
while job_id := local.queue.receive():
    if claim(service.ports, service.settings, job_id):
        claimed.append(job_id)
print(local.blobs.url("a/b", expires_at=datetime(2100, 1, 1, tzinfo=UTC), filename="f"), *ids, *claimed)
""")
        for _ in range(2)
    ]

    first, second = go(painting_clients, photo)

    assert first[:11] == second[:11], "one secret, and one job for each key"
    assert sorted(first[11:] + second[11:]) == sorted(set(first[1:11])), "each job is claimed once"


def test_killed_server_loses_no_accepted_job(start: Start, settings: Settings, photo: str) -> None:
    server = start("""
while True:
    print(service.create_stylization("ann", StylizationRequest(content=line, style="ink"))[0].id, flush=True)
""")
    assert server.stdout is not None
    assert server.stdin is not None
    assert server.stdout.readline() == "ready\n"
    server.stdin.write(f"{photo}\n")
    server.stdin.flush()
    accepted = [server.stdout.readline().strip() for _ in range(10)]
    server.kill()
    accepted += server.communicate()[0].split()

    with closing(open_local(settings)) as local:
        jobs = [local.service.ports.jobs.get(job_id) for job_id in accepted if len(job_id) == 30]
        assert len(jobs) >= 10
        for job in jobs:
            assert job is not None
            assert job.status == "queued"
            assert local.blobs.size(job.input_key("content")) == local.blobs.size(f"uploads/{photo}/file")
        assert local.queue.depth() >= len(jobs)
