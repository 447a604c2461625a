"""Measure time, memory and distances of each method, and of textbook baselines in the same run.

    make bench
    python -m benchmarks --methods optimization --sizes 512 --qualities standard --photo my.jpg --out my.json

Each measurement runs in a fresh process. The cold time is from process start to the end of the first painting, with the
peak memory up to then; the warm time is that of the second painting, with the overall peak memory. Both paintings run
from the photo's file to the finished image. Measurements go to a JSON file, from which `python -m benchmarks.page`
writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from benchmarks.machine import Others, describe_machine
from benchmarks.measuring import Job, measure
from benchmarks.plan import PHOTO, STYLE, chosen, everything
from benchmarks.record import Entry, Record
from stylizer.capabilities import STROKE_METHODS
from stylizer.compute import configure_process
from stylizer.options import DEFAULT_METHOD, QUALITIES, MethodName, Quality

OUT = Path(__file__).parents[1] / "build" / "bench.json"


class _Flags(argparse.Namespace):
    methods: Sequence[MethodName] | None
    sizes: Sequence[int] | None
    qualities: Sequence[Quality] | None
    photo: Path
    style: str
    float32: bool
    teachers: Path | None
    out: Path
    resume: bool
    busy: float


def main() -> None:
    """Measure, and save the record."""
    arguments = _parse()
    configure_process()
    jobs = _jobs(arguments)
    record = _begin(arguments)
    done = {entry.job for entry in record.entries}
    for number, job in enumerate(jobs, 1):
        if job in done:
            continue
        record.entries.append(_entry(job, record))
        record.save(arguments.out)
        print(f"{number}/{len(jobs)} {_line(record.entries[-1])}", flush=True)
    if _is_whole(arguments) and not record.api:
        record.api = {name: (seconds, mebibytes) for name, (seconds, mebibytes) in _figures("api_cold_start").items()}
        record.save(arguments.out)
    if _is_whole(arguments) and not record.busy:
        record.busy = {name: list(seconds) for name, seconds in _figures("busy_machine").items()}
        record.save(arguments.out)
    if _is_whole(arguments) and not record.clips:
        record.clips = {name: (a, b, c, d) for name, (a, b, c, d) in _figures("clips").items()}
        record.save(arguments.out)
    print(f"{arguments.out} has it all")


def _parse() -> _Flags:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Seconds and memory of painting.")
    parser.add_argument("--methods", nargs="+", choices=STROKE_METHODS, help="(default: everything)")
    parser.add_argument("--sizes", type=int, nargs="+", help="long sides in pixels (default: some for each method)")
    parser.add_argument("--qualities", nargs="+", choices=QUALITIES, help="(default: all, high for small sizes only)")
    parser.add_argument("--photo", type=Path, default=PHOTO, help="(default: the cat in the documentation)")
    parser.add_argument("--style", default=STYLE, help="a built-in style or a picture (%(default)s)")
    parser.add_argument("--float32", action="store_true", help="do as on a processor that does not multiply bfloat16")
    parser.add_argument("--teachers", type=Path, help="folder of the teachers' weights, to judge paintings by as well")
    parser.add_argument("--out", type=Path, default=OUT, help="file of the figures (default: build/bench.json)")
    parser.add_argument("--resume", action="store_true", help="measure what is not in that file yet")
    parser.add_argument(
        "--busy",
        type=float,
        default=1.0,
        help="with --resume: measure again what others took more than this share of the processors from (%(default)s)",
    )
    return parser.parse_args(namespace=_Flags())


def _is_whole(arguments: _Flags) -> bool:
    return not (arguments.methods or arguments.sizes or arguments.qualities)


def _jobs(arguments: _Flags) -> list[Job]:
    teachers = str(arguments.teachers.resolve()) if arguments.teachers else ""
    photo = str(arguments.photo.resolve())
    first = Job("painting", photo, arguments.style, 0, DEFAULT_METHOD, float32=arguments.float32, teachers=teachers)
    if _is_whole(arguments):
        return everything(first)
    return chosen(first, arguments.methods or STROKE_METHODS, arguments.sizes, arguments.qualities)


def _begin(arguments: _Flags) -> Record:
    """Return an empty record, or the one to resume."""
    machine = describe_machine(arguments.float32)
    if arguments.resume and arguments.out.exists():
        record = Record.load(arguments.out)
        record.machine = machine
        record.entries = [entry for entry in record.entries if not entry.is_timed or entry.others <= arguments.busy]
        return record
    with Image.open(arguments.photo) as photo:
        picture = arguments.photo.name, photo.width, photo.height
    return Record(datetime.now(UTC).date().isoformat(), machine, picture)


def _entry(job: Job, record: Record) -> Entry:
    from stylizer.capabilities import long_side_to  # imports torch, which needs its thread settings first

    others, began = Others(), time.monotonic()
    measured = measure(job)
    width, height = long_side_to(job.size, *record.photo[1:])
    return Entry(
        job=job,
        pixels=width * height,
        measured=measured,
        seconds=time.monotonic() - began,
        load=os.getloadavg()[0],
        others=others.share(),
    )


def _line(entry: Entry) -> str:
    job, own = entry.job, entry.measured
    figures = [f"{own.seconds:.2f} s", f"{own.mebibytes:.0f} MiB"] if own.mebibytes else []
    figures += [f"cold {own.cold:.2f} s"] if own.cold else []
    figures += [f"{judge}: {style:.3f} {content:.3f}" for judge, (style, content) in own.distances.items()]
    busy = f"(others {entry.others:.0%})"
    return " ".join([f"{job.subject:16} {job.method:12} {job.size:5} {job.quality:8}", job.style, *figures, busy])


def _figures(module: str) -> dict[str, Sequence[float]]:
    """Return the JSON output of another benchmark module."""
    command = [sys.executable, "-m", f"benchmarks.{module}", "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Sequence[float]] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
