"""Queries on a record, and number formatting."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from benchmarks.growth import fit
from benchmarks.measuring import Subject
from benchmarks.record import Entry, Record
from stylizer.capabilities import STROKE_METHODS
from stylizer.options import MethodName, Quality

TEXTBOOK: Mapping[MethodName, Subject] = {
    "feedforward": "textbook-johnson",
    "optimization": "textbook-gatys",
    "texture": "textbook-search",
}
"""The textbook baseline of each method that has one."""
TEXTBOOK_NAMES: Mapping[MethodName, str] = {
    "feedforward": "Johnson's network",
    "optimization": "Gatys's loop",
    "texture": "plain patch search",
}

NO_PAINTINGS: Mapping[Subject, str] = {"photo": "the photo", "recolored": "the photo in the style's colors"}
"""Subjects other than paintings that distances are measured for."""


class Beside(NamedTuple):
    """A method and its textbook baseline at one size: seconds and MiB of both; whether the baseline is extrapolated."""

    size: int
    ours: tuple[float, float]
    textbook: tuple[float, float]
    reckoned: bool


@dataclass(frozen=True)
class Figures:
    """Figures of one record."""

    record: Record

    @cached_property
    def style(self) -> str:
        """Style of the timed paintings."""
        return next(entry.job.style for entry in self.record.entries if entry.job.subject == "painting")

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Long sides of the paintings with their pixel counts, ascending."""
        return sorted({(entry.job.size, entry.pixels) for entry in self.of("painting")})

    def of(self, subject: Subject, method: MethodName | None = None, quality: Quality | None = None) -> list[Entry]:
        """Return the matching entries, by size."""
        found = (
            entry
            for entry in self.record.entries
            if entry.job.subject == subject
            and method in (None, entry.job.method)
            and quality in (None, entry.job.quality)
        )
        return sorted(found, key=lambda entry: entry.job.size)

    def looked_at(self) -> dict[str, list[Entry]]:
        """Return the entries with distances at 512 pixels: the photo first, then the methods; one entry per style."""
        groups: dict[str, list[Entry]] = {name: [] for name in NO_PAINTINGS.values()}
        groups |= {f"`{method}`": [] for method in STROKE_METHODS}
        for entry in self.record.entries:
            if entry.measured.distances and entry.job.size == 512:
                groups[NO_PAINTINGS.get(entry.job.subject, f"`{entry.job.method}`")].append(entry)
        return {name: entries for name, entries in groups.items() if entries}

    def textbook(self, method: MethodName) -> list[Entry]:
        """Return the measurements of a method's baseline by size; empty for a method without one."""
        return self.of(TEXTBOOK[method], method) if method in TEXTBOOK else []

    def beside(self, method: MethodName) -> list[Beside]:
        """Compare a method with its baseline by size; the baseline is extrapolated by the power law."""
        textbook = {entry.job.size: entry for entry in self.textbook(method)}
        laws = []
        if len(textbook) > 1:
            values = [(entry.pixels, entry.measured) for entry in textbook.values()]
            laws = [fit([(x, one.seconds) for x, one in values]), fit([(x, one.mebibytes) for x, one in values])]
        rows = []
        for entry in self.of("search" if method == "texture" else "painting", method, "standard"):
            own = entry.measured
            # Johnson's network is timed up to the JPEG, whose encoding is a good part of so fast a method's time.
            ours = own.seconds + (own.encoding if method == "feedforward" else 0), own.mebibytes
            if found := textbook.get(entry.job.size):
                rows.append(Beside(entry.job.size, ours, (found.measured.seconds, found.measured.mebibytes), False))
            elif laws:
                reckoned = laws[0].at(entry.pixels), laws[1].at(entry.pixels)
                rows.append(Beside(entry.job.size, ours, reckoned, True))
        return rows


def number(value: float) -> str:
    """Format with two significant digits below 1, three from there on, and all digits of the integer part."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def prose(text: str, indent: str = "") -> str:
    """Wrap a paragraph at 120 columns, ignoring its line breaks; lines after the first start with `indent`."""
    # Code spans stay on one line: a line that began with "* s" would be parsed as a list item.
    unbroken = re.sub("`[^`]*`", lambda code: code[0].replace(" ", "\0"), " ".join(text.split()))
    lines = textwrap.fill(unbroken, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; headings that end in ":" mark text columns, the others are numeric."""
    marks = ("---" if head.endswith(":") else "--:" for head in heads)
    lines = ["| " + " | ".join(head.rstrip(":") for head in heads) + " |", "|" + "|".join(marks) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
