"""Marks: brush dabs along an arc, and pen lines of changing width."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from swatches.sheet import Array, Sheet


@dataclass(frozen=True, slots=True)
class Dab:
    """A brush stroke: a circular arc.

    Attributes:
        x: Horizontal position of its middle, in units.
        y: Vertical position of its middle, in units.
        angle: Direction at its middle in radians, clockwise on the page from the right.
        length: Length in units.
        width: Width in units.
        bend: Curvature, 1 / radius, in 1 / units; positive bends clockwise.
    """

    x: float
    y: float
    angle: float
    length: float
    width: float
    bend: float = 0.0


Window = tuple[slice, slice]


def footprint(sheet: Sheet, dab: Dab) -> tuple[Window, Array, Array] | None:
    """The pixels covered by a dab, with coordinates along and across the brush.

    Returns:
        The window of the sheet (rows, columns) and, for each of its pixels, the position along the stroke
        and across it, both -1 to 1 inside the stroke; None where the dab misses the sheet.
    """
    half_length, half_width = dab.length / 2, dab.width / 2
    cosine, sine = np.cos(dab.angle), np.sin(dab.angle)
    sag = abs(dab.bend) * half_length**2 / 2 + half_width
    reach_x = (abs(cosine) * half_length + abs(sine) * sag) + half_width
    reach_y = (abs(sine) * half_length + abs(cosine) * sag) + half_width
    rows, columns = sheet.shape
    top, bottom = _span(dab.y - reach_y, dab.y + reach_y, sheet.scale, rows)
    left, right = _span(dab.x - reach_x, dab.x + reach_x, sheet.scale, columns)
    if top >= bottom or left >= right:
        return None
    dx = (np.arange(left, right)[None, :] + 0.5) / sheet.scale - dab.x
    dy = (np.arange(top, bottom)[:, None] + 0.5) / sheet.scale - dab.y
    along, across = cosine * dx + sine * dy, cosine * dy - sine * dx
    if abs(dab.bend) > 1e-5:
        sign, radius = np.sign(dab.bend), 1 / dab.bend
        distance = np.hypot(along, across - radius)
        along = np.arctan2(along, sign * (radius - across)) * abs(radius)
        across = radius - sign * distance
    return (slice(top, bottom), slice(left, right)), along / half_length, across / half_width


def _span(low: float, high: float, scale: float, limit: int) -> tuple[int, int]:
    return max(0, int(low * scale)), min(limit, int(high * scale) + 2)


def pen(sheet: Sheet, lines: Iterable[tuple[Array, Array]]) -> Array:
    """Render ink coverage (H, W) in [0, 1] of lines, each with points (N, 2) and widths (N,) in units."""
    rows, columns = sheet.shape
    image = Image.new("L", (2 * columns, 2 * rows))
    draw = ImageDraw.Draw(image)
    zoom = 2 * sheet.scale
    for points, widths in lines:
        tangent = np.gradient(points, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        offset = normal * widths[:, None] / 2
        outline = np.concatenate([points + offset, (points - offset)[::-1]]) * zoom
        draw.polygon([(float(x), float(y)) for x, y in outline], fill=255)
    small = image.reduce(2)
    return np.asarray(small, dtype=np.float64) / 255
