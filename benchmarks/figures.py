"""What a record says, by what it is asked for; and how figures are written."""

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
from stylizer.options import METHOD_NAMES, MethodName, Quality

TEXTBOOK: Mapping[MethodName, Subject] = {
    "feedforward": "textbook-johnson",
    "optimization": "textbook-gatys",
    "texture": "textbook-search",
}
"""The yardstick of each method that has one."""
TEXTBOOK_NAMES: Mapping[MethodName, str] = {
    "feedforward": "Johnson's network",
    "optimization": "Gatys's loop",
    "texture": "plain patch search",
}

NO_PAINTINGS: Mapping[Subject, str] = {"photo": "the photo", "recolored": "the photo in the style's colors"}
"""What distances are measured of besides paintings."""


class Beside(NamedTuple):
    """A method and its textbook at one size: seconds and MiB of both; whether the textbook's were reckoned."""

    size: int
    ours: tuple[float, float]
    textbook: tuple[float, float]
    reckoned: bool


@dataclass(frozen=True)
class Figures:
    """One record."""

    record: Record

    @cached_property
    def style(self) -> str:
        """Of the paintings that were timed."""
        return next(entry.job.style for entry in self.record.entries if entry.job.subject == "painting")

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Long sides of paintings, and their pixels, in order."""
        return sorted({(entry.job.size, entry.pixels) for entry in self.of("painting")})

    def of(self, subject: Subject, method: MethodName | None = None, quality: Quality | None = None) -> list[Entry]:
        """Those entries, by size."""
        found = (
            entry
            for entry in self.record.entries
            if entry.job.subject == subject
            and method in (None, entry.job.method)
            and quality in (None, entry.job.quality)
        )
        return sorted(found, key=lambda entry: entry.job.size)

    def looked_at(self) -> dict[str, list[Entry]]:
        """What there are distances of at 512 pixels: the photo first, then the methods; an entry a style."""
        groups: dict[str, list[Entry]] = {name: [] for name in NO_PAINTINGS.values()}
        groups |= {f"`{method}`": [] for method in METHOD_NAMES}
        for entry in self.record.entries:
            if entry.measured.distances and entry.job.size == 512:
                groups[NO_PAINTINGS.get(entry.job.subject, f"`{entry.job.method}`")].append(entry)
        return {name: entries for name, entries in groups.items() if entries}

    def textbook(self, method: MethodName) -> list[Entry]:
        """Measurements of a method's yardstick, by size; empty for a method without one."""
        return self.of(TEXTBOOK[method], method) if method in TEXTBOOK else []

    def beside(self, method: MethodName) -> list[Beside]:
        """A method and its textbook, size by size; beyond what was measured, the textbook by the power law."""
        textbook = {entry.job.size: entry for entry in self.textbook(method)}
        laws = []
        if len(textbook) > 1:
            values = [(entry.pixels, entry.measured) for entry in textbook.values()]
            laws = [fit([(x, one.seconds) for x, one in values]), fit([(x, one.mebibytes) for x, one in values])]
        rows = []
        for entry in self.of("search" if method == "texture" else "painting", method, "standard"):
            own = entry.measured
            # Johnson's network is measured to the JPEG, which is a good part of what so fast a method takes.
            ours = own.seconds + (own.encoding if method == "feedforward" else 0), own.mebibytes
            if found := textbook.get(entry.job.size):
                rows.append(Beside(entry.job.size, ours, (found.measured.seconds, found.measured.mebibytes), False))
            elif laws:
                reckoned = laws[0].at(entry.pixels), laws[1].at(entry.pixels)
                rows.append(Beside(entry.job.size, ours, reckoned, True))
        return rows


def number(value: float) -> str:
    """Two digits that count below 1, three from there on, and all before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def prose(text: str, indent: str = "") -> str:
    """A paragraph in lines of at most 120, however it was broken into lines; after the first line with an `indent`."""
    # What is between backticks stays on one line: a line that began with "* s" would be an item of a list.
    unbroken = re.sub("`[^`]*`", lambda code: code[0].replace(" ", "\0"), " ".join(text.split()))
    lines = textwrap.fill(unbroken, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; heads that end in ":" are of columns of words, and the others of figures."""
    marks = ("---" if head.endswith(":") else "--:" for head in heads)
    lines = ["| " + " | ".join(head.rstrip(":") for head in heads) + " |", "|" + "|".join(marks) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
