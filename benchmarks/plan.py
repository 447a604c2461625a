"""What `make bench` measures, in ascending size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.measuring import Job, Subject
from stylizer.capabilities import STROKE_METHODS
from stylizer.options import MethodName, Quality

PHOTO = Path(__file__).parents[1] / "docs" / "pictures" / "cat.jpg"
STYLE = "impasto-swirls"
MORE_STYLES = ("starry-night", "great-wave", "mosaic")
"""More styles for distances: an average over different images is more reliable than a single one."""

SIZES = (512, 1024, 2048, 4096)
LARGEST: Mapping[MethodName, Mapping[Quality, int]] = {
    "neighbor": {"draft": 4096, "standard": 4096, "high": 1024},
    "feedforward": {"draft": 4096, "standard": 4096, "high": 1024},
    "optimization": {"draft": 1024, "standard": 2048, "high": 512},
    "texture": {"draft": 2048, "standard": 2048, "high": 512},
}
"""Maximum long side in pixels in a full run: beyond it, one painting would take minutes."""

TEXTBOOKS: Mapping[MethodName, Sequence[Subject]] = {
    "neighbor": (),  # no textbook implementation of the same task
    "feedforward": ("textbook-johnson",),
    "optimization": ("textbook-gatys",),
    "texture": ("search", "textbook-search"),
}
LARGEST_TEXTBOOK: Mapping[Subject, int] = {
    "textbook-johnson": 2048,
    "textbook-gatys": 1024,
    "search": 2048,
    "textbook-search": 1024,
}
"""The same for the textbook baselines: beyond it, minutes, or more than 10 GiB."""


def everything(first: Job) -> list[Job]:
    """Return all measurements with the photo, the style and the other settings of `first`."""
    jobs = [*paintings(first), *textbooks(first), *looks(first)]
    return sorted(jobs, key=lambda job: job.size)  # stable: keeps the order within a size


def paintings(first: Job) -> Iterator[Job]:
    """Yield every method, size and quality within its limit."""
    for method in STROKE_METHODS:
        for size in SIZES:
            for quality, largest in LARGEST[method].items():
                if size <= largest:
                    yield replace(first, subject="painting", method=method, size=size, quality=quality)


def textbooks(first: Job) -> Iterator[Job]:
    """Yield the textbook baselines of each method, within its limit."""
    for method in STROKE_METHODS:
        for size in SIZES:
            for subject in TEXTBOOKS[method]:
                if size <= LARGEST_TEXTBOOK[subject]:
                    yield replace(first, subject=subject, method=method, size=size)


def looks(first: Job) -> Iterator[Job]:
    """Yield distances at 512 pixels: of subjects other than paintings, and of paintings in more styles."""
    at_512 = replace(first, size=512)
    for style in (first.style, *MORE_STYLES):
        for subject in ("photo", "recolored"):
            yield replace(at_512, subject=subject, style=style)
    for style in MORE_STYLES:
        for method in STROKE_METHODS:
            yield replace(at_512, subject="look", style=style, method=method)


def chosen(
    first: Job,
    methods: Sequence[MethodName],
    sizes: Sequence[int] | None,
    qualities: Sequence[Quality] | None,
) -> list[Job]:
    """Return the paintings and baselines of selected methods, sizes and qualities; named sizes ignore the limits.

    Args:
        first: Template with the photo, the style and the other settings.
        methods: Methods to measure.
        sizes: Long sides in pixels; None selects those of a full run.
        qualities: None selects all, within the limits of a full run.
    """
    if sizes is None:
        jobs = [job for job in (*paintings(first), *textbooks(first)) if job.method in methods]
        return [job for job in jobs if qualities is None or job.subject != "painting" or job.quality in qualities]
    jobs = []
    for method in methods:
        for size in sizes:
            for quality in qualities or LARGEST[method]:
                jobs.append(replace(first, subject="painting", method=method, size=size, quality=quality))
            jobs += [replace(first, subject=textbook, method=method, size=size) for textbook in TEXTBOOKS[method]]
    return jobs
