"""One file a picture; this is the list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from swatches.sheet import SUPERSAMPLING, Array, Sheet, reduced
from swatches.works import (
    embroidery,
    impasto_swirls,
    mosaic,
    pen_hatching,
    pointillism,
    stained_glass,
    watercolor,
    woodcut,
)


@dataclass(frozen=True, slots=True)
class Work:
    """A picture that a program paints.

    Attributes:
        paint: Paints it on a sheet: (H, W, 3) in 0-1, sRGB.
        size: Width and height in pixels.
    """

    paint: Callable[[Sheet], Array]
    size: tuple[int, int]

    def render(self, scale: float = 1.0) -> npt.NDArray[np.uint8]:
        """The finished picture, (H, W, 3), at `scale` times its size. The same pixels every time."""
        width, height = self.size
        picture = reduced(self.paint(Sheet(width, height, SUPERSAMPLING * scale)))
        return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


_MODULES = (
    embroidery,
    impasto_swirls,
    mosaic,
    pen_hatching,
    pointillism,
    stained_glass,
    watercolor,
    woodcut,
)

WORKS: dict[str, Work] = {
    module.__name__.rpartition(".")[2].replace("_", "-"): Work(module.paint, module.SIZE) for module in _MODULES
}
"""Every work by the id of the style it is the picture of."""
