"""Seconds and peak memory of each method, beside a textbook yardstick in the same run.

    make bench
    python -m benchmarks --methods optimization --sizes 512 --qualities standard --photo my.jpg --style mosaic

Every painting runs in a process of its own; the seconds are those of the second painting in it (warm), and of the whole
process without that second one (cold).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.measuring import Job, Measurement, measure
from stylizer.compute import autocast_dtype, available_cores, use_available_cores
from stylizer.options import METHOD_NAMES, QUALITIES, MethodName, Quality

PHOTO = Path(__file__).parents[1] / "docs" / "pictures" / "cat.jpg"
SIZES: dict[MethodName, Sequence[int]] = {"texture": (256, 400, 512, 1024), "optimization": (512, 1024)}


class _Flags(argparse.Namespace):
    methods: Sequence[MethodName]
    sizes: Sequence[int] | None
    qualities: Sequence[Quality]
    photo: Path
    style: str
    float32: bool


def main() -> None:
    """Measure, and print tables."""
    arguments = _parse()
    use_available_cores()
    print_machine(arguments.float32)
    for method in arguments.methods:
        first = Job("painting", str(arguments.photo), arguments.style, 0, method, float32=arguments.float32)
        sizes = arguments.sizes or SIZES[method]
        print(f"\n{method}\n{'size':>5} {'quality':>9} {'cold s':>7} {'warm s':>7} {'peak GiB':>9}")
        painted = {
            size: [print_painting(replace(first, size=size, quality=q)) for q in arguments.qualities] for size in sizes
        }
        if method == "texture":
            print_searches([replace(first, size=size) for size in sizes])
        else:
            print_textbook_gatys({replace(first, size=size): painted[size] for size in sizes}, arguments.qualities)


def _parse() -> _Flags:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Seconds and memory of painting.")
    parser.add_argument("--methods", nargs="+", choices=METHOD_NAMES, default=METHOD_NAMES, help="(default: all)")
    parser.add_argument("--sizes", type=int, nargs="+", help="long sides in pixels (default: some for each method)")
    parser.add_argument("--qualities", nargs="+", choices=QUALITIES, default=QUALITIES, help="(default: all)")
    parser.add_argument("--photo", type=Path, default=PHOTO, help="(default: the cat in the documentation)")
    parser.add_argument("--style", default="impasto-swirls", help="a built-in style or a picture (%(default)s)")
    parser.add_argument("--float32", action="store_true", help="do as on a processor that does not multiply bfloat16")
    return parser.parse_args(namespace=_Flags())


def print_painting(job: Job) -> Measurement:
    """One line of the table of paintings."""
    measured = measure(job)
    print(
        f"{job.size:>5} {job.quality:>9} {measured.cold:7.1f} {measured.seconds:7.1f} {measured.gibibytes:9.2f}",
        flush=True,
    )
    return measured


def print_searches(jobs: Sequence[Job]) -> None:
    """The patch search of the texture method and the textbook's."""
    print(
        "\nall patch searches of one standard painting: ours, and the textbook's (one pass measured, times the passes)"
    )
    print(f"{'size':>5} {'ours s':>7} {'textbook s':>11} {'ratio':>6} {'peak GiB':>9} {'textbook':>9}")
    for job in jobs:
        ours, textbook = (measure(replace(job, subject=s)) for s in ("search", "textbook-search"))
        print(
            f"{job.size:>5} {ours.seconds:7.2f} {textbook.seconds:11.1f} {textbook.seconds / ours.seconds:6.0f} "
            f"{ours.gibibytes:9.2f} {textbook.gibibytes:9.2f}",
            flush=True,
        )


def print_textbook_gatys(painted: dict[Job, list[Measurement]], qualities: Sequence[Quality]) -> None:
    """The loop of Gatys et al., and how many times as long it takes as each painting, warm."""
    from benchmarks.textbook_gatys import ITERATIONS, MEASURED

    print(
        f"\nthe loop of Gatys et al. 2016 (VGG-19's architecture, float32, L-BFGS without line search): {ITERATIONS:,} "
        f"iterations,\nextrapolated from the first {MEASURED} after one evaluation to warm up; "
        "how many times ours it takes"
    )
    ratios = " ".join(f"{quality:>9}" for quality in qualities)
    print(f"{'size':>5} {'textbook s':>11} {'evaluations an iteration':>25} {'peak GiB':>9} {ratios}")
    for job, ours in painted.items():
        textbook = measure(replace(job, subject="textbook-gatys"))
        ratios = " ".join(f"{textbook.seconds / own.seconds:9.0f}" for own in ours)
        print(
            f"{job.size:>5} {textbook.seconds:11.0f} {textbook.evaluations:25.2f} {textbook.gibibytes:9.2f} {ratios}",
            flush=True,
        )


def print_machine(float32: bool) -> None:
    """What the figures were measured on."""
    import torch

    extensions = torch.backends.cpu.get_cpu_capability()
    precision = torch.float32 if float32 else autocast_dtype()
    print(f"torch {torch.__version__}, {available_cores()} cores, {extensions}; networks in {precision}")
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(2048, 2048, dtype=dtype)
        torch.mm(matrix, matrix)
        began = time.perf_counter()
        torch.mm(matrix, matrix)
        print(f"2048-cube matrix product, {dtype}: {2 * 2048**3 / (time.perf_counter() - began) / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
