"""Mosaic: two fish in a swirling sea, set in cut stone that follows every contour, as the Romans did it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from swatches.color import over, pigment, ramp, smoothstep
from swatches.light import relief
from swatches.noise import noise, scatter
from swatches.shapes import (
    Points,
    arc_lengths,
    below,
    distance_inside,
    distance_to_seams,
    filled,
    level_curves,
    points_at,
    ridge,
    smooth_curve,
)
from swatches.sheet import Array, Sheet
from swatches.strokes import Dab, footprint

SIZE = (768, 576)
SEED = 31

TILE = 13.5
GROUT = pigment("#5b4b3d")
STONE = ("#4a2f22", "#8a5a38", "#bd8a55", "#dcb987", "#efdcb4", "#fbf3dc")
SEA = ("#0c2340", "#123f66", "#1c6a8c", "#3f9aa6", "#8cc7b9", "#e6ecd2")
FISH = ("#f6e7bd", "#efb33f", "#df7a22", "#b63d1e", "#6b1b1a", "#241519")
KING = ("#fdf4d9", "#bfe0cf", "#5fb3ad", "#237a8c", "#17466b", "#101c33")
WEED = ("#1d3a22", "#3f6b2f", "#8fa24a", "#d5c76a")
REEF = ("#141a2c", "#2a3550", "#5a6478", "#a3a79e")

SEABED = ((0, 470), (160, 500), (400, 538), (600, 520), (768, 488))
# A fish that looks to the right, in halves of its length.
BODY = (
    (1.0, 0.03), (0.72, -0.24), (0.2, -0.38), (-0.35, -0.24), (-0.72, -0.07), (-0.72, 0.07), (-0.35, 0.22), (0.2, 0.36),
    (0.72, 0.25),
)  # fmt: skip
TAIL = ((-0.66, -0.05), (-0.92, -0.3), (-1.24, -0.42), (-1.04, 0.0), (-1.22, 0.4), (-0.9, 0.26), (-0.66, 0.05))
CREST = ((0.42, -0.3), (0.16, -0.6), (-0.3, -0.58), (-0.5, -0.46), (-0.34, -0.2), (0.1, -0.28))
BELLY = ((0.3, 0.3), (0.12, 0.56), (-0.14, 0.6), (-0.06, 0.3))


@dataclass
class Cartoon:
    """The drawing under the mosaic.

    Attributes:
        color: (H, W, 3).
        guide: Distance in units whose level curves the rows of stones follow, (H, W).
        part: Which part of the picture a place belongs to; stones do not cross from one to another, (H, W).
    """

    color: Array
    guide: Array
    part: Array

    def add(self, inside: Array, color: Array, guide: Array) -> None:
        """Add a part on top where `inside` is positive."""
        here = inside > 0
        self.color[here] = color[here]
        self.guide[here] = guide[here]
        self.part[here] = self.part.max() + 1


def paint(sheet: Sheet) -> Array:
    """Paint the swatch, (H, W, 3) in 0-1, sRGB."""
    rng = np.random.default_rng(SEED)
    cartoon = _cartoon(sheet, rng)
    stones, turns = _rows_of_stones(sheet, rng, cartoon)
    return _set(sheet, rng, cartoon, stones, _cut(sheet, cartoon, stones, turns))


def _rows_of_stones(sheet: Sheet, rng: np.random.Generator, cartoon: Cartoon) -> tuple[Array, Array]:
    """Return centers (N, 2) and angles (N,) of the stones, placed along rows from front to back."""
    middles: list[Array] = []
    for part in range(int(cartoon.part.max()), -1, -1):
        inside = np.where(cartoon.part == part, 1.0, -2.0)
        levels = np.arange(-79.5, 120.0) * TILE
        for curve in level_curves(sheet, cartoon.guide, inside, levels):
            lengths = arc_lengths(curve)
            count = max(1, round(lengths[-1] / TILE))
            at = (np.arange(count) + 0.5) * lengths[-1] / count
            at += rng.normal(0, 0.05 * TILE, count)
            middles.append(points_at(curve, lengths, at))
    chips = scatter(sheet, rng, 0.45 * TILE, margin=8)  # to fill what the rows leave open
    rows = _apart(np.concatenate(middles), 0.66 * TILE)
    stones = _apart(np.concatenate([rows, chips]), 0.72 * TILE, always=len(rows))
    slope_y, slope_x = np.gradient(gaussian_filter(cartoon.guide, sheet.scale))
    turn = np.arctan2(sheet.pick(slope_y, stones), sheet.pick(slope_x, stones))
    return stones, turn + rng.normal(0, 0.05, len(stones))


def _apart(points: Array, distance: float, always: int = 0) -> Array:
    """Keep points at least `distance` from all earlier ones; the first `always` are always kept."""
    keep = np.ones(len(points), dtype=np.bool_)
    pairs = cKDTree(points).query_pairs(distance, output_type="ndarray")
    pairs = np.sort(pairs, axis=1)
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
        if keep[first] and second >= always:
            keep[second] = False
    return points[keep]


def _cut(sheet: Sheet, cartoon: Cartoon, stones: Array, turns: Array) -> npt.NDArray[np.intp]:
    """Assign each pixel to the nearest stone of its part, by Chebyshev distance in the stone's frame."""
    best = np.full(sheet.shape, np.inf)
    owner = np.zeros(sheet.shape, dtype=np.intp)
    parts = sheet.pick(cartoon.part, stones)
    for index, (middle, turn) in enumerate(zip(stones, turns, strict=True)):
        found = footprint(sheet, Dab(middle[0], middle[1], turn, 2.6 * TILE, 2.6 * TILE))
        assert found is not None  # no stone lies as far off the sheet as it reaches
        window, along, across = found
        distance = np.maximum(np.abs(along), np.abs(across)) + 9.0 * (cartoon.part[window] != parts[index])
        closer = distance < best[window]
        best[window][closer] = distance[closer]
        owner[window][closer] = index
    return owner


def _set(sheet: Sheet, rng: np.random.Generator, cartoon: Cartoon, stones: Array, owner: npt.NDArray[np.intp]) -> Array:
    """Color, tilt and light the stones, and fill the joints with mortar."""
    depth = np.clip(distance_to_seams(sheet, owner), 0, 3.0)
    rounded = gaussian_filter(depth, 0.75 * sheet.scale) + 0.12 * noise(sheet, rng, 5)
    stone = smoothstep(0.75, 1.35, rounded)
    shade_of = rng.normal(0, 0.045, (len(stones), 1)) + rng.normal(0, 0.018, (len(stones), 3))
    color = np.clip(sheet.pick(cartoon.color, stones) * (1 + 1.5 * shade_of) + 0.35 * shade_of, 0, 1)[owner]
    color *= (1 + 0.035 * noise(sheet, rng, 4, octaves=2) + 0.03 * noise(sheet, rng, 16))[..., None]
    tilt = rng.normal(0, 0.11, (len(stones), 2))[owner]
    middle = stones[owner]
    plane = tilt[..., 0] * (sheet.x - middle[..., 0]) + tilt[..., 1] * (sheet.y - middle[..., 1])
    height = stone * (2.2 + plane + 0.05 * noise(sheet, rng, 4)) + 0.6 * np.clip(rounded, 0, 2.4)
    shade, gloss = relief(gaussian_filter(height, 0.35 * sheet.scale), sheet)
    mortar = GROUT * (1 + 0.1 * noise(sheet, rng, 4, octaves=2))[..., None]
    picture = over(mortar, color, stone) * (1 + 0.36 * np.clip(shade, -1.2, 1))[..., None]
    return np.clip(picture + (0.1 * gloss**3 * stone * smoothstep(-0.1, 0.6, shade))[..., None], 0, 1)


def _cartoon(sheet: Sheet, rng: np.random.Generator) -> Cartoon:
    x, y = sheet.x, sheet.y
    swell = y + 26 * np.sin(x / 74 + 0.6 * np.sin(y / 120)) + 0.12 * x
    tone = 0.5 + 0.3 * np.sin(swell / 31) + 0.15 * noise(sheet, rng, 120, stretch=2) - 0.0007 * (y - 280)
    cartoon = Cartoon(ramp(np.clip(tone + 0.22, 0, 1), STONE), swell * 0.9, np.zeros(sheet.shape))
    for center_x, center_y, radius, spin in ((640, 110, 112, 1), (96, 118, 92, -1), (700, 420, 84, -1)):
        dx, dy = x - center_x, y - center_y
        away = np.hypot(dx, dy)
        arms = 0.5 + 0.5 * np.cos(np.arctan2(dy, dx) * 2 + spin * away / 13)
        cartoon.add(radius - away, ramp(np.clip(0.1 + 0.9 * arms - 0.1 * away / radius, 0, 1), SEA), away)
    floor = below(sheet, ridge(sheet, rng, SEABED, rough=5, wave=160))
    cartoon.add(floor, ramp(np.clip(0.7 - floor / 70 + 0.22 * noise(sheet, rng, 50), 0, 1), REEF), floor)
    for root, lean, tall in ((52, 40, 210), (120, -24, 150), (560, 30, 140), (626, -30, 96)):
        _weed(sheet, cartoon, root, lean, tall)
    _fish(sheet, cartoon, np.array([420.0, 190.0]), np.deg2rad(186), 175.0, FISH)
    _fish(sheet, cartoon, np.array([330.0, 402.0]), np.deg2rad(-14), 205.0, KING)
    return cartoon


def _weed(sheet: Sheet, cartoon: Cartoon, root: float, lean: float, tall: float) -> None:
    """A ribbon of seaweed that waves as it rises."""
    t = np.clip((590 - sheet.y) / tall, 0, 1.2)
    middle = root + lean * t + 15 * np.sin(t * 7 + root)
    inside = 13 * (1.1 - t) - np.abs(sheet.x - middle) * 0.85
    color = ramp(np.clip(0.5 + (sheet.x - middle) / 28, 0, 1), WEED)
    cartoon.add(np.where(t < 1.1, inside, -1), color, 0.85 * (sheet.x - middle) + TILE / 2)


def _fish(sheet: Sheet, cartoon: Cartoon, at: Array, angle: float, size: float, colors: tuple[str, ...]) -> None:
    """A fish of half-length `size`, head toward `angle`: a rim of dark water, fins, tail, body, head, eye."""
    cosine, sine = np.cos(angle), np.sin(angle)
    upright = 1.0 if cosine > 0 else -1.0
    dx, dy = (sheet.x - at[0]) / size, (sheet.y - at[1]) / size
    along, across = cosine * dx + sine * dy, upright * (cosine * dy - sine * dx)

    def outline(points: Points) -> Array:
        curve = smooth_curve(points, closed=True)
        local = np.stack([curve[:, 0], upright * curve[:, 1]], axis=1) * size
        turned = np.stack(
            [cosine * local[:, 0] - sine * local[:, 1], sine * local[:, 0] + cosine * local[:, 1]], axis=1
        )
        return distance_inside(sheet, filled(sheet, at + turned))

    body, tail, crest, belly = map(outline, (BODY, TAIL, CREST, BELLY))
    whole = np.maximum.reduce([body, tail, crest, belly])
    rim = ramp(np.where(whole < -TILE, 0.9, 0.0), STONE)
    cartoon.add(whole + 2 * TILE, rim, whole)
    for fin, stripes in ((tail, across / (along - 0.2)), (crest, along - across), (belly, along + across)):
        cartoon.add(fin, ramp(np.clip(0.45 + 0.4 * np.sin(stripes * 30), 0, 1), colors[1:5]), fin)
    scales = 0.14 * np.sin(along * 24) * np.sin(across * 24)
    flank = np.clip(0.48 - 1.25 * across + scales, 0, 1)
    cartoon.add(body, ramp(flank, colors), body)
    head = np.minimum(body, (along - 0.52 + 0.25 * across**2) * size)
    cartoon.add(head, ramp(np.clip(0.3 - across * 1.1, 0, 1), colors), body)
    eye = np.hypot(along - 0.7, across + 0.07) * size
    cartoon.add(0.118 * size - eye, ramp(smoothstep(0.5, 0.52, eye / (0.118 * size)), ("#0d0b10", "#fbf3d6")), eye)
