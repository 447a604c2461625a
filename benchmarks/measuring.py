"""One measurement at a time, each in a process of its own, so that the memory is its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stylizer.compute import use_available_cores
from stylizer.options import MethodName, Quality

if TYPE_CHECKING:
    from torch import Tensor

    from stylizer.synthesis.patch_grid import PatchGrid

Subject = Literal["painting", "search", "textbook-search", "textbook-gatys"]


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        subject: A whole painting, or a part of one, or what a textbook has in its place.
        photo: Path of a picture.
        style: A built-in style's id, or the path of a picture.
        size: Long side in pixels, of both.
        method: Of the painting.
        quality: Of the painting.
        float32: Do as on a processor that does not multiply bfloat16.
    """

    subject: Subject
    photo: str
    style: str
    size: int
    method: MethodName
    quality: Quality = "standard"
    float32: bool = False


@dataclass(frozen=True)
class Measurement:
    """Of a job.

    Attributes:
        seconds: It took.
        gibibytes: Most memory that its process has held.
        cold: Seconds from the start of the process to the end of its first painting.
        evaluations: Of the loss, an iteration, where that is counted.
    """

    seconds: float
    gibibytes: float
    cold: float = 0.0
    evaluations: float = 0.0


def measure(job: Job) -> Measurement:
    """Do a job in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measuring", json.dumps(asdict(job))]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    elapsed = time.perf_counter() - began
    measured = Measurement(**json.loads(done.stdout))
    return replace(measured, cold=elapsed - measured.seconds) if job.subject == "painting" else measured


def main() -> None:
    """Do the job named on the command line here, and print what was measured."""
    use_available_cores()
    job = Job(**json.loads(sys.argv[1]))
    if job.float32:
        _forget_bfloat16()
    evaluations = 0.0
    if job.subject == "painting":
        seconds = _paint(job)
    elif job.subject == "search":
        seconds = _search(job)
    elif job.subject == "textbook-search":
        seconds = _textbook_search(job)
    else:
        seconds, evaluations = _textbook_gatys(job)
    print(json.dumps(asdict(Measurement(seconds, _peak(), evaluations=evaluations))))


def _forget_bfloat16() -> None:
    import torch

    from stylizer import compute

    # Before any method is imported, which would take the function by its name.
    compute.autocast_dtype = lambda device="cpu": torch.float32  # noqa: ARG005 - called as the original is


def _paint(job: Job) -> float:
    """Seconds of the second of two paintings."""
    from stylizer import Options, stylize

    options = Options(size=job.size, quality=job.quality)
    stylize(job.photo, job.style, method=job.method, options=options)
    return stylize(job.photo, job.style, method=job.method, options=options).seconds


def _search(job: Job) -> float:
    """The searches of a texture painting alone: bases, descriptors and nearest patches."""
    import torch

    from stylizer.methods.texture import BUDGETS
    from stylizer.synthesis.patch_source import PatchSource, Usage

    seconds = 0.0
    budget = BUDGETS[job.quality]
    generator = torch.Generator().manual_seed(0)
    for picture, stock, grid in _search_problems(job):
        began = time.perf_counter()
        source = PatchSource(stock, Usage(), patch=grid.patch, stride=budget.stride, generator=generator)
        for _ in range(budget.passes):
            source.match(grid.pad(picture), grid)
        seconds += time.perf_counter() - began
    return seconds


def _textbook_search(job: Job) -> float:
    """The same searches by the textbook: one pass, times the passes."""
    from benchmarks.textbook_texture import nearest_by_raw_patches
    from stylizer.methods.texture import BUDGETS

    seconds = 0.0
    budget = BUDGETS[job.quality]
    for picture, stock, grid in _search_problems(job):
        began = time.perf_counter()
        nearest_by_raw_patches(picture, stock, grid, budget.stride)
        seconds += budget.passes * (time.perf_counter() - began)
    return seconds


def _search_problems(job: Job) -> Iterator[tuple[Tensor, Tensor, PatchGrid]]:
    """Picture, style and grid of each search in a painting: every level, every patch size."""
    from stylizer.methods.texture import LEVELS, patches_for
    from stylizer.synthesis.patch_grid import PatchGrid
    from stylizer.synthesis.pyramid import gaussian_pyramid

    photo, style = (gaussian_pyramid(picture[0], LEVELS) for picture in _pictures(job))
    for picture, stock in zip(photo, style, strict=True):
        for patch, gap in patches_for(job.size, [picture, stock]):
            yield picture, stock, PatchGrid(picture.shape[1], picture.shape[2], patch, gap)


def _textbook_gatys(job: Job) -> tuple[float, float]:
    """Seconds of the loop, extrapolated, and evaluations an iteration."""
    from benchmarks.textbook_gatys import measure_textbook

    photo, style = _pictures(job)
    return measure_textbook(photo, style)


def _pictures(job: Job) -> tuple[Tensor, Tensor]:
    """Photo and style (1, 3, H, W) at the job's size."""
    from PIL import Image

    from stylizer import catalog
    from stylizer.tensors import long_side_to, to_tensor

    def load(path: str | Path) -> Tensor:
        with Image.open(path) as file:
            picture = file.convert("RGB")
        return to_tensor(picture.resize(long_side_to(job.size, *picture.size)))

    built_in = catalog().get(job.style)
    return load(job.photo), load(built_in.swatch if built_in else job.style)


def _peak() -> float:
    """Most memory this process has held, in GiB."""
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes / (2**30 if sys.platform == "darwin" else 2**20)


if __name__ == "__main__":
    main()
