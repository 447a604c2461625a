"""Keeps one painter process running."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_HEALTHY_AFTER = 10.0  # by then it has begun to paint: what killed it is no reason to keep jobs waiting
_STOP_SECONDS = 10.0


class Supervisor:
    """Starts the painter, starts it again when it dies, and takes it along on the way out.

    The painter also ends by itself when this process does, however that happens.

    Args:
        data_dir: The folder whose jobs it paints.
    """

    def __init__(self, data_dir: Path):
        worker = [sys.executable, "-m", "stylizer_painter.local_worker"]
        self._command = [*worker, "--data-dir", str(data_dir), "--parent", str(os.getpid())]
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        # A thread of this process, and not a process of its own: nothing to find and to end later.
        self._thread = threading.Thread(target=self._keep_running, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the painter. It is ready some seconds later; jobs wait for it."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the painter process is running now."""
        process = self._process
        return process is not None and process.poll() is None

    def stop(self) -> None:
        """End the painter: it hands its job back. Returns when it is gone."""
        self._stopping.set()
        self._thread.join()

    def _keep_running(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            started = time.monotonic()
            reason = self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _HEALTHY_AFTER:
                pause = _FIRST_PAUSE
            log.warning("%s; starting it again in %g s", reason, pause)
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _run_once(self) -> str:
        """Run the painter to its end; says how it ended."""
        try:
            # In a session of its own, so that Ctrl-C reaches this process only, which then ends it in order.
            process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            return f"the painter could not be started: {error}"
        self._process = process
        log.info("painter started, process %d", process.pid)
        while process.poll() is None:
            if self._stopping.wait(_LOOK_SECONDS):
                _end(process)
        return f"the painter ended with code {process.returncode}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
