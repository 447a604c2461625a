"""Sections of docs/benchmarks.md on derived figures: scaling and cost."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import costs
from benchmarks.costs import Painter, gpu_pays_from, gpu_seconds, gpu_usd, lambda_seconds, lambda_usd, painter_for
from benchmarks.figures import TEXTBOOK_NAMES, Figures, markdown_table, number, prose
from benchmarks.growth import fit, seconds_until_done
from benchmarks.record import Entry
from stylizer.capabilities import STROKE_METHODS
from stylizer_service.routing import SLOWER

JOBS = (1, 10, 100, 1000)
JOBS_SIZE = 1024


def growth(figures: Figures) -> Iterator[str]:
    """Scaling with pixels and with jobs."""
    yield "## How cost grows"
    yield "![Seconds and memory of a painting against its pixels, both logarithmic](pictures/benchmarks.svg)"
    yield prose("""
        **With pixels.** `seconds = c * megapixels^a`, fitted to the logarithms of the measurements by least squares
        (`standard`, warm). With `a` = 1, cost is proportional to pixels; a fixed cost per painting lowers it.
    """)
    rows: list[tuple[str, ...]] = []
    for method in STROKE_METHODS:
        rows += _law(f"`{method}`", figures.of("painting", method, "standard"))
        rows += _law(TEXTBOOK_NAMES.get(method, ""), figures.textbook(method))
    yield markdown_table((" :", "c, seconds at 1 MP", "a", "twice the long side", "measured at:"), rows)
    yield from _jobs(figures)


def _law(name: str, entries: list[Entry]) -> Iterator[tuple[str, ...]]:
    """Yield a row, if there are at least two sizes."""
    if len(entries) > 1:
        law = fit([(entry.pixels / 1e6, entry.measured.seconds) for entry in entries])
        sizes = ", ".join(f"{entry.job.size:,}" for entry in entries)
        yield name, number(law.factor), f"{law.exponent:.2f}", f"{number(4**law.exponent)} times as long", sizes


def _jobs(figures: Figures) -> Iterator[str]:
    """Time to paint many jobs."""
    painted = [entry for entry in figures.of("painting", quality="standard") if entry.job.size == JOBS_SIZE]
    if not painted:
        return
    yield prose(f"""
        **With jobs.** A painter paints one job after another. So `n` simultaneous jobs are done after `start + ⌈n / p⌉
        * s` seconds, with `p` painters and `s` the warm seconds of one painting. On this machine `p` is 1, with all
        cores, and `start` is cold minus warm. On Lambda `p` is the stage's `painter_concurrency`, `s` is {SLOWER:g}
        times as much and {costs.STORES:g} s more, and `start` is {costs.PAINTER_START:g} s: those rows are calculated
        with the assumptions below, not measured. Seconds until the last of `n` jobs is done, `standard`, {JOBS_SIZE:,}
        pixels:
    """)
    rows = [row for entry in painted for row in _rows_of_jobs(entry)]
    yield markdown_table(("method:", "where:", *(f"n = {n:,}" for n in JOBS)), rows)


def _rows_of_jobs(entry: Entry) -> Iterator[tuple[str, ...]]:
    """Yield a row for this machine, and one for Lambda if a stage accepts such jobs."""
    job, own = entry.job, entry.measured
    here = [seconds_until_done(n, 1, start=max(0.0, own.cold - own.seconds), each=own.seconds) for n in JOBS]
    yield f"`{job.method}`", "this machine, 1 painter", *map(number, here)
    if painter := painter_for(job.method, job.size, job.quality):
        each, at_a_time = lambda_seconds(own.seconds), painter.concurrency
        there = [seconds_until_done(n, at_a_time, start=costs.PAINTER_START, each=each) for n in JOBS]
        yield f"`{job.method}`", f"Lambda, stage `{painter.stage}`, {at_a_time} painters", *map(number, there)


def thousand(figures: Figures) -> Iterator[str]:
    """Cost of a thousand paintings."""
    yield "## What a thousand paintings cost"
    yield prose("""
        By formula from the warm seconds `s` above; no Lambda and no GPU has been measured. Prices are list prices of
        us-east-1 in USD as last known from 2025. `benchmarks/costs.py` has them with the assumptions;
        [costs.md](costs.md) has their sources and the cost of a service besides painting. **Prices change: check
        them.**
    """)
    yield f"""```
Lambda, one painting   ({SLOWER:g} * s + {costs.STORES:g} + {costs.PAINTER_START:g} * c) * memory / 1024 * \
{costs.LAMBDA_GB_SECOND:.10f} + {costs.LAMBDA_REQUEST:.7f}
GPU, n paintings       ({costs.GPU_IDLE_HOURS:g} + n * (s / f + {costs.STORES:g}) / 3600) * {costs.GPU_HOUR}
```"""
    yield "\n".join(prose(point, indent="  ") for point in _assumptions())
    heads = (
        *("method:", "size", "s", "Lambda s", "Lambda MiB", "Lambda, in one go", "Lambda, one by one"),
        *("GPU s", "GPU, in one go", "GPU pays from"),
    )
    painted = [entry for method in STROKE_METHODS for entry in figures.of("painting", method, "standard")]
    yield "USD for a thousand `standard` paintings:"
    yield markdown_table(heads, [_thousand(entry) for entry in painted])


def _assumptions() -> Iterator[str]:
    yield f"""
        - **{SLOWER:g}**: slowdown of a Lambda relative to this machine, a cautious guess
        (`stylizer_service/routing.py`). {costs.STORES:g} s are for the stores.
    """
    yield f"""
        - **c**: the share of cold starts, which take {costs.PAINTER_START:g} s. *In one go*: one for each painter of
        the stage. *One by one*: every painting.
    """
    yield """
        - *GPU pays from*: the smallest n for which the second formula is less than n times the first without cold
        starts.
    """
    yield """
        - **memory**: MiB of the painters of the smallest stage in `cdk.json` that accepts the job. The processors that
        come with more memory are not taken into account.
    """
    yield f"""
        - **f = {costs.GPU_FASTER:g}**: speed of the endpoint's GPU (ml.g5.xlarge) relative to this machine, **an
        assumption, not measured**. Each time it wakes, the endpoint runs {costs.GPU_IDLE_HOURS:g} hours besides
        painting: {costs.GPU_IDLE_HOURS * costs.GPU_HOUR:.2f} USD.
    """


def _thousand(entry: Entry) -> tuple[str, ...]:
    job, seconds = entry.job, entry.measured.seconds
    painter = painter_for(job.method, job.size, job.quality)
    pays = gpu_pays_from(seconds, painter.memory) if painter else 1
    return (
        f"`{job.method}`",
        f"{job.size:,}",
        number(seconds),
        *(_on_lambda(seconds, painter) if painter else ("-", "-", "-", "-")),
        number(gpu_seconds(seconds)),
        f"{gpu_usd(seconds, 1000):.2f}",
        f"{pays:,}" if pays else "never",
    )


def _on_lambda(seconds: float, painter: Painter) -> tuple[str, ...]:
    """Return seconds per painting, MiB, and the cost of a thousand in one batch and one at a time."""
    shares = painter.concurrency / 1000, 1.0
    in_one_go, one_by_one = (1000 * lambda_usd(seconds, painter.memory, cold=cold) for cold in shares)
    return number(lambda_seconds(seconds)), f"{painter.memory:,}", f"{in_one_go:.2f}", f"{one_by_one:.2f}"
