"""Color: a perceptual space, and moving the palette of one picture onto another.

Everything here works on float32 tensors (3, H, W) in sRGB, [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

PALETTE_PIXELS = 40_000  # pixels that stand for a picture's palette
QUANTILES = 256  # resolution of a distribution along an axis
SAME_COLOR = 1e-4  # distance in Oklab far below a step of 8 bits
TABLE_SIDE = 33  # colors along an axis of a lookup table; between them the transfer is interpolated
TABLE_PIXELS = 8192  # pixels from which the transfer of a lookup table is estimated
BAND_ROWS = 256  # of a picture that a transfer is applied to at once

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

# Everything below is numbers, not tensors: importing this module computes nothing, so it starts no threads (which a
# fork would lose) and does not depend on torch's default dtype and device. Inverses and rotations were computed once in
# float32 and are written with all their digits.

# Oklab (Ottosson 2020): distances and mixtures as the eye sees them, from two matrices and a cube root.
_LINEAR_TO_CONE: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_CONE_TO_LINEAR: Matrix = (
    (4.0767417, -3.307712, 0.23096992),
    (-1.2684381, 2.6097577, -0.34131938),
    (-0.004196004, -0.7034187, 1.7076145),
)
_CONE_TO_OKLAB: Matrix = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_OKLAB_TO_CONE: Matrix = (
    (0.99999994, 0.39633778, 0.21580377),
    (1.0, -0.10556134, -0.06385417),
    (1.0000001, -0.089484185, -1.2914855),
)
# Axes for the distribution transfer, one set a round: Oklab's own, then two random rotations.
_ROTATIONS: tuple[Matrix, ...] = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    (
        (-0.91113484, 0.07513042, -0.40520182),
        (-0.3360927, -0.70446324, 0.62511873),
        (-0.23848432, 0.7057529, 0.66711175),
    ),
    (
        (-0.42244005, 0.84418875, -0.32998452),
        (-0.8972343, -0.3378569, 0.2842944),
        (0.1285106, 0.41617078, 0.9001594),
    ),
)


def _on(image: Tensor, matrix: Matrix) -> Tensor:
    """`matrix` as a tensor of the dtype and on the device of `image`."""
    return torch.tensor(matrix, dtype=image.dtype, device="cpu").to(image.device)


def to_oklab(image: Tensor) -> Tensor:
    """Convert sRGB (3, ...) in [0, 1] to Oklab (3, ...): lightness 0-1, then green-red and blue-yellow."""
    linear = torch.where(image <= 0.04045, image / 12.92, ((image.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    cone = torch.tensordot(_on(linear, _LINEAR_TO_CONE), linear, 1)
    lab: Tensor = torch.tensordot(_on(cone, _CONE_TO_OKLAB), cone.clamp_(min=0).pow_(1 / 3), 1)
    return lab


def from_oklab(lab: Tensor) -> Tensor:
    """Convert Oklab (3, ...) to sRGB (3, ...), clamped to [0, 1]."""
    cone = torch.tensordot(_on(lab, _OKLAB_TO_CONE), lab, 1)
    linear = torch.tensordot(_on(cone, _CONE_TO_LINEAR), cone**3, 1).clamp_(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).clamp_(0, 1)


@dataclass(frozen=True, slots=True)
class Palette:
    """The distribution of a picture's colors, independent of where they are.

    Attributes:
        mean: Mean in Oklab, (3, 1).
        covariance: Covariance in Oklab, (3, 3).
        pixels: A sample of the colors in Oklab, (3, N).
    """

    mean: Tensor
    covariance: Tensor
    pixels: Tensor

    @classmethod
    def of(cls, image: Tensor) -> Palette:
        """The palette of one picture (3, H, W)."""
        return cls.mix([(image, 1.0)])

    @classmethod
    def mix(cls, images: Sequence[tuple[Tensor, float]]) -> Palette:
        """The palette of several pictures, each with its share of the whole; shares are relative."""
        total = sum(share for _, share in images)
        pixels = torch.cat(
            [to_oklab(_sample(image, round(PALETTE_PIXELS * share / total))) for image, share in images], 1
        )
        return cls(pixels.mean(1, keepdim=True), torch.cov(pixels), pixels)


def _sample(image: Tensor, count: int) -> Tensor:
    """About `count` pixels (3, n) evenly spread over `image` (3, H, W)."""
    flat = image.flatten(1)
    return flat[:, _spread(flat.shape[1], max(2, count), image.device)]


def match_moments(image: Tensor, palette: Palette, amount: float = 1.0) -> Tensor:
    """Give `image` (3, H, W) the mean and covariance of `palette`, by the linear map that moves colors least.

    The Monge-Kantorovich map of Pitié & Kokaram (2007), in Oklab. `amount` 0-1 goes part of the way.
    """
    return from_oklab(_match_moments(to_oklab(image), palette, amount))


def match_distribution(image: Tensor, palette: Palette, amount: float = 1.0) -> Tensor:
    """Give `image` (3, H, W) the whole color distribution of `palette`.

    First the linear map of `match_moments`, then per-axis histogram matching along turned axes (the iterative
    distribution transfer of Pitié, Kokaram & Dahyot 2005) for what a linear map cannot do. `amount` 0-1 goes part
    of the way.
    """
    lab = to_oklab(image)
    matched = _match_distribution(lab.flatten(1), palette, lab[0].numel()).view_as(lab)
    return from_oklab(lab + amount * (matched - lab))


@dataclass(frozen=True, slots=True)
class PaletteTransfer:
    """A transfer of `match_distribution` as a lookup table, estimated once and applied to any part of a picture.

    Each pixel is mapped by its color alone, so tiles have no seam.

    Attributes:
        table: Mapped sRGB colors at an even grid over the cube of (red, green, blue): (1, 3, S, S, S).
    """

    table: Tensor

    @classmethod
    def estimate(cls, image: Tensor, palette: Palette, amount: float = 1.0) -> PaletteTransfer:
        """Estimate the transfer of `match_distribution` from `image` (3, H, W) to `palette`, by `amount` 0-1."""
        axis = torch.linspace(0, 1, TABLE_SIDE, dtype=image.dtype, device=image.device)
        grid = to_oklab(torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).flatten(1))
        sample = to_oklab(_sample(image, TABLE_PIXELS))
        matched = _match_distribution(torch.cat((sample, grid), 1), palette, sample.shape[1])[:, sample.shape[1] :]
        mapped = from_oklab(grid + amount * (matched - grid))
        return cls(mapped.view(1, 3, TABLE_SIDE, TABLE_SIDE, TABLE_SIDE))

    def __call__(self, image: Tensor) -> Tensor:
        """Map the colors of `image` (3, H, W), by trilinear interpolation in the table."""
        place = image.flip(0).movedim(0, -1).mul(2).sub_(1)[None, None]  # the table's last axis, blue, comes first
        mapped = functional.grid_sample(self.table, place, padding_mode="border", align_corners=True)
        return mapped[0, :, 0]

    def apply_(self, image: Tensor) -> Tensor:
        """Map the colors of `image` (3, H, W) in place, band by band to bound memory."""
        for band in torch.split(image, BAND_ROWS, dim=1):
            band.copy_(self(band))
        return image


def keep_chroma(painting: Tensor, photo: Tensor) -> Tensor:
    """The lightness of `painting` with the chroma of `photo`; both (3, H, W) (Gatys et al. 2017, section 5.2)."""
    return from_oklab(torch.cat((to_oklab(painting)[:1], to_oklab(photo)[1:])))


def without_chroma(image: Tensor) -> Tensor:
    """The lightness of `image` (3, H, W) alone: a gray picture (3, H, W)."""
    lab = to_oklab(image)
    lab[1:] = 0
    return from_oklab(lab)


def _match_distribution(flat: Tensor, palette: Palette, count: int) -> Tensor:
    """Map colors (3, N) in Oklab by the transfer that gives the first `count` of them the colors of `palette`."""
    matched = _match_moments(flat, palette, 1.0, count)
    for axes in _ROTATIONS:
        matched = _match_histograms(matched, palette, _on(flat, axes), count)
    return matched


def _match_moments(lab: Tensor, palette: Palette, amount: float, count: int | None = None) -> Tensor:
    """The linear map of `match_moments` for the first `count` of all colors, or for all of them."""
    flat = lab.flatten(1)
    mean = flat[:, :count].mean(1, keepdim=True)
    # A little noise variance in both: a picture of one color has no covariance to invert.
    floor = 1e-5 * torch.eye(3, dtype=lab.dtype, device=lab.device)
    source, target = torch.cov(flat[:, :count]) + floor, palette.covariance + floor
    root = _matrix_power(source, 0.5)
    inverse_root = _matrix_power(source, -0.5)
    linear = inverse_root @ _matrix_power(root @ target @ root, 0.5) @ inverse_root
    matched = (linear @ (flat - mean) + palette.mean).view_as(lab)
    return lab + amount * (matched - lab)


def _matrix_power(matrix: Tensor, exponent: float) -> Tensor:
    """A symmetric positive definite matrix (3, 3) to a real power."""
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = (vectors * values.clamp(min=1e-9) ** exponent) @ vectors.t()
    return power


def _match_histograms(flat: Tensor, palette: Palette, axes: Tensor, count: int) -> Tensor:
    """Give the first `count` colors the palette's distribution along each of three orthonormal `axes` (rows)."""
    turned = axes @ flat
    sources = _quantiles(_sample(turned[:, :count], PALETTE_PIXELS))
    targets = _quantiles(axes @ _sample(palette.pixels, max(count, TABLE_PIXELS)))
    mapped = torch.stack([_map_monotone(*row) for row in zip(turned, sources, targets, strict=True)])
    return axes.t() @ mapped


def _quantiles(values: Tensor) -> Tensor:
    """Evenly spaced quantiles (3, QUANTILES) of each row of `values` (3, N)."""
    return values.sort(dim=1).values[:, _spread(values.shape[1], QUANTILES, values.device)]


def _spread(length: int, count: int, device: torch.device) -> Tensor:
    """Indices (count,) from the first to the last of `length`, evenly spaced."""
    # Above 2^24 floats skip numbers, and the last one may be rounded to beyond the end.
    return (
        torch.linspace(0, length - 1, count, dtype=torch.float32, device=device).round().long().clamp_(max=length - 1)
    )


def _map_monotone(values: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Map `values` (N,) by the piecewise linear function through (source, target), which is level beyond its ends."""
    target = _level_plateaus(source, target)
    upper = torch.searchsorted(source, values.contiguous()).clamp_(1, QUANTILES - 1)
    low, high = source[upper - 1], source[upper]
    within = ((values - low) / (high - low).clamp(min=1e-6)).clamp_(0, 1)
    return torch.lerp(target[upper - 1], target[upper], within)


def _level_plateaus(source: Tensor, target: Tensor) -> Tensor:
    """The mean target over each run of equal quantiles.

    A plain background is one color for many ranks: it becomes the mean of what belongs there. Without this rounding
    errors would spread it over all of them.
    """
    begin = torch.searchsorted(source, source - SAME_COLOR)
    end = torch.searchsorted(source, source + SAME_COLOR, right=True)
    sums = torch.cat((target.new_zeros(1), target.cumsum(0)))
    return (sums[end] - sums[begin]) / (end - begin)
