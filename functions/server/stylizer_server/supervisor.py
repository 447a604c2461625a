"""Supervision of the painter process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_FIRST_BACKOFF = 0.5
_MAX_BACKOFF = 30.0
_HEALTHY_AFTER = 10.0  # by then it paints; a later crash restarts without backoff
_STOP_SECONDS = 10.0


class Supervisor:
    """Starts the painter, restarts it with exponential backoff, and stops it on exit.

    The painter also exits by itself when this process ends, however that happens.

    Args:
        data_dir: The data folder.
    """

    def __init__(self, data_dir: Path):
        worker = [sys.executable, "-m", "stylizer_painter.local_worker"]
        self._command = [*worker, "--data-dir", str(data_dir), "--parent", str(os.getpid())]
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        # A thread rather than a process, so that nothing is left to be cleaned up.
        self._thread = threading.Thread(target=self._keep_running, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the painter, which is ready some seconds later."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the painter process is running."""
        process = self._process
        return process is not None and process.poll() is None

    def stop(self) -> None:
        """Stop the painter, which requeues its job, and wait for it."""
        self._stopping.set()
        self._thread.join()

    def _keep_running(self) -> None:
        backoff = _FIRST_BACKOFF
        while not self._stopping.is_set():
            started = time.monotonic()
            reason = self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _HEALTHY_AFTER:
                backoff = _FIRST_BACKOFF
            log.warning("%s; restarting in %g s", reason, backoff)
            self._stopping.wait(backoff)
            backoff = min(2 * backoff, _MAX_BACKOFF)

    def _run_once(self) -> str:
        """Run the painter, and return how it ended."""
        try:
            # In its own session, so that Ctrl-C reaches this process only, which then stops it gracefully.
            process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            return f"failed to start the painter: {error}"
        self._process = process
        log.info("painter started, process %d", process.pid)
        while process.poll() is None:
            if self._stopping.wait(_POLL_SECONDS):
                _terminate(process)
        return f"the painter exited with code {process.returncode}"


def _terminate(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
