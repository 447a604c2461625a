"""Processes of a load run: the server, the baseline, the clients."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from waiting import PATIENCE, wait_for

from tools.load.clients import Plan, Report

SERVER = "from stylizer_server.server import main; main()"
"""Code of `stylizer-server`, for `python -c`."""

_TESTS = Path(__file__).parents[2] / "tests"


@dataclass(frozen=True)
class Usage:
    """Current resource usage of the server process, without the painter.

    Attributes:
        memory: Resident memory, MiB.
        files: Open files and sockets.
        threads: Number of threads.
        cpu: CPU seconds used since it started.
    """

    memory: float
    files: int
    threads: int
    cpu: float


@dataclass(frozen=True)
class Server:
    """A `stylizer-server` on loopback.

    Attributes:
        address: Its URL.
        api: An HTTP client for it.
        process: Its process.
        log: Log file of the server and its painter.
    """

    address: str
    api: httpx.Client
    process: psutil.Process
    log: Path

    def usage(self) -> Usage:
        times = self.process.cpu_times()
        return Usage(
            memory=self.process.memory_info().rss / 2**20,
            files=self.process.num_fds(),
            threads=self.process.num_threads(),
            cpu=times.user + times.system,
        )


@contextmanager
def serving(data_dir: Path, *options: str, **settings: str) -> Iterator[Server]:
    """Run `stylizer-server` on a free port until the block ends.

    Args:
        data_dir: Its data folder.
        options: Command-line options.
        settings: Settings, by their names without STYLIZER_.
    """
    command = [sys.executable, "-c", SERVER]
    variables = {f"STYLIZER_{name.upper()}": value for name, value in settings.items()}
    log = data_dir.with_suffix(".log")
    with log.open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [*command, "--port", "0", "--data-dir", str(data_dir), *options],
            stdout=output,
            stderr=output,
            env=os.environ | variables,
        )

    def address() -> str | None:
        found = re.search(r"Page +(http://\S+)/", log.read_text()[begin:])
        return found[1].replace("localhost", "127.0.0.1") if found else None

    try:
        at = wait_for(address, "the server", process=process, log=log.read_text)
        with httpx.Client(base_url=at, timeout=PATIENCE) as api:
            yield Server(at, api, psutil.Process(process.pid), log)
    finally:
        _end(process)


@contextmanager
def baseline() -> Iterator[str]:
    """Run the baseline until the block ends; yield its URL."""
    command = [sys.executable, "-m", "tools.load.baseline"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=_environment(), text=True)
    assert process.stdout is not None
    with process.stdout:
        try:
            address = process.stdout.readline().strip()
            wait_for(lambda: _answers(address), "the baseline")
            yield address
        finally:
            _end(process)


def run_clients(plan: Plan) -> Report:
    """Run the clients to completion."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.load.clients"],
        input=plan.model_dump_json(),
        capture_output=True,
        text=True,
        env=_environment(),
        timeout=plan.seconds + PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the crowd ended with code {done.returncode}:\n{done.stderr}")
    return Report.model_validate_json(done.stdout)


@contextmanager
def painter_held(data_dir: Path) -> Iterator[None]:
    """Pause a server's painter until the block ends by holding the lock that it waits for."""
    with (data_dir / "worker.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{address}/healthz", timeout=5).is_success
    return False


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_TESTS)}


def _end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
