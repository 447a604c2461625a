"""Outlines and distance fields, for marks that follow contours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.interpolate import CubicSpline
from scipy.ndimage import distance_transform_edt
from skimage.measure import find_contours

from swatches.noise import noise
from swatches.sheet import Array, Mask, Sheet

Points = Sequence[tuple[float, float]]


def distance_inside(sheet: Sheet, mask: Mask) -> Array:
    """Return the signed distance to the edge of `mask` in units, positive inside, (H, W).

    The border of the sheet does not count as an edge.
    """
    inside: Array = distance_transform_edt(mask) if mask.any() else np.zeros(sheet.shape)
    outside: Array = distance_transform_edt(~mask) if not mask.all() else np.zeros(sheet.shape)
    return (inside - outside) / sheet.scale


def distance_to_seams(sheet: Sheet, pieces: npt.NDArray[np.intp]) -> Array:
    """Return the distance in units to the nearest boundary between labels in `pieces`, (H, W)."""
    seam = np.zeros(sheet.shape, dtype=np.bool_)
    seam[:, 1:] |= pieces[:, 1:] != pieces[:, :-1]
    seam[1:] |= pieces[1:] != pieces[:-1]
    distance: Array = distance_transform_edt(~seam)
    return distance / sheet.scale


def smooth_curve(points: Points | Sequence[Array] | Array, *, closed: bool = False, steps: int = 24) -> Array:
    """Return a cubic spline through `points`, (N, 2)."""
    knots = np.array([*points, points[0]] if closed else points, dtype=np.float64)
    spline = CubicSpline(np.arange(len(knots)), knots, bc_type="periodic" if closed else "natural")
    curve: Array = spline(np.linspace(0, len(knots) - 1, steps * (len(knots) - 1) + 1))
    return curve


def inside_curve(sheet: Sheet, points: Points | Sequence[Array]) -> Array:
    """Signed distance in units to the closed smooth curve through `points`, positive inside, (H, W)."""
    return distance_inside(sheet, filled(sheet, smooth_curve(points, closed=True)))


def arc_lengths(curve: Array) -> Array:
    """Return the arc length from the start of a curve (N, 2) to each of its points, (N,)."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])


def points_at(curve: Array, lengths: Array, at: Array) -> Array:
    """Return points (M, 2) of a curve (N, 2) with arc lengths `lengths` (N,) at the arc lengths `at` (M,)."""
    return np.stack([np.interp(at, lengths, curve[:, axis]) for axis in (0, 1)], axis=1)


def axes(angle: float) -> tuple[Array, Array]:
    """Return unit vectors (2,) along `angle`, in radians clockwise from the right, and perpendicular to it."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([cosine, sine]), np.array([-sine, cosine])


def filled(sheet: Sheet, outline: Array) -> Mask:
    """Rasterize the inside of a closed outline (N, 2) in units, (H, W)."""
    rows, columns = sheet.shape
    image = Image.new("1", (columns, rows))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in outline * sheet.scale], fill=1)
    return np.asarray(image, dtype=np.bool_)


def ridge(sheet: Sheet, rng: np.random.Generator, heights: Points, *, rough: float, wave: float) -> Array:
    """Return a skyline through `heights` (x, y) with noise of `wave` units; y for every pixel, (H, W)."""
    knots = np.array(heights)
    line = CubicSpline(knots[:, 0], knots[:, 1], bc_type="natural")(sheet.x[0])
    bumps = noise(sheet, rng, wave, octaves=2)[0]
    return np.broadcast_to(line + rough * bumps, sheet.shape)


def below(sheet: Sheet, skyline: Array) -> Array:
    """Return the approximate perpendicular distance below a skyline in units, negative above it, (H, W)."""
    slope = np.gradient(skyline, axis=1) * sheet.scale
    return (sheet.y - skyline) / np.sqrt(1 + slope**2)


def level_curves(sheet: Sheet, guide: Array, inside: Array, levels: Array) -> list[Array]:
    """Return level curves of `guide` at `levels`, where `inside` is above -1; each (N, 2) in units."""
    coarse = max(1, round(2 * sheet.scale))
    field = np.where(inside > -1.0, guide, np.nan)[::coarse, ::coarse]
    rows, columns = np.nonzero(~np.isnan(field))
    if rows.size == 0:
        return []
    corner = np.array([columns.min(), rows.min()])
    field = field[corner[1] : rows.max() + 1, corner[0] : columns.max() + 1]
    if min(field.shape) < 2:
        return []
    within = levels[(levels >= np.nanmin(field)) & (levels <= np.nanmax(field))]
    curves: list[Array] = []
    for level in within:
        curves += find_contours(field, level)  # type: ignore[no-untyped-call]
    return [((curve[:, ::-1] + corner) * coarse + 0.5) / sheet.scale for curve in curves if len(curve) > 2]
