"""`make load`: print the measurements; exit code 1 if a guarantee was violated."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tools.load.figures import print_protection, print_run
from tools.load.protections import all_protections
from tools.load.stages import draw_photo, run


def main() -> int:
    """Run all load tests."""
    parser = argparse.ArgumentParser(prog="python -m tools.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each stage (default: %(default)s)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 64], help="at a time, stage by stage")
    arguments = parser.parse_args()
    console = Console(width=150)
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = Path(name)
        photo = draw_photo(folder / "photo.jpg")
        result = run(folder, photo, clients=arguments.clients, seconds=arguments.seconds)
        print_run(console, result, cores=len(os.sched_getaffinity(0)))
        broken = list(result.broken())
        for protection in all_protections(folder, photo, clients=8, seconds=arguments.seconds):
            print_protection(console, protection)
            broken += protection.broken
    for promise in broken:
        console.print(f"BROKEN: {promise}", style="bold red")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
