"""Cost against pixels as an SVG of a few kilobytes, legible in light and dark color schemes.

Written by hand rather than with a plotting library: two panels of a dozen points each take a page of code, and the
output is readable, diffs well, and follows the reader's color scheme, which a library's output does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean

WIDTH, HEIGHT = 900, 500
TOP, BOTTOM = 74, 440
PANEL = 268  # width of one, without its axis and the labels on its right
LEFTS = (58, 508)
LINE = 14  # minimum distance between labels


@dataclass(frozen=True)
class Series:
    """One line: label, color index, dashed or not, and its points (pixels, value) in ascending order."""

    name: str
    color: int
    dashed: bool
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: Heading.
        unit: Unit of its values.
        series: Its lines.
    """

    title: str
    unit: str
    series: Sequence[Series]


STYLE = """
text{font:12px system-ui,sans-serif;fill:#57606a}.b{font-weight:600}.h{font-size:15px;font-weight:600;fill:#1f2328}
.bg{fill:#fff}.g{stroke:#d8dee4;fill:none}.l{fill:none;stroke-width:2.2;stroke-linejoin:round}
.d{stroke-dasharray:5 4}.k{stroke-width:.8;opacity:.5}
.s0{stroke:#0969da}.f0{fill:#0969da}.s1{stroke:#bc4c00}.f1{fill:#bc4c00}.s2{stroke:#1a7f37}.f2{fill:#1a7f37}
.s3{stroke:#8250df}.f3{fill:#8250df}
@media(prefers-color-scheme:dark){text{fill:#9198a1}.h{fill:#f0f6fc}.bg{fill:#0d1117}.g{stroke:#30363d}
.s0{stroke:#58a6ff}.f0{fill:#58a6ff}.s1{stroke:#f0883e}.f1{fill:#f0883e}.s2{stroke:#3fb950}.f2{fill:#3fb950}
.s3{stroke:#bc8cff}.f3{fill:#bc8cff}}
""".strip()


def draw(title: str, sizes: Sequence[tuple[int, int]], panels: Sequence[Panel]) -> str:
    """Return the plot.

    Args:
        title: Alternative text.
        sizes: Ticks of the x axis: long side and pixels.
        panels: Two, side by side, with the same x axis.
    """
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f"<style>{STYLE}</style>",
        f'<rect class="bg" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
    ]
    for left, panel in zip(LEFTS, panels, strict=True):
        parts += _panel(left, panel, sizes)
    return "\n".join([*parts, "</svg>\n"])


def _panel(left: float, panel: Panel, sizes: Sequence[tuple[int, int]]) -> Iterator[str]:
    values = [value for series in panel.series for _, value in series.points]
    low = math.floor(math.log10(min(values)))
    high = max(low + 1, math.ceil(math.log10(max(values))))
    first, last = (math.log10(pixels) for _, pixels in (sizes[0], sizes[-1]))

    def x(pixels: float) -> float:
        return left + 12 + (math.log10(pixels) - first) / (last - first or 1) * (PANEL - 24)

    def y(value: float) -> float:
        return BOTTOM - (math.log10(value) - low) / (high - low) * (BOTTOM - TOP)

    yield f'<text class="h" x="{left}" y="32">{escape(panel.title)}</text>'
    yield f'<text x="{left}" y="52">{escape(panel.unit)}</text>'
    for power in range(low, high + 1):
        at = y(10**power)
        yield f'<path class="g" d="M{left} {at:.1f}h{PANEL}"/>'
        yield f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power:,g}</text>'
    for side, pixels in sizes:
        yield f'<path class="g" d="M{x(pixels):.1f} {TOP}V{BOTTOM}"/>'
        yield f'<text x="{x(pixels):.1f}" y="{BOTTOM + 20}" text-anchor="middle">{side}</text>'
        yield f'<text x="{x(pixels):.1f}" y="{BOTTOM + 36}" text-anchor="middle">{pixels / 1e6:.2g} MP</text>'
    names = _spread([y(series.points[-1][1]) for series in panel.series])
    for series, name_y in zip(panel.series, names, strict=True):
        places = [(x(pixels), y(value)) for pixels, value in series.points]
        path = "L".join(f"{px:.1f} {py:.1f}" for px, py in places)
        yield f'<path class="l s{series.color}{" d" if series.dashed else ""}" d="M{path}"/>'
        px, py = places[-1]
        yield f'<path class="k s{series.color}" d="M{px:.1f} {py:.1f}L{left + PANEL + 4} {name_y:.1f}"/>'
        for px, py in places:
            yield f'<circle class="f{series.color}" cx="{px:.1f}" cy="{py:.1f}" r="3.5"/>'
        weight = "" if series.dashed else " b"
        place = f'x="{left + PANEL + 8}" y="{name_y + 4:.1f}"'
        yield f'<text class="f{series.color}{weight}" {place}>{escape(series.name)}</text>'


def _spread(heights: Sequence[float]) -> list[float]:
    """Return the closest heights (least squares) in the same order that are at least one line apart."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    # Subtracting a line for each label above leaves only the order to enforce, by pool-adjacent-violators.
    pools: list[list[float]] = []
    for place, index in enumerate(order):
        pools.append([heights[index] - place * LINE])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    placed = [fmean(pool) for pool in pools for _ in pool]
    return [placed[place] + place * LINE for place in map(order.index, range(len(heights)))]
