"""Guide image of the search and the fusion: the photo in the style's palette, with local contrast preserved.

Where the content mask is low, a coarse painting can take the photo's place, with forms larger than a patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import Palette, PaletteTransfer, from_oklab, to_oklab
from stylizer.regions import Regions, mix
from stylizer.synthesis.pyramid import resize, size_within
from stylizer.tensors import as_floats, linear_ramp
from stylizer.tiles import Tile

CONTRAST = 0.8  # share of the local contrast lost to the palette that is restored
CONTRAST_CELLS = 24  # pooling cells along the long side: the size of a neighborhood
MASK_GAIN = 1.3  # of the content mask, before it is clamped to 1
DETAIL_GAIN = 1.5  # of the content mask, for the share of the photo's detail that is added to a coarse painting


@dataclass(frozen=True, slots=True, eq=False)
class PhotoGuide:
    """A photo recolored to a palette, evaluated tile by tile at any size.

    A palette of few tones (ink on paper, a pale sky) can map different colors of the photo to the same one, and a
    mountain before a sky disappears. So where the content mask is high, the local contrast of the photo is preserved.

    Attributes:
        mask: Where content has to stay recognizable, (1, 1, h, w) in [0, 1].
        transfers: Transfer of the photo's colors to the palette, of each region.
        correction: Added to the Oklab lightness of the recolored photo, (1, 1, h, w).
        regions: Where which transfer applies; None if there is only one.
        coarse: Coarse painting and the recolored photo at the same resolution, (2, 3, h, w) in [0, 1].
        detail_suppression: How much of the photo's detail the coarse painting loses where the content mask is 0, 0-1.
        photo_range: Content mask up to which the coarse painting is the guide, and from which on the photo.
    """

    mask: Tensor
    transfers: tuple[PaletteTransfer, ...]
    correction: Tensor
    regions: Regions | None = None
    coarse: Tensor | None = None
    detail_suppression: float = 1.0
    photo_range: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def estimate(
        cls, photo: Tensor, mask: Tensor, palettes: Sequence[Palette], amount: float, regions: Regions | None = None
    ) -> PhotoGuide:
        """Estimate the guide from a reduced `photo` (1, 3, h, w).

        Args:
            photo: sRGB in [0, 1], small enough to be processed as a whole.
            mask: Content mask, (1, 1, h, w).
            palettes: Palette of each region's styles; of all styles if there are no regions.
            amount: Amount of the palette transfer, 0-1.
            regions: Where which palette applies.
        """
        transfers = estimate_transfers(photo[0], palettes, amount, regions)
        recolored = transfers[0](photo[0]) if regions is None else regions.mix(photo[0], transfers)
        before, after = (_local_contrast(to_oklab(picture)) for picture in (photo[0], recolored))
        lost = torch.where(before.abs() > after.abs(), before - after, 0.0)
        correction = CONTRAST * amount * lost[None] * (MASK_GAIN * mask).clamp(max=1)
        return cls(mask, transfers, correction, regions)

    def recolor_tile(self, photo: Tensor, tile: Tile) -> Tensor:
        """Return the recolored photo over the context of `tile`, (1, 3, h, w)."""
        pixels, size = as_floats(tile.extract(photo))[0], (photo.shape[2], photo.shape[3])
        if self.regions is None:
            recolored = to_oklab(self.transfers[0](pixels))
        else:
            recolored = to_oklab(mix(pixels, self.transfers, self.regions.over(tile, size)))
        recolored[:1] += tile.resample(self.correction, size)[0]
        guide = from_oklab(recolored)[None]
        return guide if self.coarse is None else self._with_coarse(self.coarse, guide, tile, size)

    def with_coarse(
        self, painting: Tensor, photo: Tensor, *, detail_suppression: float, photo_range: tuple[float, float]
    ) -> PhotoGuide:
        """Return this guide with a coarse painting.

        Args:
            painting: (1, 3, h, w) in [0, 1].
            photo: The recolored photo at the same size.
            detail_suppression: As the attribute.
            photo_range: As the attribute.
        """
        size = (self.mask.shape[2], self.mask.shape[3])
        coarse = torch.stack([resize(picture[0], size) for picture in (painting, photo)])
        return replace(self, coarse=coarse, detail_suppression=detail_suppression, photo_range=photo_range)

    def _with_coarse(self, coarse: Tensor, guide: Tensor, tile: Tile, size: tuple[int, int]) -> Tensor:
        painting, coarse_photo, mask = (tile.resample(x, size).float() for x in (coarse[:1], coarse[1:], self.mask))
        guide = guide.float()  # the finisher runs in half precision
        detail = 1 - self.detail_suppression * (1 - (DETAIL_GAIN * mask).clamp(max=1))
        photo_share = linear_ramp(mask, *self.photo_range)
        return torch.lerp(painting + detail * (guide - coarse_photo), guide, photo_share).clamp_(0, 1)


def estimate_transfers(
    picture: Tensor, palettes: Sequence[Palette], amount: float, regions: Regions | None
) -> tuple[PaletteTransfer, ...]:
    """Estimate the transfer of each region's pixels in `picture` (3, h, w) to its palette; `amount` 0-1."""
    return tuple(
        PaletteTransfer.estimate(picture if regions is None else regions.pixels_of(region, picture), palette, amount)
        for region, palette in enumerate(palettes)
    )


def _local_contrast(lab: Tensor) -> Tensor:
    """Return the difference of lightness from the neighborhood's mean, (1, h, w), of an Oklab picture (3, h, w)."""
    height, width = lab.shape[1:]
    mean = functional.adaptive_avg_pool2d(lab[None, :1], size_within((height, width), CONTRAST_CELLS))
    return lab[:1] - functional.interpolate(mean, (height, width), mode="bilinear", align_corners=False)[0]
