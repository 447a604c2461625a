"""Seconds and peak memory of each method, beside a yardstick in the same run.

    make bench
    python -m benchmarks.methods --sizes 256 512 --photo my.jpg --style mosaic

Every painting runs in a process of its own, so that the memory is its own; the seconds are those of the second
painting in it (warm) and of the whole process (cold).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from stylizer.compute import available_cores, use_available_cores

PHOTO = Path(__file__).parents[1] / "docs" / "pictures" / "cat.jpg"
SIZES = (256, 400, 512, 1024)
QUALITIES = ("draft", "standard", "high")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks.methods", description="Seconds and memory of painting.")
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--style", default="impasto-swirls")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        what, size, quality = arguments.only.split(",")
        use_available_cores()
        measure = {"painting": _painting, "search": _search, "textbook": _textbook}[what]
        print(json.dumps(measure(str(arguments.photo), arguments.style, int(size), quality)))
        return
    _print_machine()
    print(f"\n{'size':>5} {'quality':>9} {'cold s':>7} {'warm s':>7} {'peak GiB':>9}")
    for size in arguments.sizes:
        for quality in QUALITIES:
            cold, result = _run(arguments, "painting", size, quality)
            print(f"{size:>5} {quality:>9} {cold:7.1f} {result['seconds']:7.1f} {result['gibibytes']:9.2f}", flush=True)
    print(
        "\nall patch searches of one standard painting: ours, and the textbook's (one pass measured, times the passes)"
    )
    print(f"{'size':>5} {'ours s':>7} {'textbook s':>11} {'ratio':>6} {'peak GiB':>9} {'textbook':>9}")
    for size in arguments.sizes:
        _, ours = _run(arguments, "search", size, "standard")
        _, textbook = _run(arguments, "textbook", size, "standard")
        ratio = textbook["seconds"] / ours["seconds"]
        print(
            f"{size:>5} {ours['seconds']:7.2f} {textbook['seconds']:11.1f} {ratio:6.0f} "
            f"{ours['gibibytes']:9.2f} {textbook['gibibytes']:9.2f}",
            flush=True,
        )


def _run(arguments: argparse.Namespace, what: str, size: int, quality: str) -> tuple[float, dict[str, Any]]:
    """Measure one thing in a process of its own: the seconds of the whole process, and what it reports."""
    command = [sys.executable, "-m", "benchmarks.methods", "--photo", str(arguments.photo)]
    command += ["--style", arguments.style, "--only", f"{what},{size},{quality}"]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    elapsed = time.perf_counter() - began
    report = json.loads(done.stdout)
    return elapsed - report.get("seconds", 0) if what == "painting" else elapsed, report


def _painting(photo: str, style: str, size: int, quality: str) -> dict[str, float]:
    from stylizer import Options, stylize

    options = Options(size=size, quality=quality)  # type: ignore[arg-type]
    stylize(photo, style, options=options)
    again = stylize(photo, style, options=options)
    return {"seconds": again.seconds, "gibibytes": _peak()}


def _search(photo: str, style: str, size: int, quality: str) -> dict[str, float]:
    """The searches of a painting alone: bases, descriptors and nearest patches."""
    import torch

    from stylizer.methods.texture import BUDGETS
    from stylizer.synthesis.patch_source import PatchSource, Usage

    seconds = 0.0
    budget = BUDGETS[quality]
    generator = torch.Generator().manual_seed(0)
    for picture, stock, grid in _search_problems(photo, style, size):
        began = time.perf_counter()
        source = PatchSource(stock, Usage(), patch=grid.patch, stride=budget.stride, generator=generator)
        for _ in range(budget.passes):
            source.match(grid.pad(picture), grid)
        seconds += time.perf_counter() - began
    return {"seconds": seconds, "gibibytes": _peak()}


def _textbook(photo: str, style: str, size: int, quality: str) -> dict[str, float]:
    from benchmarks.textbook import nearest_by_raw_patches
    from stylizer.methods.texture import BUDGETS

    seconds = 0.0
    budget = BUDGETS[quality]
    for picture, stock, grid in _search_problems(photo, style, size):
        began = time.perf_counter()
        nearest_by_raw_patches(picture, stock, grid, budget.stride)
        seconds += budget.passes * (time.perf_counter() - began)
    return {"seconds": seconds, "gibibytes": _peak()}


def _search_problems(photo: str, style: str, size: int) -> list[Any]:
    """Picture, style and grid of each search in a painting: every level, every patch size."""
    from PIL import Image

    from stylizer import catalog
    from stylizer.methods.texture import LEVELS, patches_for
    from stylizer.synthesis.patch_grid import PatchGrid
    from stylizer.synthesis.pyramid import gaussian_pyramid
    from stylizer.tensors import long_side_to, to_tensor

    def pyramid(path: str | Path) -> list[Any]:
        image = Image.open(path).convert("RGB")
        return gaussian_pyramid(to_tensor(image.resize(long_side_to(size, *image.size)))[0], LEVELS)

    levels = zip(pyramid(photo), pyramid(catalog()[style].swatch), strict=True)
    return [
        (picture, stock, PatchGrid(picture.shape[1], picture.shape[2], patch, gap))
        for picture, stock in levels
        for patch, gap in patches_for(size, [picture, stock])
    ]


def _peak() -> float:
    """Most memory this process has held, in GiB."""
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes / (2**30 if sys.platform == "darwin" else 2**20)


def _print_machine() -> None:
    import torch

    extensions = torch.backends.cpu.get_cpu_capability()
    print(f"torch {torch.__version__}, {available_cores()} cores, {extensions}")
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(2048, 2048, dtype=dtype)
        torch.mm(matrix, matrix)
        began = time.perf_counter()
        torch.mm(matrix, matrix)
        print(f"2048-cube matrix product, {dtype}: {2 * 2048**3 / (time.perf_counter() - began) / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
