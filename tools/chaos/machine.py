"""A machine running `stylizer-server`, and the real faults injected into it."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

import httpx

PATIENCE = 60.0
_AUDIT = """
CREATE TABLE IF NOT EXISTS chaos_ends (job TEXT, status TEXT, at TEXT);
CREATE TRIGGER IF NOT EXISTS chaos_end AFTER UPDATE OF status ON jobs WHEN NEW.status <> OLD.status
BEGIN INSERT INTO chaos_ends VALUES (NEW.id, NEW.status, strftime('%Y-%m-%dT%H:%M:%f+00:00')); END;
CREATE TABLE IF NOT EXISTS chaos_segments (job TEXT, segments TEXT);
CREATE TRIGGER IF NOT EXISTS chaos_segment AFTER UPDATE OF segments ON jobs WHEN NEW.segments <> OLD.segments
BEGIN INSERT INTO chaos_segments VALUES (NEW.id, NEW.segments); END;
"""
"""Triggers that record changes of status and of segments in the same transaction, independently of what the service
reports."""


class Disk(Protocol):
    """A disk that can be filled.

    Attributes:
        kind: Description of the mechanism.
        folder: Working folder on the disk.
    """

    kind: str
    folder: Path

    def fill(self, pids: Sequence[int]) -> None:
        """Exhaust the space, at least for these processes."""

    def free(self, pids: Sequence[int]) -> None:
        """Release the space."""


class SmallDisk:
    """A small file system of its own, which a single file can fill."""

    kind = "a tmpfs without room"

    def __init__(self, folder: Path):
        self.folder = folder

    def fill(self, pids: Sequence[int]) -> None:  # noqa: ARG002
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            piece = bytes(2**16)
            while piece:
                try:
                    ballast.write(piece)
                except OSError:
                    piece = piece[: len(piece) // 2]  # down to the last byte

    def free(self, pids: Sequence[int]) -> None:  # noqa: ARG002
        (self.folder / "ballast").unlink(missing_ok=True)


class FileLimit:
    """Fallback where no file system can be mounted: a file size limit that makes writes fail."""

    kind = "a limit on the size of files"

    def __init__(self, folder: Path):
        self.folder = folder

    def fill(self, pids: Sequence[int]) -> None:
        self._limit(pids, 0)

    def free(self, pids: Sequence[int]) -> None:
        self._limit(pids, resource.RLIM_INFINITY)

    def _limit(self, pids: Sequence[int], size: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


class Machine:
    """A server and its painter, on their own port.

    Attributes:
        data_dir: Data folder, which survives restarts.
        url: URL of the server, the same after each restart.
    """

    def __init__(self, disk: Disk):
        self.disk = disk
        self.data_dir = disk.folder / "data"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[str] | None = None
        self._log: list[str] = []

    def start(self) -> None:
        """Start the server and wait until it responds; retry if it fails to start, as a service manager does."""
        deadline = time.monotonic() + PATIENCE
        command = [sys.executable, "-c", "from stylizer_server.server import main; main()"]
        command += ["--port", str(self._port), "--data-dir", str(self.data_dir)]
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server did not start:\n{self.log()[-3000:]}")
            if self._process is None or self._process.poll() is not None:
                self._process = self._begin(command)
            time.sleep(0.1)

    def _begin(self, command: Sequence[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            env=os.environ | {"STYLIZER_MIN_FREE": "0"},  # the reserve would reject writes before the disk is full
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # not a file: output must get through while the disk is full
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, args=[process], daemon=True).start()
        return process

    def watch(self) -> None:
        """Record every change of a job's status."""
        with self._opened() as database:
            database.executescript(_AUDIT)

    def kill_server(self) -> None:
        """Kill the server as the kernel's OOM killer does, without any cleanup."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    def kill_painter(self) -> bool:
        """Kill the painter likewise; return whether there was one."""
        with suppress(ProcessLookupError, IndexError):
            os.kill(self._painters()[-1], signal.SIGKILL)
            return True
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold an exclusive lock on the database from another connection, as a writer does."""
        with self._opened() as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")

    @contextmanager
    def full(self) -> Iterator[None]:
        """Fill the disk."""
        self.disk.fill(self._pids())
        try:
            yield
        finally:
            self.disk.free(self._pids())

    def is_painting(self) -> bool:
        """Return whether a job is being painted."""
        return bool(self._rows("SELECT id FROM jobs WHERE status = 'running'"))

    def stop(self) -> None:
        """Stop gracefully."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE)

    def log(self) -> str:
        """Return the output of server and painter."""
        return "".join(self._log)

    def finished(self) -> list[tuple[str, datetime]]:
        """Return the recorded transitions of jobs to succeeded, duplicates included, and their times."""
        rows = self._rows("SELECT job, at FROM chaos_ends WHERE status = 'succeeded' ORDER BY at")
        return [(job, datetime.fromisoformat(at)) for job, at in rows]

    def segments(self) -> list[tuple[str, list[str]]]:
        """Return every list of segments that was recorded for a job, in order."""
        rows = self._rows("SELECT job, segments FROM chaos_segments ORDER BY rowid")
        return [(job, json.loads(segments)) for job, segments in rows]

    def results(self, job_id: str) -> list[str]:
        """Return the result files stored for a job."""
        folder = self.data_dir / "blobs" / "jobs" / job_id
        return [str(path.relative_to(folder)) for path in folder.glob("*/result.*")]

    def _rows(self, statement: str) -> list[tuple[str, ...]]:
        with self._opened() as database:
            return database.execute(statement).fetchall()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        path = self.data_dir / "stylizer.db"
        with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as database:
            yield database

    def _pids(self) -> list[int]:
        assert self._process is not None
        return [self._process.pid, *self._painters()[-1:]]

    def _painters(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"painter started, process (\d+)", self.log())]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._log.extend(process.stdout)
