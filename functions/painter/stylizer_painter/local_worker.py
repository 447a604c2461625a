"""Worker that paints the jobs of one data folder, one at a time: `python -m stylizer_painter.local_worker`."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import stylizer
from stylizer.compute import configure_process, trim_malloc
from stylizer_painter.decoding import SANDBOXED
from stylizer_painter.painting import paint_job
from stylizer_painter.waiting import POLL_SECONDS, wait
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.orphans import remove_orphans
from stylizer_service.ports import Unavailable
from stylizer_service.settings import Settings

_SWEEP_SECONDS = 60.0
_NICENESS = 10
_INITIAL_RETRY_DELAY = 1.0
_MAX_RETRY_DELAY = 10.0

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the parent's death; a job in progress is released."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s painter: %(message)s", stream=sys.stderr)
    settings = Settings(data_dir=options.data_dir) if options.data_dir else Settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    should_stop = _stop_condition(stop, options.parent)
    os.nice(_NICENESS)  # the API must stay responsive while painting uses every core
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with _exclusive_lock(settings.data_dir / "worker.lock", should_stop) as is_held:
        if is_held:
            with closing(open_local(settings)) as local:
                _work(local, should_stop)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stylizer_painter.local_worker", description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="the data folder (default: STYLIZER_DATA_DIR, or ./data)"
    )
    parser.add_argument("--parent", type=int, metavar="PID", help="exit when this process, the parent, has died")
    return parser.parse_args(arguments)


def _stop_condition(stop: threading.Event, parent: int | None) -> Callable[[], bool]:
    return lambda: stop.is_set() or (parent is not None and os.getppid() != parent)


@contextmanager
def _exclusive_lock(path: Path, should_stop: Callable[[], bool]) -> Iterator[bool]:
    """Wait for a file lock, which the kernel releases with the process; yield False if stopped before."""
    with path.open("ab") as file:
        is_waiting = False
        while not should_stop():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not is_waiting:
                    log.info("waiting for another painter of %s to exit", path.parent)
                is_waiting = True
                time.sleep(POLL_SECONDS)
                continue
            yield True
            return
        yield False


def _work(local: Local, should_stop: Callable[[], bool]) -> None:
    SANDBOXED.start()
    configure_process()
    stylizer.stylize  # noqa: B018 - imports torch, so that the first job does not wait for it
    # The lock is held, so all earlier painters are dead, whatever their leases say.
    has_interrupted_jobs, counts = True, True
    next_sweep, pause = 0.0, _INITIAL_RETRY_DELAY
    while not should_stop():
        if time.monotonic() >= next_sweep:
            _run_maintenance(local)
            next_sweep = time.monotonic() + _SWEEP_SECONDS
        try:
            if has_interrupted_jobs:
                _requeue_interrupted(local, counts=counts)
            has_interrupted_jobs = counts = False
            has_painted = paint_next(local, should_stop)
        except Unavailable as error:
            log.warning("%s; retrying in %g s", error, pause)
            wait(pause, should_stop)
            # The interrupted job still appears leased. It is not at fault, so this does not count as an attempt.
            has_interrupted_jobs, pause = True, min(2 * pause, _MAX_RETRY_DELAY)
            continue
        pause = _INITIAL_RETRY_DELAY
        if not has_painted:
            wait(POLL_SECONDS, should_stop)


def _requeue_interrupted(local: Local, *, counts: bool) -> None:
    count = local.queue.expire_all_leases(counts=counts)
    if count:
        log.info("requeued %d interrupted job(s)", count)


def paint_next(local: Local, should_stop: Callable[[], bool], *, pictures_only: bool = False) -> bool:
    """Paint the next job; return False if there is none.

    A clip yields to one waiting picture after each of its segments.
    """
    job_id = local.queue.receive(pictures_only=pictures_only)
    if job_id is None:
        return False
    log.info("%s: claimed", job_id)

    def yield_to_pending() -> None:
        if not should_stop():
            paint_next(local, should_stop, pictures_only=True)

    ports, settings = local.service.ports, local.service.settings
    outcome = paint_job(ports, settings, job_id, should_stop=should_stop, yield_to_pending=yield_to_pending)
    log.info("%s: %s", job_id, outcome)
    trim_malloc()
    return True


def _run_maintenance(local: Local) -> None:
    try:
        count = local.service.sweep() + remove_orphans(local.blobs, local.service.ports)
    except Exception:  # must not stop the worker
        log.exception("maintenance failed")
    else:
        if count:
            log.info("deleted %d expired file(s) and record(s)", count)


if __name__ == "__main__":
    sys.exit(main())
