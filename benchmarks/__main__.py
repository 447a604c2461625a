"""Seconds and peak memory of each method, beside a textbook yardstick in the same run.

    make bench
    python -m benchmarks --methods optimization --sizes 512 --qualities standard --photo my.jpg --style mosaic

Every painting runs in a process of its own. Cold are the seconds from the start of the process to the end of its first
painting, and the memory held until then; warm are those of the second painting, and the memory held in all. Either is
from the photo's file to the finished picture; of warm, the seconds "in method" are from tensor to tensor.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from benchmarks.machine import print_machine
from benchmarks.measuring import Job, Measurement, measure
from stylizer.compute import use_available_cores
from stylizer.options import METHOD_NAMES, QUALITIES, MethodName, Quality

PHOTO = Path(__file__).parents[1] / "docs" / "pictures" / "cat.jpg"
SIZES: Mapping[MethodName, Sequence[int]] = {
    "feedforward": (512, 1024, 2048, 4096),
    "optimization": (512, 1024),
    "texture": (256, 400, 512, 1024),
}
# Larger pictures in high quality would take most of the time.
LARGEST_HIGH: Mapping[MethodName, int] = {"feedforward": 1024, "optimization": 512, "texture": 512}
LARGEST_JOHNSON = 2048

Painted = Mapping[Job, Measurement]


class _Flags(argparse.Namespace):
    methods: Sequence[MethodName]
    sizes: Sequence[int] | None
    qualities: Sequence[Quality] | None
    photo: Path
    style: str
    float32: bool


def main() -> None:
    """Measure, and print tables."""
    arguments = _parse()
    use_available_cores()
    print_machine(arguments.float32)
    with Image.open(arguments.photo) as photo:
        print(f"sizes are long sides of {arguments.photo.name}, which is {photo.width} x {photo.height} pixels")
    for method in arguments.methods:
        jobs = _jobs(method, arguments)
        painted = print_paintings(method, jobs)
        at_sizes = list({job.size: replace(job, quality="standard") for job in jobs}.values())
        if method == "texture":
            print_searches(at_sizes)
        elif method == "optimization":
            print_textbook_gatys(at_sizes, painted)
        else:
            print_textbook_johnson([job for job in at_sizes if arguments.sizes or job.size <= LARGEST_JOHNSON], painted)


def _parse() -> _Flags:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Seconds and memory of painting.")
    parser.add_argument("--methods", nargs="+", choices=METHOD_NAMES, default=METHOD_NAMES, help="(default: all)")
    parser.add_argument("--sizes", type=int, nargs="+", help="long sides in pixels (default: some for each method)")
    parser.add_argument("--qualities", nargs="+", choices=QUALITIES, help="(default: all, high for small sizes only)")
    parser.add_argument("--photo", type=Path, default=PHOTO, help="(default: the cat in the documentation)")
    parser.add_argument("--style", default="impasto-swirls", help="a built-in style or a picture (%(default)s)")
    parser.add_argument("--float32", action="store_true", help="do as on a processor that does not multiply bfloat16")
    return parser.parse_args(namespace=_Flags())


def _jobs(method: MethodName, arguments: _Flags) -> list[Job]:
    """The paintings to measure, size by size."""
    return [
        Job("painting", str(arguments.photo), arguments.style, size, method, quality, arguments.float32)
        for size in arguments.sizes or SIZES[method]
        for quality in arguments.qualities or QUALITIES
        if arguments.qualities or quality != "high" or size <= LARGEST_HIGH[method]
    ]


def print_paintings(method: MethodName, jobs: Sequence[Job]) -> Painted:
    """The table of paintings; answers what is in it."""
    print(f"\n{method}\n{'size':>5} {'quality':>9} {'cold s':>8} {'MiB':>6} {'warm s':>8} {'in method':>10} {'MiB':>6}")
    painted = {}
    for job in jobs:
        own = painted[job] = measure(job)
        print(
            f"{job.size:>5} {job.quality:>9} {own.cold:8.2f} {own.cold_mebibytes:6.0f} {own.seconds:8.3f} "
            f"{own.in_method:10.3f} {own.mebibytes:6.0f}",
            flush=True,
        )
    return painted


def print_searches(jobs: Sequence[Job]) -> None:
    """The patch search of the texture method and the textbook's."""
    print(
        "\nall patch searches of one standard painting: ours, and the textbook's (one pass measured, times the passes)"
    )
    print(f"{'size':>5} {'ours s':>7} {'textbook s':>11} {'ratio':>6} {'peak MiB':>9} {'textbook':>9}")
    for job in jobs:
        ours, textbook = (measure(replace(job, subject=s)) for s in ("search", "textbook-search"))
        print(
            f"{job.size:>5} {ours.seconds:7.2f} {textbook.seconds:11.1f} {textbook.seconds / ours.seconds:6.0f} "
            f"{ours.mebibytes:9.0f} {textbook.mebibytes:9.0f}",
            flush=True,
        )


def print_textbook_gatys(jobs: Sequence[Job], painted: Painted) -> None:
    """The loop of Gatys et al., and how many times as long it takes as each painting, warm."""
    from benchmarks.textbook_gatys import ITERATIONS, MEASURED

    print(
        f"\nthe loop of Gatys et al. 2016 (VGG-19's architecture, float32, L-BFGS without line search): {ITERATIONS:,} "
        f"iterations,\nextrapolated from the first {MEASURED} after one evaluation to warm up; "
        "how many times ours it takes"
    )
    ratios = " ".join(f"{quality:>9}" for quality in QUALITIES)
    print(f"{'size':>5} {'textbook s':>11} {'evaluations an iteration':>25} {'peak MiB':>9} {ratios}")
    for job in jobs:
        textbook = measure(replace(job, subject="textbook-gatys"))
        ratios = " ".join(_times(textbook.seconds, own.seconds if own else None) for own in _at(job, painted))
        print(
            f"{job.size:>5} {textbook.seconds:11.0f} {textbook.evaluations:25.2f} {textbook.mebibytes:9.0f} {ratios}",
            flush=True,
        )


def print_textbook_johnson(jobs: Sequence[Job], painted: Painted) -> None:
    """The network of Johnson et al., and how many times as long it takes as each painting, warm."""
    print(
        "\nthe network of Johnson et al. 2016 (1.68 million parameters, float32, the whole picture at once): file to "
        "JPEG, in memory,\nand the network alone; how many times ours it takes, likewise"
    )
    ratios = " ".join(f"{quality:>13}" for quality in QUALITIES)
    print(f"{'size':>5} {'whole s':>8} {'network s':>10} {'peak MiB':>9} {ratios}")
    for job in jobs:
        textbook = measure(replace(job, subject="textbook-johnson"))
        ratios = " ".join(
            _times(textbook.seconds, own.seconds + own.encoding if own else None, 6)
            + _times(textbook.in_method, own.in_method if own else None, 7)
            for own in _at(job, painted)
        )
        print(
            f"{job.size:>5} {textbook.seconds:8.3f} {textbook.in_method:10.3f} {textbook.mebibytes:9.0f} {ratios}",
            flush=True,
        )


def _at(job: Job, painted: Painted) -> list[Measurement | None]:
    """Of the paintings at the job's size, one a quality; None where there is none."""
    return [painted.get(replace(job, quality=quality)) for quality in QUALITIES]


def _times(textbook: float, ours: float | None, width: int = 9) -> str:
    """How many times ours the textbook takes."""
    if ours is None:
        return f"{'-':>{width}}"
    ratio = textbook / ours
    decimals = 0 if ratio >= 10 else 1 if ratio >= 1 else 2
    return f"{ratio:{width}.{decimals}f}"


if __name__ == "__main__":
    main()
