"""Time of a painting beside processes that keep cores busy: `python -m benchmarks.busy_machine [--json]`.

GNU OpenMP's threads spin at every barrier before they sleep. The spin time determines how long a painting takes while
other processes use the CPU. Compares the project's setting (`compute.set_thread_defaults`), longer spins, and torch's
default.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks.plan import PHOTO, STYLE
from stylizer.compute import SPIN_COUNT, configure_process

SIZE = 512
BUSY = (0, 1, 2)
"""Numbers of busy processes beside the painting."""
TORCHS_OWN = "torch's own"
SETTINGS: dict[str, dict[str, str]] = {
    f"GOMP_SPINCOUNT={SPIN_COUNT}, as set": {"GOMP_SPINCOUNT": SPIN_COUNT},
    "GOMP_SPINCOUNT=2000": {"GOMP_SPINCOUNT": "2000"},
    TORCHS_OWN: {},
}
PAINTINGS = 5
_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")


def measure() -> dict[str, list[float]]:
    """Return the median seconds of a warm painting by setting, one for each number of `BUSY` processes."""
    return {name: [_beside(busy, name) for busy in BUSY] for name in SETTINGS}


def _beside(busy: int, setting: str) -> float:
    command = [sys.executable, "-m", "benchmarks.busy_machine", "--paint", setting]
    with _busy_processes(busy):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


@contextmanager
def _busy_processes(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _paint(setting: str) -> float:
    """Return the median seconds of warm paintings in this process with a setting of `SETTINGS`."""
    for name in _VARIABLES:  # including those set by importing `stylizer`; torch, which reads them, is not imported yet
        os.environ.pop(name, None)
    os.environ.update(SETTINGS[setting])
    configure_process()
    from stylizer import Options, stylize

    seconds = []
    for _ in range(PAINTINGS + 1):
        began = time.perf_counter()
        stylize(PHOTO, STYLE, options=Options(size=SIZE))
        seconds.append(time.perf_counter() - began)
    return median(seconds[1:])


def main() -> None:
    """Measure, and print a line for each setting, or all as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.busy_machine", description=(__doc__ or "").split(":")[0]
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--paint", choices=SETTINGS, help="paint in this process so, and print the seconds")
    given = parser.parse_args()
    if given.paint:
        print(_paint(given.paint))
        return
    measured = measure()
    if given.json:
        print(json.dumps(measured))
        return
    for name, seconds in measured.items():
        print(f"{name:32}", *(f"{busy} busy: {value:.2f} s" for busy, value in zip(BUSY, seconds, strict=True)))


if __name__ == "__main__":
    main()
