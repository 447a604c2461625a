"""Giving features another picture's statistics while moving them as little as possible.

Among all linear maps that turn one mean and covariance into another, that of optimal transport between Gaussians moves
the features least, and so keeps most of what is where: Lu et al., "A Closed-form Solution to Universal Style Transfer",
ICCV 2019 (arXiv 1906.00668). Per-channel scaling (AdaIN) would leave all correlations as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

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


def _roots(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of a symmetric positive matrix, and the root's inverse."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=1e-8).sqrt()
    return (vectors * values) @ vectors.T, (vectors / values) @ vectors.T
