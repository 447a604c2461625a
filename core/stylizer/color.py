"""Color: Oklab conversion and palette transfer between pictures.

Pictures are float32 tensors (3, H, W) in sRGB, [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

PALETTE_PIXELS = 40_000  # sample size of a palette
QUANTILES = 256  # quantiles of a distribution along an axis
SAME_COLOR = 1e-4  # distance in Oklab far below an 8-bit step
TABLE_SIDE = 33  # side of the 3-D lookup table
TABLE_PIXELS = 8192  # sample size from which the lookup table is estimated
BAND_ROWS = 256  # rows to which a transfer is applied at once

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

# Constants are numbers, not tensors, so importing this module starts no threads (which a fork would lose) and does not
# depend on torch's default dtype and device. Inverses and rotations were computed in float32 and are written in full
# precision.

# Oklab (Ottosson 2020): a perceptually uniform space, from two matrices and a cube root.
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
# Axes of the distribution transfer, one set per round: those of Oklab, then two random rotations.
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


def _matrix_like(image: Tensor, matrix: Matrix) -> Tensor:
    """Convert `matrix` to a tensor of the dtype and on the device of `image`."""
    return torch.tensor(matrix, dtype=image.dtype, device="cpu").to(image.device)


def to_oklab(image: Tensor) -> Tensor:
    """Convert sRGB (3, ...) in [0, 1] to Oklab (3, ...): lightness 0-1, then green-red and blue-yellow."""
    linear = torch.where(image <= 0.04045, image / 12.92, ((image.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    cone = torch.tensordot(_matrix_like(linear, _LINEAR_TO_CONE), linear, 1)
    lab: Tensor = torch.tensordot(_matrix_like(cone, _CONE_TO_OKLAB), cone.clamp_(min=0).pow_(1 / 3), 1)
    return lab


def from_oklab(lab: Tensor) -> Tensor:
    """Convert Oklab (3, ...) to sRGB (3, ...), clamped to [0, 1]."""
    cone = torch.tensordot(_matrix_like(lab, _OKLAB_TO_CONE), lab, 1)
    linear = torch.tensordot(_matrix_like(cone, _CONE_TO_LINEAR), cone**3, 1).clamp_(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).clamp_(0, 1)


@dataclass(frozen=True, slots=True)
class Palette:
    """The color distribution of a picture.

    Attributes:
        mean: Mean in Oklab, (3, 1).
        covariance: Covariance in Oklab, (3, 3).
        pixels: Sample of the colors in Oklab, (3, N).
    """

    mean: Tensor
    covariance: Tensor
    pixels: Tensor

    @classmethod
    def from_image(cls, image: Tensor) -> Palette:
        """Compute the palette of one picture (3, H, W)."""
        return cls.mix([(image, 1.0)])

    @classmethod
    def mix(cls, images: Sequence[tuple[Tensor, float]]) -> Palette:
        """Compute the joint palette of several pictures (3, H, W) with relative weights."""
        total = sum(share for _, share in images)
        pixels = torch.cat(
            [to_oklab(_sample(image, round(PALETTE_PIXELS * share / total))) for image, share in images], 1
        )
        return cls(pixels.mean(1, keepdim=True), torch.cov(pixels), pixels)


def _sample(image: Tensor, count: int) -> Tensor:
    """Sample about `count` pixels (3, n), evenly spaced over `image` (3, H, W)."""
    flat = image.flatten(1)
    return flat[:, _even_indices(flat.shape[1], max(2, count), image.device)]


def match_moments(image: Tensor, palette: Palette, amount: float = 1.0, *, source: Tensor | None = None) -> Tensor:
    """Give `image` (3, H, W) the mean and covariance of `palette`, by optimal transport.

    The Monge-Kantorovitch linear map of Pitié & Kokaram (2007), in Oklab. `amount` 0-1 interpolates. The map is
    estimated from `source` (3, h, w), by default `image`.
    """
    lab = to_oklab(image)
    if source is None:
        return from_oklab(_match_moments(lab, palette, amount))
    count = source[0].numel()
    flat = torch.cat((to_oklab(source).flatten(1), lab.flatten(1)), 1)
    return from_oklab(_match_moments(flat, palette, amount, count)[:, count:].view_as(lab))


def match_distribution(image: Tensor, palette: Palette, amount: float = 1.0, *, source: Tensor | None = None) -> Tensor:
    """Give `image` (3, H, W) the full color distribution of `palette`.

    The linear map of `match_moments`, followed by histogram matching along rotated axes (the iterative distribution
    transfer of Pitié, Kokaram & Dahyot 2005) for the higher moments. `amount` 0-1 interpolates. The map is estimated
    from `source` (3, h, w), by default `image`.
    """
    lab = to_oklab(image)
    flat, count = lab.flatten(1), lab[0].numel()
    if source is not None:
        flat, count = torch.cat((to_oklab(source).flatten(1), flat), 1), source[0].numel()
    matched = _match_distribution(flat, palette, count)[:, -lab[0].numel() :].view_as(lab)
    return from_oklab(lab + amount * (matched - lab))


@dataclass(frozen=True, slots=True)
class PaletteTransfer:
    """Transfer of `match_distribution` as a 3-D lookup table, estimated once and applied to any part of a picture.

    The map depends on the color of a pixel only, so tiles have no seams.

    Attributes:
        table: Mapped sRGB colors on a regular grid over the (red, green, blue) cube, (1, 3, S, S, S).
    """

    table: Tensor

    @classmethod
    def estimate(cls, image: Tensor, palette: Palette, amount: float = 1.0) -> PaletteTransfer:
        """Estimate the transfer from `image` (3, H, W) to `palette`; `amount` 0-1 interpolates."""
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
    """Combine the lightness of `painting` with the chroma of `photo`; both (3, H, W) (Gatys et al. 2017, sec. 5.2)."""
    return from_oklab(torch.cat((to_oklab(painting)[:1], to_oklab(photo)[1:])))


def without_chroma(image: Tensor) -> Tensor:
    """Remove the chroma of `image` (3, H, W): a gray picture (3, H, W)."""
    lab = to_oklab(image)
    lab[1:] = 0
    return from_oklab(lab)


def _match_distribution(flat: Tensor, palette: Palette, count: int) -> Tensor:
    """Map colors (3, N) in Oklab by the transfer estimated from the first `count` of them to `palette`."""
    matched = _match_moments(flat, palette, 1.0, count)
    for axes in _ROTATIONS:
        matched = _match_histograms(matched, palette, _matrix_like(flat, axes), count)
    return matched


def _match_moments(lab: Tensor, palette: Palette, amount: float, count: int | None = None) -> Tensor:
    """Apply the linear map of `match_moments`, estimated from the first `count` colors, or from all."""
    flat = lab.flatten(1)
    mean = flat[:, :count].mean(1, keepdim=True)
    # Regularization: the covariance of a picture of one color is singular.
    floor = 1e-5 * torch.eye(3, dtype=lab.dtype, device=lab.device)
    source, target = torch.cov(flat[:, :count]) + floor, palette.covariance + floor
    root = _matrix_power(source, 0.5)
    inverse_root = _matrix_power(source, -0.5)
    linear = inverse_root @ _matrix_power(root @ target @ root, 0.5) @ inverse_root
    matched = (linear @ (flat - mean) + palette.mean).view_as(lab)
    return lab + amount * (matched - lab)


def _matrix_power(matrix: Tensor, exponent: float) -> Tensor:
    """Return a real power of a symmetric positive definite matrix (3, 3)."""
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = (vectors * values.clamp(min=1e-9) ** exponent) @ vectors.t()
    return power


def _match_histograms(flat: Tensor, palette: Palette, axes: Tensor, count: int) -> Tensor:
    """Give the first `count` colors the palette's distribution along each of three orthonormal `axes` (rows)."""
    rotated = axes @ flat
    sources = quantiles(_sample(rotated[:, :count], PALETTE_PIXELS))
    targets = quantiles(axes @ _sample(palette.pixels, max(count, TABLE_PIXELS)))
    mapped = torch.stack([map_monotone(*row) for row in zip(rotated, sources, targets, strict=True)])
    return axes.t() @ mapped


def quantiles(values: Tensor) -> Tensor:
    """Return evenly spaced quantiles (C, QUANTILES) of each row of `values` (C, N)."""
    return values.sort(dim=1).values[:, _even_indices(values.shape[1], QUANTILES, values.device)]


def _even_indices(length: int, count: int, device: torch.device) -> Tensor:
    """Return `count` evenly spaced indices from 0 to `length` - 1."""
    # Above 2^24 float32 skips integers, and the last index may be rounded beyond the end.
    return (
        torch.linspace(0, length - 1, count, dtype=torch.float32, device=device).round().long().clamp_(max=length - 1)
    )


def map_monotone(values: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Map `values` (N,) by the piecewise linear function through (source, target), constant beyond its ends."""
    target = _level_plateaus(source, target)
    upper = torch.searchsorted(source, values.contiguous()).clamp_(1, QUANTILES - 1)
    low, high = source[upper - 1], source[upper]
    within = ((values - low) / (high - low).clamp(min=1e-6)).clamp_(0, 1)
    return torch.lerp(target[upper - 1], target[upper], within)


def _level_plateaus(source: Tensor, target: Tensor) -> Tensor:
    """Average the targets over each run of equal source quantiles.

    A plain background occupies many ranks with one color, which is mapped to the mean of its targets. Without this,
    rounding errors would scatter it over all of them.
    """
    begin = torch.searchsorted(source, source - SAME_COLOR)
    end = torch.searchsorted(source, source + SAME_COLOR, right=True)
    sums = torch.cat((target.new_zeros(1), target.cumsum(0)))
    return (sums[end] - sums[begin]) / (end - begin)
