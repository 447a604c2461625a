"""The photo as the search and the fusion see it: in the style's palette, with its contrasts kept where they matter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import Palette, PaletteTransfer, from_oklab, to_oklab
from stylizer.synthesis.pyramid import size_within
from stylizer.tensors import as_floats
from stylizer.tiles import Tile

CONTRAST = 0.8  # how much of the local contrast that the style's palette takes away is given back
CONTRAST_CELLS = 24  # the neighborhood is about one of so many cells along the long side
MASK_GAIN = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class PhotoGuide:
    """A photo recolored to a palette, at any size and tile by tile.

    A palette of few tones (ink on paper, a pale sky) would make what differs in the photo alike, and a mountain before
    a sky disappear. So where the content mask is high, differences of lightness to the neighborhood stay as large as in
    the photo.

    Attributes:
        mask: Where content has to stay recognizable, (1, 1, h, w) in [0, 1].
        transfer: From the photo's colors to the palette.
        correction: What is added to the lightness of the recolored photo (Oklab), (1, 1, h, w).
    """

    mask: Tensor
    transfer: PaletteTransfer
    correction: Tensor

    @classmethod
    def of(cls, photo: Tensor, mask: Tensor, palette: Palette, amount: float) -> PhotoGuide:
        """Make the guide from `photo` (1, 3, h, w), at the size up to which it is to be exact.

        Args:
            photo: Small enough to be worked on as a whole.
            mask: (1, 1, h, w).
            palette: Of the style.
            amount: 0-1, how far the colors go toward the palette.
        """
        transfer = PaletteTransfer.estimate(photo[0], palette, amount)
        before, after = (_local_contrast(to_oklab(picture)) for picture in (photo[0], transfer(photo[0])))
        lost = torch.where(before.abs() > after.abs(), before - after, 0.0)
        return cls(mask, transfer, CONTRAST * amount * lost[None] * (MASK_GAIN * mask).clamp(max=1))

    def cut(self, photo: Tensor, tile: Tile) -> Tensor:
        """The recolored photo of all that `tile` has to see, (1, 3, h, w)."""
        recolored = to_oklab(self.transfer(as_floats(tile.cut(photo))[0]))
        recolored[:1] += tile.resample(self.correction, (photo.shape[2], photo.shape[3]))[0]
        return from_oklab(recolored)[None]


def _local_contrast(lab: Tensor) -> Tensor:
    """Difference of lightness to the neighborhood, (1, h, w), of a picture (3, h, w) in Oklab."""
    height, width = lab.shape[1:]
    mean = functional.adaptive_avg_pool2d(lab[None, :1], size_within(height, width, CONTRAST_CELLS))
    return lab[:1] - functional.interpolate(mean, (height, width), mode="bilinear", align_corners=False)[0]
