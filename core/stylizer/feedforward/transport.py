"""Optimal transport between Gaussians: feature statistics are matched with minimal displacement of the features.

Of all linear maps from one mean and covariance to another it moves the features least, which preserves content best: Lu
et al., "A Closed-form Solution to Universal Style Transfer", ICCV 2019 (arXiv 1906.00668). The per-channel scaling of
AdaIN does not change correlations.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.features.statistics import Statistics


def transport(source: Statistics, target: Statistics, min_variance: float) -> tuple[Tensor, Tensor]:
    """Compute the map x -> matrix @ x + offset that transports statistics `source` to `target`.

    Args:
        source: Statistics of features whose channels have a variance of about 1 over many pictures.
        target: Likewise.
        min_variance: Added to both variances. It bounds the amplification of components that hardly vary in the photo,
            which are noise.

    Returns:
        Matrix (D, D), symmetric, and offset (D,).
    """
    ridge = min_variance * torch.eye(len(source.mean), dtype=source.mean.dtype, device=source.mean.device)
    root, inverse = _roots(source.covariance + ridge)
    middle, _ = _roots(root @ (target.covariance + ridge) @ root)
    matrix = inverse @ middle @ inverse
    return matrix, target.mean - matrix @ source.mean


def transport_lightness_first(source: Statistics, target: Statistics, min_variance: float) -> tuple[Tensor, Tensor]:
    """Compute a map like `transport` that maps the first component independently of the others.

    The other components are transported conditionally on the first one. For colors, whose first component is
    lightness: for a style of ink on paper, `transport` may map a deep blue sky to black; this map is monotone in
    lightness.

    Returns:
        Matrix (D, D), whose first row is zero but for its first entry, which is positive; and offset (D,).
    """
    ridge = min_variance * torch.eye(len(source.mean), dtype=source.mean.dtype, device=source.mean.device)
    source, target = (Statistics(level.mean, level.covariance + ridge) for level in (source, target))
    (source_slope, source_rest), (target_slope, target_rest) = (
        _condition_on_first(level.covariance) for level in (source, target)
    )
    gain = (target.covariance[0, 0] / source.covariance[0, 0]).sqrt()
    chroma_matrix, _ = transport(source_rest, target_rest, 0.0)
    first_column = torch.cat([gain[None], target_slope * gain - chroma_matrix @ source_slope])
    matrix = torch.cat([first_column[:, None], functional.pad(chroma_matrix, (0, 0, 1, 0))], 1)
    return matrix, target.mean - matrix @ source.mean


def _condition_on_first(covariance: Tensor) -> tuple[Tensor, Statistics]:
    """Return the regression slopes on the first component, (D - 1,), and the statistics of the residual."""
    slope = covariance[1:, 0] / covariance[0, 0]
    rest = covariance[1:, 1:] - slope.outer(covariance[0, 1:])
    return slope, Statistics(torch.zeros_like(slope), rest)


def _roots(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the square root of a symmetric positive definite matrix, and the inverse of the root."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=1e-8).sqrt()
    return (vectors * values) @ vectors.T, (vectors / values) @ vectors.T
