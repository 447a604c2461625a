"""Division of large pictures into horizontal strips, which bounds memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

STRIP_PIXELS = 1_250_000  # of a strip without its context; 1024 x 1024 with its margin is one strip


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of a picture, and the larger range needed as input to compute their features.

    Attributes:
        begin: First row.
        end: Row after the last.
        context_begin: First row of the input.
        context_end: Row after the last of the input.
    """

    begin: int
    end: int
    context_begin: int
    context_end: int

    def extract(self, image: Tensor) -> Tensor:
        """Return a view of the strip with its context in `image` (1, C, H, W)."""
        return image[:, :, self.context_begin : self.context_end]

    def crop(self, features: Tensor, stride: int) -> Tensor:
        """Crop features (1, C, h, w) over the context to the strip."""
        top, rows = (self.begin - self.context_begin) // stride, (self.end - self.begin) // stride
        # With autograd a slice is not free, even if it covers everything.
        return features if features.shape[2] == rows else features[:, :, top : top + rows]

    def view(self, image: Tensor) -> Tensor:
        """Return a view of the strip in `image` (1, C, H, W)."""
        return image[:, :, self.begin : self.end]


def strips(height: int, width: int, *, reach: int) -> list[Strip]:
    """Divide a picture into strips of about equal height.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        reach: Receptive-field radius in pixels, a multiple of every stride. Strips begin at multiples of it, so that
            features are aligned as in the whole picture.
    """
    count = -(-height * width // STRIP_PIXELS)
    step = -(-height // (count * reach)) * reach
    begins = list(range(0, height, step))
    if len(begins) > 1 and height - begins[-1] < reach:
        begins.pop()  # the remainder is too low for a feature
    return [
        Strip(begin, end, max(0, begin - reach), min(height, end + reach))
        for begin, end in zip(begins, [*begins[1:], height], strict=True)
    ]
