"""Seeded, resolution-independent smooth noise and evenly scattered points."""

from __future__ import annotations

import numpy as np

from swatches.sheet import Array, Sheet

_SPLINE_STD = 0.479
"""Approximate standard deviation of a uniform cubic B-spline surface over lattice values of unit variance."""


def _spline_matrix(positions: Array, knots: int) -> Array:
    """Cubic B-spline weights of `knots` lattice values at `positions` (in lattice steps), (N, knots)."""
    base = np.floor(positions).astype(np.intp)
    t = positions - base
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1)
    matrix = np.zeros((len(positions), knots))
    rows = np.arange(len(positions))
    for offset in range(4):
        matrix[rows, base + offset] = weights[:, offset] / 6
    return matrix


def noise(
    sheet: Sheet, rng: np.random.Generator, wavelength: float, *, octaves: int = 1, stretch: float = 1.0
) -> Array:
    """Smooth noise of about zero mean and unit variance, (H, W).

    A random lattice interpolated by a cubic B-spline: separable, so two matrix products suffice.

    Args:
        sheet: Canvas.
        rng: Source of the lattice; the number of draws does not depend on the resolution.
        wavelength: Size of the largest features in units.
        octaves: Number of layers, each with half the wavelength and amplitude of the previous one.
        stretch: Ratio of width to height of the features.
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
    """Return points (N, 2) about `spacing` units apart without gaps or visible grid, in random order.

    A jittered hexagonal lattice: visually as even as Poisson-disc sampling and, for tens of thousands of points,
    much faster.
    """
    pitch = 1.25 * spacing
    columns = np.arange(-margin, sheet.width + margin + pitch, pitch)
    rows = np.arange(-margin, sheet.height + margin + pitch, pitch * np.sqrt(3) / 2)
    x, y = np.meshgrid(columns, rows)
    x[1::2] += pitch / 2
    points: Array = np.stack([x.ravel(), y.ravel()], axis=1)
    return rng.permutation(points + rng.uniform(-0.42 * pitch, 0.42 * pitch, points.shape))
