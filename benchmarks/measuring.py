"""One measurement at a time, each in its own process, so that peak memory is its own."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stylizer.compute import configure_process
from stylizer.options import MethodName, Quality

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from benchmarks.distances import Distances
    from stylizer.methods import Task
    from stylizer.synthesis.patch_grid import PatchGrid

Subject = Literal[
    "painting", "look", "photo", "recolored", "search", "textbook-search", "textbook-gatys", "textbook-johnson"
]

# Jobs that take less than this are run three times; the minimum counts, since other programs only add time.
SHORT = 5.0
REPEATS = 3
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        subject: A whole painting; only its distances, or those of the photo as it is and in the style's colors; a part
            of a painting; or a textbook baseline.
        photo: Path of an image.
        style: A built-in style's id, or the path of an image.
        size: Long side of both in pixels.
        method: Of the painting.
        quality: Of the painting.
        float32: Emulate a processor without bfloat16.
        teachers: Folder with the weights of additional encoders for distances; "" for none.
    """

    subject: Subject
    photo: str
    style: str
    size: int
    method: MethodName
    quality: Quality = "standard"
    float32: bool = False
    teachers: str = ""


@dataclass(frozen=True)
class Measurement:
    """Result of a job.

    Attributes:
        seconds: Duration; of a painting, the second one in its process, from the photo's file to the finished image.
        mebibytes: Peak memory of its process.
        in_method: Seconds of these from the photo's tensor to the painting's.
        encoding: Additional seconds for encoding the painting as JPEG.
        cold: Seconds from process start to the end of the first painting.
        cold_mebibytes: Peak memory of its process up to then.
        evaluations: Loss evaluations per iteration, where counted.
        distances: Of a painting in standard quality from its style and its photo.
    """

    seconds: float
    mebibytes: float
    in_method: float = 0.0
    encoding: float = 0.0
    cold: float = 0.0
    cold_mebibytes: float = 0.0
    evaluations: float = 0.0
    distances: Distances = field(default_factory=dict)


def measure(job: Job) -> Measurement:
    """Run a job in its own process; a short one several times."""
    began = time.perf_counter()
    measured = [_measure_once(job)]
    if time.perf_counter() - began < SHORT:
        measured += [_measure_once(job) for _ in range(1, REPEATS)]
    # The same in every run.
    distances = measured[0].distances
    figures = {name: [getattr(one, name) for one in measured] for name in asdict(measured[0]) if name != "distances"}
    best = {name: max(of) if "mebibytes" in name else min(of) for name, of in figures.items()}
    return Measurement(**best, distances=distances)


def _measure_once(job: Job) -> Measurement:
    command = [sys.executable, "-m", "benchmarks.measuring", json.dumps(asdict(job)), str(time.time())]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Measurement(**json.loads(done.stdout))


def main() -> None:
    """Run the job given on the command line in this process, and print the measurement."""
    configure_process()
    job, started = Job(**json.loads(sys.argv[1])), float(sys.argv[2])
    if job.float32:
        _forget_bfloat16()
    if job.subject == "painting":
        measured = _paint(job, started)
    elif job.subject in ("look", "photo", "recolored"):
        measured = Measurement(0.0, 0.0, distances=_look(job))
    elif job.subject == "search":
        measured = Measurement(_search(job), _peak())
    elif job.subject == "textbook-search":
        measured = Measurement(_textbook_search(job), _peak())
    elif job.subject == "textbook-gatys":
        measured = _textbook_gatys(job)
    else:
        measured = _textbook_johnson(job)
    print(json.dumps(asdict(measured)))


def _forget_bfloat16() -> None:
    import torch

    from stylizer import compute

    # Before any method is imported, since methods import the function by name.
    compute.autocast_dtype = lambda device="cpu": torch.float32  # noqa: ARG005 - called as the original


def _paint(job: Job, started: float) -> Measurement:
    """Paint twice in a process started at `started`, in seconds of `time.time`."""
    from stylizer import Options, stylize

    in_method = _time_method(job.method)
    options = Options(size=job.size, quality=job.quality)
    stylize(job.photo, job.style, method=job.method, options=options)
    cold, cold_mebibytes = time.time() - started, _peak()
    painting = stylize(job.photo, job.style, method=job.method, options=options)
    mebibytes, began = _peak(), time.perf_counter()
    painting.encode("jpeg")
    encoding = time.perf_counter() - began
    distances = _distances(job, painting.image) if job.quality == "standard" else {}
    return Measurement(painting.seconds, mebibytes, in_method[-1], encoding, cold, cold_mebibytes, distances=distances)


def _distances(job: Job, picture: Image.Image) -> Distances:
    from benchmarks.distances import distances

    return distances(Path(job.photo), _style(job), picture, Path(job.teachers) if job.teachers else None)


def _look(job: Job) -> Distances:
    """Return the distances of one painting, or of a subject that needs no painting."""
    if job.subject == "look":
        from stylizer import Options, stylize

        options = Options(size=job.size, quality=job.quality)
        return _distances(job, stylize(job.photo, job.style, method=job.method, options=options).image)
    from stylizer.color import Palette, match_distribution
    from stylizer.tensors import to_image

    photo, style = _pictures(job)
    if job.subject == "recolored":
        photo = match_distribution(photo[0], Palette.from_image(style[0]))[None]
    return _distances(job, to_image(photo))


def _time_method(name: MethodName) -> list[float]:
    """Make the method record its seconds, one number per painting."""
    from stylizer import methods

    method, spent = methods.load(name), []
    paint = method.paint

    def timed(task: Task) -> Tensor:
        began = time.perf_counter()
        painted = paint(task)
        spent.append(time.perf_counter() - began)
        return painted

    method.paint = timed  # type: ignore[method-assign]
    return spent


def _search(job: Job) -> float:
    """Time only the searches of a texture painting: bases, descriptors and nearest patches."""
    import torch

    from stylizer.methods.texture import BUDGETS
    from stylizer.synthesis.patch_source import PatchSource, UsageMap

    seconds = 0.0
    budget = BUDGETS[job.quality]
    generator = torch.Generator().manual_seed(0)
    for picture, stock, grid in _search_problems(job):
        began = time.perf_counter()
        source = PatchSource(stock, UsageMap(), patch=grid.patch, stride=budget.stride, generator=generator)
        for _ in range(budget.passes):
            source.match(grid.pad(picture), grid)
        seconds += time.perf_counter() - began
    return seconds


def _textbook_search(job: Job) -> float:
    """Time the same searches by the textbook: one pass, times the number of passes."""
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
    """Yield image, style and grid of each search in a painting: every level, every patch size."""
    from stylizer.methods.texture import LEVELS, patch_sizes
    from stylizer.synthesis.patch_grid import PatchGrid
    from stylizer.synthesis.pyramid import gaussian_pyramid

    photo, style = (gaussian_pyramid(picture[0], LEVELS) for picture in _pictures(job))
    for picture, stock in zip(photo, style, strict=True):
        for patch, gap in patch_sizes(job.size, [picture, stock]):
            yield picture, stock, PatchGrid(picture.shape[1], picture.shape[2], patch, gap)


def _textbook_gatys(job: Job) -> Measurement:
    """Return the extrapolated time of the loop, and evaluations per iteration."""
    from benchmarks.textbook_gatys import measure_textbook

    photo, style = _pictures(job)
    seconds, evaluations = measure_textbook(photo, style)
    return Measurement(seconds, _peak(), evaluations=evaluations)


def _textbook_johnson(job: Job) -> Measurement:
    """Time from file to JPEG, and the network alone."""
    from benchmarks.textbook_johnson import measure_textbook

    seconds, in_network = measure_textbook(job.photo, job.size)
    return Measurement(seconds, _peak(), in_network)


def _pictures(job: Job) -> tuple[Tensor, Tensor]:
    """Return photo and style (1, 3, H, W) at the job's size."""
    from PIL import Image

    from stylizer.capabilities import long_side_to
    from stylizer.tensors import to_tensor

    def load(path: str | Path) -> Tensor:
        with Image.open(path) as file:
            picture = file.convert("RGB")
        return to_tensor(picture.resize(long_side_to(job.size, *picture.size)))

    return load(job.photo), load(_style(job))


def _style(job: Job) -> Path:
    from stylizer import catalog

    built_in = catalog().get(job.style)
    return Path(built_in.swatch if built_in else job.style)


def _peak() -> float:
    """Return the peak memory of this process in MiB."""
    # VmHWM covers this program alone: getrusage also counts what its parent process held when it forked.
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    if found is not None:
        return int(found[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
