"""The local worker as a process: killed, stopped, canceled and orphaned."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from waiting import PATIENCE, is_running, wait_for

from stylizer_service.adapters.local import Local
from stylizer_service.records import Job
from stylizer_service.serialization import format_timestamp
from stylizer_service.settings import Settings

Submit = Callable[..., str]
Start = Callable[..., "subprocess.Popen[bytes]"]

# The seeds that fake_worker.py goes by.
PAINT_AT_ONCE, KILL_THE_PAINTER, PAINT_FOREVER = range(3)
STAND_IN = (str(Path(__file__).with_name("fake_worker.py")),)
REAL = ("-m", "stylizer_painter.local_worker")


@pytest.fixture
def workers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Yield a list for the workers of a test; kill those still running at its end."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for worker in started:
        worker.kill()
        worker.communicate()


@pytest.fixture
def start(settings: Settings, workers: list[subprocess.Popen[bytes]]) -> Start:
    """Start a worker on the data folder."""

    def started(*what: str, log: int | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, *(what or STAND_IN), "--data-dir", str(settings.data_dir)]
        workers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log))
        return workers[-1]

    return started


@pytest.fixture
def job(local: Local) -> Callable[[str], Job]:
    def found(job_id: str) -> Job:
        job = local.service.ports.jobs.get(job_id)
        assert job is not None
        return job

    return found


@pytest.fixture
def wait_until(job: Callable[[str], Job], workers: list[subprocess.Popen[bytes]]) -> Callable[..., Job]:
    """Wait until a job has a status (and progress); return the job."""

    def waited(job_id: str, status: str, *, progress: float = 0.0) -> Job:
        def is_so() -> bool:
            assert all(worker.poll() != 1 for worker in workers), "a worker ended with a traceback"
            now = job(job_id)
            assert now.status in (status, "queued", "running", "canceled"), now.error
            return now.status == status and now.progress >= progress

        wait_for(is_so)
        return job(job_id)

    return waited


def written_files(local: Local, job_id: str) -> list[str]:
    """Return the files that painters have stored for a job."""
    folder = local.service.settings.data_dir / "blobs" / "jobs" / job_id
    return sorted(path.name for path in folder.glob("*/*"))


def test_worker_paints_jobs_one_at_a_time(
    local: Local, submit: Submit, start: Start, wait_until: Callable[..., Job]
) -> None:
    ids = [submit(format="png"), submit(style="woodcut", size=80, method="color")]
    start(*REAL)

    first, second = (wait_until(job_id, "succeeded") for job_id in ids)

    assert first.finished_at is not None
    assert second.started_at is not None
    assert first.finished_at <= second.started_at
    for done, size in ((first, (64, 43)), (second, (80, 53))):
        assert done.result is not None
        with local.blobs.open(done.result.key) as file, Image.open(file) as image:
            assert image.size == size
        assert written_files(local, done.id) == sorted(["preview.jpg", Path(done.result.key).name])


def test_job_of_a_killed_painter_is_completed_once(
    local: Local, submit: Submit, start: Start, wait_until: Callable[..., Job], job: Callable[[str], Job]
) -> None:
    interrupted, waiting = submit(seed=PAINT_FOREVER), submit()
    worker = start()
    before = wait_until(interrupted, "running", progress=0.5)
    worker.kill()
    worker.wait()
    assert job(interrupted).status == "running"
    assert job(waiting).status == "queued"

    start(*REAL)
    done = wait_until(interrupted, "succeeded")
    wait_until(waiting, "succeeded")

    assert done.attempt == 2
    assert done.result is not None
    assert before.lease_token is not None
    assert before.lease_token not in done.result.key
    assert written_files(local, interrupted) == ["preview.jpg", "result.jpg"]


def test_job_that_kills_every_painter_fails_and_the_next_runs(
    local: Local, submit: Submit, start: Start, wait_until: Callable[..., Job], job: Callable[[str], Job]
) -> None:
    deadly, harmless = submit(seed=KILL_THE_PAINTER), submit(seed=PAINT_AT_ONCE)
    for attempt in range(1, local.service.settings.max_attempts + 1):
        assert start().wait(PATIENCE) == -signal.SIGKILL
        assert (job(deadly).status, job(deadly).attempt) == ("running", attempt)
        assert job(harmless).status == "queued"

    start()
    wait_until(harmless, "succeeded")

    given_up = job(deadly)
    assert given_up.status == "failed"
    assert given_up.error is not None
    assert given_up.error.code == "painter-died"
    assert written_files(local, deadly) == []


def test_canceled_painting_frees_the_worker_and_leaves_no_files(
    local: Local, submit: Submit, start: Start, wait_until: Callable[..., Job], job: Callable[[str], Job]
) -> None:
    endless, following = submit(seed=PAINT_FOREVER), submit()
    start()
    wait_until(endless, "running", progress=0.5)

    local.service.cancel_stylization("ann", endless)
    wait_until(following, "succeeded")

    assert (job(endless).status, job(endless).result) == ("canceled", None)
    assert written_files(local, endless) == []


def test_worker_survives_a_full_disk_and_resumes_the_job(
    local: Local, submit: Submit, start: Start, wait_until: Callable[..., Job], job: Callable[[str], Job]
) -> None:
    endless, following = submit(seed=PAINT_FOREVER), submit()
    worker = start(log=subprocess.PIPE)
    wait_until(endless, "running", progress=0.5)
    unlimited = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
    log = worker.stderr
    assert log is not None
    wait_for(lambda: b"the database cannot be used now" in log.readline())
    local.service.cancel_stylization("ann", endless)  # the next thing it tries is to take the other job
    wait_for(lambda: b"retrying in 1 s" in log.readline())
    assert job(following).status == "queued"
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, unlimited)

    assert wait_until(following, "succeeded").attempt == 1
    assert worker.poll() is None


def test_stopped_worker_releases_its_job(
    local: Local, submit: Submit, start: Start, wait_until: Callable[..., Job]
) -> None:
    job_id = submit(seed=PAINT_FOREVER)
    worker = start()
    wait_until(job_id, "running", progress=0.5)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(PATIENCE) == 0
    waiting = wait_until(job_id, "queued")
    assert (waiting.attempt, waiting.progress, waiting.lease_token) == (0, 0.0, None)
    assert written_files(local, job_id) == []


def test_second_worker_waits_for_the_lock_and_takes_over(
    submit: Submit, start: Start, wait_until: Callable[..., Job], job: Callable[[str], Job]
) -> None:
    endless, other = submit(seed=PAINT_FOREVER), submit()
    first = start()
    wait_until(endless, "running", progress=0.5)
    second = start(log=subprocess.PIPE)
    assert second.stderr is not None
    assert b"waiting for another painter" in second.stderr.readline()
    assert job(other).status == "queued"

    first.kill()
    first.wait()

    wait_until(endless, "running", progress=0.5)
    wait_for(lambda: job(endless).attempt == 2)


def test_worker_exits_with_its_parent_and_releases_its_job(
    settings: Settings, submit: Submit, wait_until: Callable[..., Job]
) -> None:
    job_id = submit(seed=PAINT_FOREVER)
    code = (
        "import os, subprocess, sys;"
        "worker = subprocess.Popen([sys.executable, *sys.argv[1:], '--parent', str(os.getpid())]);"
        "print(worker.pid, flush=True); worker.wait()"
    )
    command = [sys.executable, "-c", code, *STAND_IN, "--data-dir", str(settings.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        wait_until(job_id, "running", progress=0.5)
        parent.kill()

    waiting = wait_until(job_id, "queued")

    assert waiting.attempt == 0
    wait_for(lambda: not is_running(worker))


def test_worker_deletes_expired_jobs(
    local: Local, submit: Submit, start: Start, wait_until: Callable[..., Job]
) -> None:
    job_id = submit()
    local.service.cancel_stylization("ann", job_id)
    a_minute_ago = format_timestamp(local.service.ports.clock.now() - timedelta(minutes=1))
    local.database.run("UPDATE jobs SET expires_at = ?", [a_minute_ago])

    start()

    wait_until(job_id, "expired")
