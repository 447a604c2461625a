"""Progress reports of a painting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Pillow takes long to import
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress report of a running painting.

    Attributes:
        step: Finished units of work, 0 <= step <= total. Units take about the same time each.
        total: Total units of work, at least 1.
        preview: Render the current state. Costs nothing unless called; valid only inside the callback.
    """

    step: int
    total: int
    preview: Callable[[], Image.Image]

    @property
    def fraction(self) -> float:
        """Finished fraction of the work, 0-1."""
        return self.step / self.total


OnProgress = Callable[[Progress], None]
"""Progress callback, called after every unit of work in the painting's thread. To cancel, raise an exception from it
(`Canceled` exists for this): it propagates from `stylize()`."""
