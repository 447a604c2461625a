"""What a run found, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Figures:
    """The figures of one run.

    Attributes:
        title: Of the table.
        rows: What is shown, in this order.
        broken: The promises that were broken, in words; empty if all is well.
    """

    title: str
    rows: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def add(self, name: str, value: object) -> None:
        """Show a figure."""
        self.rows[name] = f"{value:.1f}" if isinstance(value, float) else str(value)

    def promise(self, name: str, found: Sequence[str]) -> None:
        """Show how often a promise was broken, which is to be never."""
        self.add(name, len(found))
        self.broken += [f"{name}: {one}" for one in found]

    def text(self) -> str:
        """The table."""
        width = max(map(len, self.rows))
        lines = [self.title, *(f"  {name:<{width}}  {value}" for name, value in self.rows.items())]
        return "\n".join([*lines, *(f"  BROKEN  {one}" for one in self.broken[:20])])


def counted(counter: Counter[str]) -> str:
    """Counts in one line, the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"
