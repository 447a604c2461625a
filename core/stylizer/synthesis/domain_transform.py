"""Edge-aware smoothing in linear time: the domain transform, recursively filtered (Gastal & Oliveira 2011)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def domain_transform(image: Tensor, *, sigma_space: float, sigma_range: float, iterations: int = 3) -> Tensor:
    """Smooth `image` (C, H, W) and preserve its edges.

    Rows and columns are warped so that color differences count as distance (their section 4.1); a first-order
    recursive filter runs along each, in both directions (section 4.3, "RF"). Alternating horizontal and vertical
    passes with decreasing extent approximate a 2-D filter without stripes (section 4.4).

    Args:
        image: Values around [0, 1].
        sigma_space: Spatial extent in pixels, > 0.
        sigma_range: Extent in color difference, summed over channels, > 0.
        iterations: Number of horizontal and vertical passes, >= 1.

    Returns:
        The smoothed image, (C, H, W).
    """
    stretch = sigma_space / sigma_range
    # The filter steps along the first axis, so each step is one operation on contiguous memory.
    by_row = image.permute(1, 0, 2).clone(memory_format=torch.contiguous_format)  # (H, C, W), filtered in place
    down = 1 + stretch * by_row.diff(dim=0).abs().sum(1, keepdim=True)
    across = 1 + stretch * image.diff(dim=2).abs().sum(0).t()[:, None]  # (W - 1, 1, H)
    for k in range(iterations):
        sigma = sigma_space * math.sqrt(3) * 2 ** (iterations - k - 1) / math.sqrt(4**iterations - 1)
        log_decay = -math.sqrt(2) / sigma
        by_column = by_row.permute(2, 1, 0).contiguous()  # (W, C, H)
        _filter_back_and_forth(by_column, _feedback(across * log_decay))
        by_row = by_column.permute(2, 1, 0).contiguous()
        _filter_back_and_forth(by_row, _feedback(down * log_decay))
    return by_row.permute(1, 0, 2).contiguous()


def _feedback(exponent: Tensor) -> Tensor:
    """Return the feedback coefficients, exp(exponent)."""
    # Flush to zero across edges: arithmetic on denormal numbers is many times slower.
    return torch.where(exponent > -20, exponent.exp(), 0.0)


def _filter_back_and_forth(lines: Tensor, feedback: Tensor) -> None:
    """Filter `lines` (N, C, M) in place, forward and backward, with coefficients `feedback` (N - 1, 1, M)."""
    rows, weights = list(lines), list(feedback.expand(-1, lines.shape[1], -1))
    for n in range(1, len(rows)):
        torch.lerp(rows[n], rows[n - 1], weights[n - 1], out=rows[n])
    for n in range(len(rows) - 2, -1, -1):
        torch.lerp(rows[n], rows[n + 1], weights[n], out=rows[n])
