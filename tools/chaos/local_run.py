"""Chaos run on one machine: real processes killed, a real disk filled up, a database locked by others."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.orphans import remove_orphans
from stylizer_service.settings import Settings
from tools.chaos.clients import Client, ClientPool, Ledger
from tools.chaos.figures import Figures
from tools.chaos.invariants import Evidence, judge
from tools.chaos.job_requests import make_job_requests
from tools.chaos.machine import Disk, Machine

_CLIENTS = 4
_HELD_SECONDS = 6.0  # longer than the timeout of a write
_FULL_SECONDS = 3.0
_CALM_SECONDS = 900.0
_ASKING_SECONDS = 12.0
"""Minimum duration of the load: about as long as one fault of each kind takes."""


def run(disk: Disk, *, jobs: int, seconds: float, pause: float, seed: int, log: Path | None) -> Figures:
    """Run the test; return its figures.

    Args:
        disk: Where the data folder is created.
        jobs: Number of jobs.
        seconds: Maximum duration of the faults.
        pause: Most seconds between two faults.
        seed: Seed of the job requests and faults.
        log: Log file for the server and painter.
    """
    chance = random.Random(seed)
    job_requests = make_job_requests(chance, jobs)
    ledger, machine = Ledger(), Machine(disk)
    deadline = time.monotonic() + seconds + _CALM_SECONDS
    machine.start()
    try:
        machine.watch()
        limits = httpx.Timeout(30)
        with httpx.Client(base_url=machine.url, timeout=limits) as api, httpx.Client(timeout=limits) as store:

            def client() -> Client:
                return Client(api, store, ledger, deadline, f"chaos-{seed}")

            asking = max(0.7 * seconds, _ASKING_SECONDS)
            pool = ClientPool([client() for _ in range(_CLIENTS)], job_requests, seconds=asking, seed=seed)
            pool.start()
            faults = _Faults(machine, chance, longest_pause=min(pause, seconds / 10))
            faults.happen(until=time.monotonic() + seconds, while_=pool.is_asking)
            pool.join()
            pool.watch(sorted(ledger.accepted))
            figures = Figures(f"Chaos on one machine: {jobs} jobs, seed {seed}, faults for {faults.lasted:.0f} s")
            last = Client(api, store, ledger, time.monotonic() + _CALM_SECONDS, "")
            judge(figures, job_requests, ledger, last, _evidence(machine, ledger, faults))
    finally:
        machine.stop()
        if log is not None:
            log.write_text(machine.log())
    _add_faults(figures, faults, machine)
    _add_leftovers(figures, machine)
    return figures


class _Faults:
    """Inject faults one at a time, each kind at least once.

    Attributes:
        counts: Number of faults by kind.
        overs: End time of each fault.
        lasted: Total duration in seconds.
    """

    def __init__(self, machine: Machine, chance: random.Random, *, longest_pause: float):
        self.counts: Counter[str] = Counter()
        self.overs: list[datetime] = []
        self.lasted = 0.0
        self._machine = machine
        self._chance = chance
        self._longest_pause = longest_pause
        self._kinds: dict[str, Callable[[], None]] = {
            "painter": self._kill_painter,
            "server": self._kill_server,
            "both": self._kill_both,
            "busy": self._hold,
            "full": self._fill,
        }

    def happen(self, *, until: float, while_: Callable[[], bool]) -> None:
        """Inject faults until `until`, or until `while_` is false; at least one of each kind."""
        began = time.monotonic()
        todo = self._shuffled()
        while todo or (while_() and time.monotonic() < until):
            time.sleep(self._chance.uniform(0, self._longest_pause))
            self._kinds[todo.pop() if todo else self._chance.choice(list(self._kinds))]()
            self.overs.append(datetime.now(UTC))
        self.lasted = time.monotonic() - began

    def _shuffled(self) -> list[str]:
        kinds = list(self._kinds)
        self._chance.shuffle(kinds)
        return kinds

    def _kill_painter(self) -> None:
        self._wait_for_painting()
        self.counts["painter"] += self._machine.kill_painter()

    def _kill_server(self) -> None:
        self._wait_for_painting()
        self._machine.kill_server()
        self.counts["server"] += 1
        time.sleep(self._chance.uniform(0, 1))
        self._machine.start()

    def _kill_both(self) -> None:
        self._wait_for_painting()
        self.counts["painter"] += self._machine.kill_painter()
        self._machine.kill_server()
        self.counts["server"] += 1
        self._machine.start()

    def _hold(self) -> None:
        with self._machine.held():
            self.counts["busy"] += 1
            time.sleep(_HELD_SECONDS)

    def _fill(self) -> None:
        self._wait_for_painting()
        with self._machine.full():
            self.counts["full"] += 1
            time.sleep(_FULL_SECONDS)

    def _wait_for_painting(self) -> None:
        """Wait up to 4 s for a painting, so that most faults hit a busy painter."""
        end = time.monotonic() + self._chance.uniform(0, 4)
        while time.monotonic() < end and not self._machine.is_painting():
            time.sleep(0.02)


def _evidence(machine: Machine, ledger: Ledger, faults: _Faults) -> Evidence:
    finished = machine.finished()
    return Evidence(
        finished=Counter(job for job, _ in finished),
        results={job_id: machine.results(job_id) for job_id in ledger.accepted.values()},
        moments=[moment for _, moment in finished],
        recoveries=faults.overs,
        segments=machine.segments(),
    )


def _add_faults(figures: Figures, faults: _Faults, machine: Machine) -> None:
    figures.add("kill -9 of the painter", faults.counts["painter"])
    figures.add("kill -9 of the server", faults.counts["server"])
    figures.add(f"database held for {_HELD_SECONDS:.0f} s", faults.counts["busy"])
    figures.add(f"disk full for {_FULL_SECONDS:.0f} s", f"{faults.counts['full']} ({machine.disk.kind})")


class _Later:
    """A clock at a time when everything has expired."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=3)


def _add_leftovers(figures: Figures, machine: Machine) -> None:
    """Sweep as the painter does, but without a grace period: first orphans, then everything expired."""
    with closing(open_local(Settings(data_dir=machine.data_dir))) as local:
        time.sleep(0.05)  # no file may be younger than the grace period of zero
        figures.add("orphans swept", remove_orphans(local.blobs, local.service.ports, grace=timedelta()))
        figures.promise("orphans left", _orphans(local, machine))
    with closing(open_local(Settings(data_dir=machine.data_dir), _Later())) as local:
        local.service.sweep()
    kept = [path for path in (machine.data_dir / "blobs").rglob("*") if path.is_file()]
    figures.promise("files left when all have expired", [str(path.relative_to(machine.data_dir)) for path in kept])


def _orphans(local: Local, machine: Machine) -> list[str]:
    ports = local.service.ports
    known = {"jobs": ports.jobs.get, "uploads": ports.uploads.get, "styles": ports.styles.get}
    found = [str(path) for path in (machine.data_dir / "drafts").iterdir()]
    for kind, find in known.items():
        with suppress(FileNotFoundError):
            folders = (machine.data_dir / "blobs" / kind).iterdir()
            found += [str(folder) for folder in folders if find(folder.name) is None]
    return found
