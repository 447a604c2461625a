"""Giving features another picture's statistics while moving them as little as possible.

Among all linear maps that turn one mean and covariance into another, that of optimal transport between Gaussians moves
the features least, and so keeps most of what is where: Lu et al., "A Closed-form Solution to Universal Style Transfer",
ICCV 2019 (arXiv 1906.00668). Per-channel scaling (AdaIN) would leave all correlations as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.features.statistics import Statistics


def transport(ours: Statistics, wanted: Statistics, least_variance: float) -> tuple[Tensor, Tensor]:
    """The map x -> matrix @ x + offset that takes statistics `ours` to `wanted`.

    Args:
        ours: Of features scaled so that in pictures at large each channel has a variance of about 1.
        wanted: The same.
        least_variance: Added to both. What hardly varies in a photo is noise, and this bounds how much of it can be
            made into texture.

    Returns:
        Matrix (D, D), symmetric, and offset (D,).
    """
    least = least_variance * torch.eye(len(ours.mean), dtype=ours.mean.dtype, device=ours.mean.device)
    root, inverse = _roots(ours.covariance + least)
    middle, _ = _roots(root @ (wanted.covariance + least) @ root)
    matrix = inverse @ middle @ inverse
    return matrix, wanted.mean - matrix @ ours.mean


def transport_lightness_first(ours: Statistics, wanted: Statistics, least_variance: float) -> tuple[Tensor, Tensor]:
    """The same, but with the first component moved by itself, and the others by what does not follow from it.

    For colors, whose first component is light and dark. Where a style is all ink on paper, the map that moves all
    colors least may find it shortest to paint the bluest sky black; this one never turns light into dark.

    Returns:
        Matrix (D, D), whose first row is zero but for its first entry, which is positive; and offset (D,).
    """
    least = least_variance * torch.eye(len(ours.mean), dtype=ours.mean.dtype, device=ours.mean.device)
    ours, wanted = (Statistics(level.mean, level.covariance + least) for level in (ours, wanted))
    (our_slope, our_rest), (slope, rest) = (_given_first(level.covariance) for level in (ours, wanted))
    gain = (wanted.covariance[0, 0] / ours.covariance[0, 0]).sqrt()
    across, _ = transport(our_rest, rest, 0.0)
    first = torch.cat([gain[None], slope * gain - across @ our_slope])
    matrix = torch.cat([first[:, None], functional.pad(across, (0, 0, 1, 0))], 1)
    return matrix, wanted.mean - matrix @ ours.mean


def _given_first(covariance: Tensor) -> tuple[Tensor, Statistics]:
    """How the other components follow from the first (D - 1,), and the statistics of what does not."""
    slope = covariance[1:, 0] / covariance[0, 0]
    rest = covariance[1:, 1:] - slope.outer(covariance[0, 1:])
    return slope, Statistics(torch.zeros_like(slope), rest)


def _roots(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of a symmetric positive matrix, and the root's inverse."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=1e-8).sqrt()
    return (vectors * values) @ vectors.T, (vectors / values) @ vectors.T
