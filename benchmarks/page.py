"""Write docs/benchmarks.md and its plot from the record: `python -m benchmarks.page [build/bench.json]`.

Nothing is measured here. The text below the mark `KEPT` in the page is written by hand, and preserved.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.figures import TEXTBOOK_NAMES, Figures
from benchmarks.growth_sections import growth, thousand
from benchmarks.measured_sections import api, busy, clips, machine, paintings, quality, textbooks
from benchmarks.plot import Panel, Series, draw
from benchmarks.record import Record
from stylizer.capabilities import STROKE_METHODS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "pictures" / "benchmarks.svg"
KEPT = "<!-- Above: written by `make bench`. Below: by people, and kept. -->\n"


def main() -> None:
    """Write the page and the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=(__doc__ or "").split(":")[0])
    parser.add_argument("record", type=Path, nargs="?", default=ROOT / "build" / "bench.json")
    figures = Figures(Record.load(parser.parse_args().record))
    PLOT.write_text(plot(figures))
    PAGE.write_text(page(figures, PAGE.read_text() if PAGE.exists() else ""))


def page(figures: Figures, before: str = "") -> str:
    """Return the page in Markdown: all measured and derived figures, then the handwritten text of `before`."""
    sections: Sequence[Callable[[Figures], Iterator[str]]] = (
        *(machine, paintings, textbooks, quality, busy, clips, api),
        *(growth, thousand),
    )
    blocks = [block for section in sections for block in section(figures)]
    return "\n\n".join([*blocks, KEPT]) + before.partition(KEPT)[2]


def plot(figures: Figures) -> str:
    """Plot time and memory against pixels: the methods, and in the same color, dashed, their textbook baselines."""
    panels = []
    for title, unit, value in (
        ("Time", "seconds a painting, standard, warm; dashed: baselines", "seconds"),
        ("Memory", "MiB at the peak, by long side in pixels", "mebibytes"),
    ):
        lines = []
        for color, method in enumerate(STROKE_METHODS):
            ours = figures.of("painting", method, "standard"), method, False
            textbook = figures.textbook(method), TEXTBOOK_NAMES.get(method, ""), True
            for entries, name, dashed in (ours, textbook):
                points = [(entry.pixels, getattr(entry.measured, value)) for entry in entries]
                if points:
                    lines.append(Series(name, color, dashed, points))
        panels.append(Panel(title, unit, lines))
    return draw("Seconds and memory of a painting against its pixels", figures.sizes, panels)


if __name__ == "__main__":
    main()
