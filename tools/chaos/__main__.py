"""`python -m tools.chaos`: one or both runs; exit code 1 if an invariant was violated."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tools.chaos.figures import Figures

_DISK_MIB = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the selected tests."""
    options = _parser().parse_args(arguments)
    wanted = [name for name in ("local", "aws") if getattr(options, name)] or ["local", "aws"]
    code = 0
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            if name == "local" and not options.disk:
                code |= _on_small_disk(Path(folder), options)
                continue
            run = _local(options, Path(folder)) if name == "local" else _aws(Path(folder))
            figures = run(
                jobs=options.jobs, seconds=60 * options.minutes, pause=options.pause, seed=options.seed, log=options.log
            )
            sys.stdout.write(f"{figures.text()}\n\n")
            code |= bool(figures.broken)
    return code


def _local(options: argparse.Namespace, folder: Path) -> Callable[..., Figures]:
    from tools.chaos import local_run
    from tools.chaos.machine import FileLimit, SmallDisk

    return partial(local_run.run, FileLimit(folder) if options.disk == "none" else SmallDisk(Path(options.disk)))


def _aws(folder: Path) -> Callable[..., Figures]:
    from tools.chaos import aws_run

    return partial(aws_run.run, folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description=__doc__)
    parser.add_argument("--local", action="store_true", help="only on one machine")
    parser.add_argument("--aws", action="store_true", help="only on AWS, as moto plays it")
    parser.add_argument("--jobs", type=int, default=240, help="jobs of each run (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="how long there are faults, in each run (default: %(default)s)"
    )
    parser.add_argument(
        "--pause",
        type=float,
        default=2.5,
        help="most seconds between two faults; more for a busy machine (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="where jobs and faults come from (default: %(default)s)")
    parser.add_argument("--log", type=Path, help="file for what the processes of the run say")
    parser.add_argument(
        "--disk", help="a small file system for the local run, or 'none'; one is mounted where that is allowed"
    )
    return parser


def _on_small_disk(folder: Path, options: argparse.Namespace) -> int:
    """Run the local test in a process of its own, whose mount namespace contains a small tmpfs."""
    mount = f"mount -t tmpfs -o size={_DISK_MIB}m tmpfs {folder}"
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    tried = subprocess.run([*inside, mount], capture_output=True, check=False) if shutil.which("unshare") else None
    is_allowed = tried is not None and tried.returncode == 0
    values = {name: getattr(options, name) for name in ("jobs", "minutes", "pause", "seed", "log")}
    given = [f"--{name}={value}" for name, value in values.items() if value is not None]
    again = [sys.executable, "-m", "tools.chaos", "--local", *given, f"--disk={folder if is_allowed else 'none'}"]
    command = [*inside, f'{mount} && exec "$@"', "sh", *again] if is_allowed else again
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
