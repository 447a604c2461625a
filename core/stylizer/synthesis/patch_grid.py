"""Regular grid of overlapping square patches: extraction and overlap-add."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """Grid of patches of `patch` x `patch` pixels, `gap` apart, on an image of `height` x `width`.

    The grid covers every pixel: the image is padded as far as the outermost patches reach. `top` and `left`
    (0 <= top, left < gap) shift the grid up and left, so that different grids have their seams at different positions.
    """

    height: int
    width: int
    patch: int
    gap: int
    top: int = 0
    left: int = 0

    @property
    def rows(self) -> int:
        """Number of rows of patches."""
        return 1 + max(0, math.ceil((self.height + self.top - self.patch) / self.gap))

    @property
    def columns(self) -> int:
        """Number of columns of patches."""
        return 1 + max(0, math.ceil((self.width + self.left - self.patch) / self.gap))

    @property
    def padded_size(self) -> tuple[int, int]:
        """Height and width of the padded image, which the patches cover exactly."""
        return (self.rows - 1) * self.gap + self.patch, (self.columns - 1) * self.gap + self.patch

    def pad(self, image: Tensor) -> Tensor:
        """Pad `image` (C, height, width) by replication to `padded_size`."""
        height, width = self.padded_size
        bottom, right = height - self.height - self.top, width - self.width - self.left
        return functional.pad(image[None], (self.left, right, self.top, bottom), mode="replicate")[0]

    def crop(self, padded: Tensor) -> Tensor:
        """Crop the padding off, the inverse of `pad`."""
        return padded[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def extract(self, padded: Tensor) -> Tensor:
        """View `padded` (C, *padded_size) as patches (C, rows, columns, patch, patch), without a copy."""
        return padded.unfold(1, self.patch, self.gap).unfold(2, self.patch, self.gap)

    def centers(self, values: Tensor) -> Tensor:
        """Return the value of `values` (height, width) at the center of each patch, (rows, columns)."""
        down, across = (
            (torch.arange(count, device="cpu") * self.gap - shift + self.patch // 2)
            .clamp(0, side - 1)
            .to(values.device)
            for count, shift, side in (
                (self.rows, self.top, self.height),
                (self.columns, self.left, self.width),
            )
        )
        return values[down][:, across]

    def overlap_add(self, patches: Tensor) -> Tensor:
        """Sum patches (C, rows, columns, patch, patch) at their positions into (C, *padded_size).

        Patches `phase` apart do not overlap, so each of the phase x phase subsets is added through a strided view in
        one vectorized, deterministic operation.
        """
        channels, rows, columns, patch, _ = patches.shape
        height, width = self.padded_size
        total = patches.new_zeros(channels, height, width)
        phase = math.ceil(patch / self.gap)
        for i in range(min(phase, rows)):
            for j in range(min(phase, columns)):
                part = patches[:, i::phase, j::phase]
                view = total.as_strided(
                    part.shape,
                    (height * width, phase * self.gap * width, phase * self.gap, width, 1),
                    (i * width + j) * self.gap,
                )
                view += part
        return total


def random_origin(gap: int, generator: torch.Generator) -> tuple[int, int]:
    """Draw a random shift (top, left) of a grid with this gap."""
    top, left = torch.randint(0, gap, (2,), generator=generator).tolist()
    return int(top), int(left)
