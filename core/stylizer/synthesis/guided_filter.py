"""Guided filter with a color guide: an edge-preserving, locally affine approximation of one picture by another.

He, Sun & Tang, "Guided Image Filtering", TPAMI 2013 (section 3.5, color guides), evaluated at a reduced size and
applied at the full one as in He & Sun, "Fast Guided Filter", 2015 (arXiv 1505.00996).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.tiles import Tile


@dataclass(frozen=True, slots=True, eq=False)
class LocalColorMap:
    """An affine map of colors that varies smoothly over a picture.

    Attributes:
        matrix: Linear part, (1, 9, h, w): output channel by input channel, row-major.
        offset: Constant part, (1, 3, h, w).
    """

    matrix: Tensor
    offset: Tensor

    @classmethod
    def fit(cls, guide: Tensor, target: Tensor, *, radius: int, epsilon: float) -> LocalColorMap:
        """Fit the map that takes `guide` to `target`, both (1, 3, h, w), by ridge regression in square windows.

        Args:
            guide: Input colors.
            target: Output colors.
            radius: Windows have 2 `radius` + 1 pixels a side.
            epsilon: Regularization; variations of the guide far below its square root are treated as noise.
        """
        mean, target_mean = _box_mean(guide, radius), _box_mean(target, radius)
        covariance = _products(guide, guide, radius) - mean[:, :, None] * mean[:, None]
        crossed = _products(target, guide, radius) - target_mean[:, :, None] * mean[:, None]
        covariance += epsilon * torch.eye(3, dtype=guide.dtype, device=guide.device)[None, :, :, None, None]
        inverse = _inverse(covariance)  # symmetric
        matrix = torch.cat([_dot(crossed[:, row], inverse[:, column]) for row in range(3) for column in range(3)], 1)
        offset = torch.cat(
            [target_mean[:, row, None] - _dot(matrix[:, 3 * row : 3 * row + 3], mean) for row in range(3)], 1
        )
        return cls(_box_mean(matrix, radius), _box_mean(offset, radius))

    def __call__(self, guide: Tensor) -> Tensor:
        """Map the colors of `guide`, (1, 3, h, w), of the size that the map was fitted at."""
        return _apply(self.matrix, self.offset, guide)

    def map_tile(self, picture: Tensor, tile: Tile) -> Tensor:
        """Map the colors of `tile` and its context in `picture`, (1, 3, H, W), of any size: (1, 3, h, w)."""
        size = picture.shape[2], picture.shape[3]
        return _apply(tile.resample(self.matrix, size), tile.resample(self.offset, size), tile.extract(picture))


def _apply(matrix: Tensor, offset: Tensor, colors: Tensor) -> Tensor:
    mapped = offset.clone()
    for row in range(3):
        for column in range(3):
            mapped[:, row].addcmul_(matrix[:, 3 * row + column], colors[:, column])
    return mapped


def _box_mean(image: Tensor, radius: int) -> Tensor:
    """Return the mean of each window, with replication at the border, in a time that does not depend on `radius`."""
    for dim in (2, 3):
        padding = (0, 0, radius, radius) if dim == 2 else (radius, radius, 0, 0)
        sums = functional.pad(image, padding, mode="replicate").cumsum(dim, dtype=torch.float64)
        sums = torch.cat((torch.zeros_like(sums.narrow(dim, 0, 1)), sums), dim)
        side, length = 2 * radius + 1, image.shape[dim]
        image = ((sums.narrow(dim, side, length) - sums.narrow(dim, 0, length)) / side).to(image.dtype)
    return image


def _dot(left: Tensor, right: Tensor) -> Tensor:
    """Return the sum of the products of channels, (1, 1, h, w)."""
    return (left * right).sum(1, keepdim=True)


def _products(left: Tensor, right: Tensor, radius: int) -> Tensor:
    """Return the windows' means of all products of channels, (1, 3, 3, h, w)."""
    return torch.unflatten(_box_mean((left[:, :, None] * right[:, None]).flatten(1, 2), radius), 1, (3, 3))


def _inverse(matrix: Tensor) -> Tensor:
    """Invert symmetric positive definite matrices (1, 3, 3, h, w) by cofactors, much faster than LAPACK's loop."""
    a, b, c = matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 0, 2]
    d, e, f = matrix[:, 1, 1], matrix[:, 1, 2], matrix[:, 2, 2]
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    determinant = a * first + b * second + c * third
    rows = (first, second, third, second, a * f - c * c, b * c - a * e, third, b * c - a * e, a * d - b * b)
    return torch.unflatten(torch.stack(rows, 1), 1, (3, 3)) / determinant[:, None, None]
