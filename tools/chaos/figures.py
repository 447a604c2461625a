"""Report of a chaos run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Figures:
    """Figures of one run.

    Attributes:
        title: Table title.
        rows: Rows in display order.
        broken: Descriptions of violated invariants; empty if there are none.
    """

    title: str
    rows: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def add(self, name: str, value: object) -> None:
        """Add a figure."""
        self.rows[name] = f"{value:.1f}" if isinstance(value, float) else str(value)

    def promise(self, name: str, found: Sequence[str]) -> None:
        """Add the number of violations of an invariant, which must be zero."""
        self.add(name, len(found))
        self.broken += [f"{name}: {one}" for one in found]

    def text(self) -> str:
        """Return the table."""
        width = max(map(len, self.rows))
        lines = [self.title, *(f"  {name:<{width}}  {value}" for name, value in self.rows.items())]
        return "\n".join([*lines, *(f"  BROKEN  {one}" for one in self.broken[:20])])


def counted(counter: Counter[str]) -> str:
    """Format counts on one line, most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"
