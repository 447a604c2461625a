"""Sections of docs/benchmarks.md on measured figures."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from benchmarks.api_cold_start import KINDS
from benchmarks.busy_machine import BUSY
from benchmarks.busy_machine import SIZE as BUSY_SIZE
from benchmarks.clips import FRAMES, HEADS, rows
from benchmarks.clips import SIZE as CLIP_SIZE
from benchmarks.distances import COMPACT, TEACHERS
from benchmarks.figures import TEXTBOOK_NAMES, Figures, markdown_table, number, prose
from benchmarks.plan import SIZES
from stylizer.capabilities import METHODS, STROKE_METHODS
from stylizer.options import QUALITIES

QUIET = 0.1
"""Load from other processes above which the page warns that the times are too long."""


def machine(figures: Figures) -> Iterator[str]:
    """Machine, command, and load during the run."""
    record, entries = figures.record, figures.record.entries
    here = record.machine
    yield "# Benchmarks"
    yield prose("""
        Time, memory, quality and cost of the methods with strokes. `make bench` measures them and generates this page
        down to the mark near its end; edit only below it. [methods.md](methods.md) describes the methods.
    """)
    teachers = " TEACHERS=dir" if any(entry.job.teachers for entry in entries) else ""
    minutes = sum(entry.seconds for entry in entries) / 60
    products, convolutions = (tuple(map(number, pair)) for pair in (here.product, here.convolution))
    rows = [
        ("date", record.date),
        ("command", f"`make bench{teachers}`: {minutes:.0f} minutes of measuring"),
        ("processor", f"{here.processor}, {here.cores} cores; {here.extensions}"),
        ("memory", f"{here.memory:.0f} GiB"),
        ("software", f"{here.system}; Python {here.python}, torch {here.torch}"),
        ("networks in", here.precision),
        ("2048-cube matrix product", f"{products[0]} GFLOP/s in float32, {products[1]} in bfloat16"),
        (
            "3x3 convolution, 256 to 256 channels, 64 x 64",
            f"{convolutions[0]} ms in float32, {convolutions[1]} in bfloat16",
        ),
        ("photo and style", f"`{record.photo[0]}`, {record.photo[1]} x {record.photo[2]} pixels, in `{figures.style}`"),
    ]
    yield markdown_table(("the run:", " :"), rows)
    loads, others = zip(*((entry.load, entry.others) for entry in entries if entry.is_timed), strict=True)
    verdict = "it was quiet"
    if fmean(others) > QUIET:
        verdict = "**the machine was busy, and the seconds here are longer than on a quiet one**"
    yield prose(f"""
        The load average was {min(loads):.1f} to {max(loads):.1f} during the run, of which the benchmark itself is up to
        {here.cores}. Other processes had {fmean(others):.0%} of the CPU time on average, and {max(others):.0%} at most:
        {verdict}.
    """)


def paintings(figures: Figures) -> Iterator[str]:
    """Time and memory of every painting."""
    yield "## Seconds and memory"
    yield prose("""
        Each row is a separate process. *Cold* is from process start to the end of the first painting, with peak memory
        until then. *Warm* is the second painting, from the photo's file to the finished picture; *in method* excludes
        reading photo and style; *peak* is peak memory overall. Runs below five seconds were repeated three times;
        minimum time and maximum memory count. Sizes are long sides in pixels.
    """)
    heads = ("method:", "size", "quality:", "cold s", "cold MiB", "warm s", "in method s", "peak MiB")
    rows = []
    for method in STROKE_METHODS:
        for entry in figures.of("painting", method):
            own = entry.measured
            values = own.cold, own.cold_mebibytes, own.seconds, own.in_method, own.mebibytes
            rows.append((f"`{method}`", f"{entry.job.size:,}", entry.job.quality, *map(number, values)))
    yield markdown_table(heads, rows)
    yield prose(left_out(figures))


def left_out(figures: Figures) -> str:
    """Return which sizes were not measured, and why."""
    parts = []
    for method in STROKE_METHODS:
        largest = max(limit.size for limit in METHODS[method].sizes.values())
        there = {(entry.job.size, entry.job.quality) for entry in figures.of("painting", method)}
        missing = []
        for quality in QUALITIES:
            sizes = [f"{size:,}" for size in SIZES if size <= largest and (size, quality) not in there]
            missing += [f"`{quality}` at {', '.join(sizes)}"] if sizes else []
        parts.append(f"`{method}` paints up to {largest:,} pixels")
        if missing:
            parts[-1] += f", not measured to save time: {' and '.join(missing)}"
    return "; ".join(parts) + "."


def textbooks(figures: Figures) -> Iterator[str]:
    """Each method beside its textbook baseline."""
    yield "## Beside the textbook"
    yield prose("""
        The baselines are implemented as in the papers, in float32, with random weights, which do not affect cost.
        *Johnson's network* (Johnson et al. 2016) has one fixed style; both are measured from file to JPEG. *Gatys's
        loop* (Gatys et al. 2016) is VGG-19 up to relu5_1 and L-BFGS for 1,000 iterations at full size, extrapolated
        from the first ten. *Plain patch search* compares all pairs of raw patches, for all searches of one `texture`
        painting: one pass was measured and multiplied by the number of passes. Ours is `standard`, warm. Values marked
        ≈ are extrapolated by the baseline's power law (below).
    """)
    rows = []
    for method in STROKE_METHODS:
        name = f"`{method}`{', its searches' if method == 'texture' else ''}"
        for row in figures.beside(method):
            about = "≈ " if row.reckoned else ""
            (seconds, mebibytes), (textbook_seconds, textbook_mebibytes) = row.ours, row.textbook
            ratio = textbook_seconds / seconds
            times = (number(seconds), about + number(textbook_seconds), about + number(ratio))
            memory = (number(mebibytes), about + number(textbook_mebibytes))
            rows.append((name, TEXTBOOK_NAMES[method], f"{row.size:,}", *times, *memory))
    heads = ("ours:", "baseline:", "size", "ours s", "baseline s", "times as long", "ours MiB", "baseline MiB")
    yield markdown_table(heads, rows)


def quality(figures: Figures) -> Iterator[str]:
    """Distances of the paintings from style and photo."""
    groups = figures.looked_at()
    if not groups:
        return
    first = next(iter(groups.values()))[0]
    judges = [judge for judge in (COMPACT, TEACHERS) if judge in first.measured.distances]
    learned_from = f"*{TEACHERS}* are the networks from which it learned." if TEACHERS in judges else ""
    yield "## Quality"
    yield prose(f"""
        How far `standard` paintings are from their style (mean and covariance of features; 0 is the style itself) and
        from their photo (normalized features; 0 is the photo, about 2 another one), at a long side of 512 pixels. The
        *{COMPACT}* ships, and the methods use it, so it favors them, `optimization` most. {learned_from} The baselines
        above have random weights and are not compared; the photo itself is, and the photo in the style's colors.
        [methods.md](methods.md) has distances over more photos and artworks.
    """)
    heads = [f"{which}, by {judge}" for judge in judges for which in ("style", "content")]
    styles = sorted({entry.job.style for entries in groups.values() for entry in entries})
    yield f"Mean over {len(styles)} styles at 512 pixels ({', '.join(f'`{style}`' for style in styles)}):"
    means = []
    for name, entries in groups.items():
        found = [entry.measured.distances for entry in entries]
        values = [fmean(one[judge][which] for one in found) for judge in judges for which in (0, 1)]
        means.append((name, *(f"{value:.3f}" for value in values)))
    yield markdown_table((" :", *heads), means)
    yield "The paintings that were timed, by size:"
    rows = []
    for method in STROKE_METHODS:
        for entry in figures.of("painting", method, "standard"):
            values = [value for judge in judges for value in entry.measured.distances[judge]]
            rows.append((f"`{method}`", f"{entry.job.size:,}", *(f"{value:.3f}" for value in values)))
    yield markdown_table(("method:", "size", *heads), rows)


def api(figures: Figures) -> Iterator[str]:
    """Cold start of the API's function."""
    starts = figures.record.api
    if not starts:
        return
    yield "## Cold start of the API"
    yield prose("""
        From the start of Python to the first response of the API's function, with AWS simulated by moto on the same
        machine; minimum of ten starts (`python -m benchmarks.api_cold_start`). The baseline is FastAPI, Mangum and
        three boto3 clients with one empty route.
    """)
    plain, light = starts["bare"]
    rows = [
        (KINDS[kind], f"{seconds:.2f}", f"{seconds / plain:.2f}", f"{mebibytes:.0f}", f"{mebibytes / light:.2f}")
        for kind, (seconds, mebibytes) in starts.items()
    ]
    yield markdown_table(("first answer:", "seconds", "times the baseline", "MiB", "times the baseline"), rows)


def busy(figures: Figures) -> Iterator[str]:
    """Painting time beside other busy processes."""
    measured = figures.record.busy
    if not measured:
        return
    yield "## Beside busy processes"
    yield prose(f"""
        Seconds of a warm `feedforward` painting of {BUSY_SIZE} pixels, the median of five, beside processes that each
        keep a core busy (`python -m benchmarks.busy_machine`). The rows differ in how long OpenMP's threads spin at a
        barrier before they sleep. The first is what importing `stylizer` sets, unless GOMP_SPINCOUNT or OMP_WAIT_POLICY
        is set already.
    """)
    heads = ("threads wait by:", *(f"{count} busy" for count in BUSY))
    yield markdown_table(heads, [(name, *map(number, seconds)) for name, seconds in measured.items()])


def clips(figures: Figures) -> Iterator[str]:
    """Stability and time of painted clips."""
    measured = figures.record.clips
    if not measured:
        return
    yield "## Clips"
    yield prose(f"""
        Mean difference of successive frames, of 255, after moving the earlier one by the known motion of the camera, of
        clips of {FRAMES} frames with sensor noise, {CLIP_SIZE} pixels wide (`python -m benchmarks.clips`). The ratio is
        that of frames painted one by one to the clip. Seconds are CPU time per frame over all cores.
        [motion.md](motion.md) describes the method.
    """)
    yield markdown_table(HEADS, rows(measured))
