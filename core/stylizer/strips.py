"""Looking at a large picture strip by strip, so that memory does not grow with it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

STRIP_PIXELS = 1_250_000  # in one strip, without what is seen beyond it; 1024 x 1024 with its margin is one


@dataclass(frozen=True, slots=True)
class Strip:
    """Some rows of a picture, with the rows around them that a network has to see to know what is in them.

    Attributes:
        begin: First row.
        end: Row after the last.
        first: First row that has to be seen.
        last: Row after the last that has to be seen.
    """

    begin: int
    end: int
    first: int
    last: int

    def seen(self, image: Tensor) -> Tensor:
        """The rows of `image` (1, C, H, W) that have to be seen."""
        return image[:, :, self.first : self.last]

    def own(self, features: Tensor, stride: int) -> Tensor:
        """The rows of features (1, C, h, w) of what was seen that belong to the strip itself."""
        top, rows = (self.begin - self.first) // stride, (self.end - self.begin) // stride
        # Cutting nothing off is not free where gradients are recorded.
        return features if features.shape[2] == rows else features[:, :, top : top + rows]

    def of(self, image: Tensor) -> Tensor:
        """The rows of `image` (1, C, H, W) that belong to the strip itself."""
        return image[:, :, self.begin : self.end]


def strips(height: int, width: int, *, reach: int) -> list[Strip]:
    """Cut a picture into strips of about equal height.

    Args:
        height: Of the picture, rows.
        width: Of the picture, columns.
        reach: How far beyond its own place a feature looks, in pixels; a multiple of every stride. Strips begin at
            multiples of it, so that features lie in them as they lie in the whole.
    """
    count = -(-height * width // STRIP_PIXELS)
    step = -(-height // (count * reach)) * reach
    begins = list(range(0, height, step))
    if len(begins) > 1 and height - begins[-1] < reach:
        begins.pop()  # what is left is too low to hold a feature
    return [
        Strip(begin, end, max(0, begin - reach), min(height, end + reach))
        for begin, end in zip(begins, [*begins[1:], height], strict=True)
    ]
