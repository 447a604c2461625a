"""Shading of thick paint, and paper texture."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from swatches.noise import noise
from swatches.sheet import Array, Sheet


def relief(height: Array, sheet: Sheet, *, azimuth: float = 225.0) -> tuple[Array, Array]:
    """Shade a height field with side light.

    Args:
        height: Height in units, (H, W).
        sheet: Canvas; its scale makes slopes independent of the resolution.
        azimuth: Direction of the light, degrees clockwise from the right.

    Returns:
        Shade, about -1 (facing away) to 1 (facing the light), 0 where flat; and gloss, 0-1, the highlight.
    """
    slope_y, slope_x = np.gradient(height * sheet.scale)
    direction = np.deg2rad(azimuth)
    light = np.array([np.cos(direction), np.sin(direction), 1.1])
    light /= np.linalg.norm(light)
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    facing = (-slope_x * light[0] - slope_y * light[1] + light[2]) / length
    half = light + np.array([0.0, 0.0, 1.0])
    half /= np.linalg.norm(half)
    gloss = (-slope_x * half[0] - slope_y * half[1] + half[2]) / length
    return (facing - light[2]) / (1 - light[2] + 0.2), np.clip(gloss, 0, 1) ** 40


def paper_grain(sheet: Sheet, rng: np.random.Generator, tooth: float = 4.0) -> Array:
    """Texture of cold-pressed paper: bumps of about `tooth` units, zero mean, unit variance, (H, W)."""
    bumps = noise(sheet, rng, tooth * 1.6, octaves=2) + 0.6 * noise(sheet, rng, tooth * 5)
    grain: Array = gaussian_filter(bumps, 0.3 * sheet.scale)
    grain -= grain.mean()
    return grain / float(grain.std())
