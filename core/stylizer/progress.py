"""How a painting tells how far it is. The library knows no screen: the caller gives a callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Pillow takes long to import
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Progress:
    """One report from a running painting.

    Attributes:
        step: Units of work done so far, 0 <= step <= total. Units take about the same time each.
        total: Units of work in all, at least 1.
        preview: Makes a picture of the present state. Costs nothing unless called; call it inside the callback.
    """

    step: int
    total: int
    preview: Callable[[], Image.Image]

    @property
    def fraction(self) -> float:
        """How much is done, 0-1."""
        return self.step / self.total


OnProgress = Callable[[Progress], None]
"""Called after every unit of work, in the painting's own thread. Raise from it (`Canceled` is made for this) to
stop: the exception leaves `stylize()` as it is and nothing is kept."""
