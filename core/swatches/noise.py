"""Seeded randomness in space: smooth noise and evenly scattered points, the same at every resolution."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from swatches.sheet import Array, Sheet

_SPLINE_STD = 0.479
"""Standard deviation of a uniform cubic B-spline surface over lattice values of unit variance, about."""


def _spline_matrix(positions: Array, knots: int) -> Array:
    """Cubic B-spline weights of `knots` lattice values at `positions` (in lattice steps), (N, knots)."""
    base = np.floor(positions).astype(np.intp)
    t = positions - base
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    )
    matrix = np.zeros((len(positions), knots))
    rows = np.arange(len(positions))
    for offset in range(4):
        matrix[rows, base + offset] = weights[:, offset] / 6
    return matrix


def noise(
    sheet: Sheet, rng: np.random.Generator, wavelength: float, *, octaves: int = 1, stretch: float = 1.0
) -> Array:
    """Smooth noise of about zero mean and unit variance, (H, W).

    A random lattice under a cubic B-spline. The surface is separable, so two matrix products draw it.

    Args:
        sheet: What to draw on.
        rng: Where the lattice comes from; how much is drawn from it does not depend on the resolution.
        wavelength: Size of the largest features in units.
        octaves: Layers, each of half the wavelength and half the strength of the one before.
        stretch: How much longer than tall the features are.
    """
    total = np.zeros(sheet.shape)
    for octave in range(octaves):
        step = wavelength / 2 / 2**octave
        columns = int(sheet.width / (step * stretch)) + 5
        rows = int(sheet.height / step) + 5
        lattice = rng.standard_normal((rows, columns))
        across = _spline_matrix(sheet.x[0] / (step * stretch), columns)
        down = _spline_matrix(sheet.y[:, 0] / step, rows)
        total += 0.5**octave * (down @ lattice @ across.T)
    power = sum(0.25**octave for octave in range(octaves))
    return total / float(_SPLINE_STD * np.sqrt(power))


def scatter(sheet: Sheet, rng: np.random.Generator, spacing: float, *, margin: float = 0.0) -> Array:
    """Points no closer than about `spacing` units to each other that leave no gaps, (N, 2), in random order.

    Poisson-disc sampling by elimination: throw far too many darts, keep each that no earlier one is near.
    """
    low = np.array([-margin, -margin])
    high = np.array([sheet.width + margin, sheet.height + margin])
    darts = rng.uniform(low, high, (int(10 * np.prod(high - low) / spacing**2), 2))
    neighbors = cKDTree(darts).query_pairs(spacing, output_type="ndarray")
    later: dict[int, list[int]] = {}
    for first, second in neighbors:
        later.setdefault(int(min(first, second)), []).append(int(max(first, second)))
    alive = np.ones(len(darts), dtype=np.bool_)
    for dart in range(len(darts)):
        if alive[dart]:
            alive[later.get(dart, [])] = False
    return darts[alive]
