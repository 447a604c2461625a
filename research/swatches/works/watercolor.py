"""Watercolor: flowers in transparent washes that pool at their edges, bleed and granulate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt, gaussian_filter

from swatches.color import glaze, pigment, smoothstep
from swatches.light import paper_grain, relief
from swatches.noise import noise
from swatches.shapes import axes, smooth_curve
from swatches.sheet import Array, Sheet

SIZE = (768, 576)
SEED = 71

PAPER = pigment("#fbf7ec")
ROSE, CORAL = ("#e0426f", "#c2245a"), ("#f0603f", "#d8352f")
GOLD, PLUM = ("#f7b733", "#ea8a1f"), ("#8a4fa8", "#5b2d86")
GREENS = (("#6fa04a", "#2f6b45"), ("#3f8a6a", "#1c5560"), ("#a3b04a", "#4f7a34"))
GROUND = ("#2f6fa8", "#1f8f9c", "#56589c", "#2a9a86", "#d98a86", "#243f7a")


class Paper:
    """A sheet of cold-pressed paper and all the water on it."""

    def __init__(self, sheet: Sheet, rng: np.random.Generator) -> None:
        self.sheet, self.rng = sheet, rng
        self.grain = paper_grain(sheet, rng, 3.2)
        self.spread_x, self.spread_y = noise(sheet, rng, 34, octaves=4), noise(sheet, rng, 34, octaves=4)
        self.bloom = noise(sheet, rng, 110, octaves=4)
        self.picture = np.broadcast_to(PAPER, (*sheet.shape, 3)).copy()

    def wash(
        self, outline: Array, wet: str, dry: str, *, toward: Array, strength: float = 1.0, soft: float = 1.0
    ) -> None:
        """One shape of wet paint.

        Args:
            outline: Its outline, (N, 2) in units, before the water finds its own edge.
            wet: Color where the paint is thin.
            dry: Color where it pools.
            toward: Point (2,) in units where the brush was set down, and most of the paint stays.
            strength: How much pigment.
            soft: How far the edge bleeds, in units.
        """
        outline = self._wandering(outline)
        window, inside = self._inside(outline, 10 + 3 * soft)
        if inside.size == 0:
            return
        x, y = self.sheet.x[window], self.sheet.y[window]
        reach = float(np.linalg.norm(outline - toward, axis=1).max())
        away = np.hypot(x - toward[0], y - toward[1]) / reach
        pool = 0.75 * np.exp(-np.clip(inside, 0, None) / 2.2) + 0.3 * np.exp(-np.clip(inside, 0, None) / 9)
        body = 0.34 + 0.62 * np.exp(-((away / 0.52) ** 2)) + 0.2 * self.bloom[window]
        settled = 1 + 0.16 * self.grain[window] * (0.5 + body)
        cover = smoothstep(-soft, soft, inside)
        density = strength * np.clip(body + pool / max(1.0, soft**0.7), 0.08, None) * settled * cover
        mix = np.clip(1.1 - 1.25 * away + 0.3 * self.bloom[window], 0, 1)[..., None]
        color = pigment(wet) * (1 - mix) + pigment(dry) * mix
        self.picture[window] = glaze(self.picture[window], color, np.clip(density, 0, None))

    def reserve(self, outline: Array, amount: float = 0.94) -> None:
        """Mask out paint: blend by `amount` toward bare paper."""
        outline = self._wandering(outline)
        window, inside = self._inside(outline, 4.0)
        cover = amount * smoothstep(-0.5, 1.2, inside)[..., None]
        self.picture[window] += (PAPER - self.picture[window]) * cover

    def _wandering(self, outline: Array) -> Array:
        """Roughen an edge like running water."""
        drift = [self.sheet.pick(field, outline) for field in (self.spread_x, self.spread_y)]
        reach = min(2.6, 0.06 * float(np.ptp(outline[:, 0])))
        return outline + reach * np.stack(drift, axis=1)

    def _inside(self, outline: Array, margin: float) -> tuple[tuple[slice, slice], Array]:
        """Return the bounding window of an outline and the signed distance in it, positive inside."""
        scale, (rows, columns) = self.sheet.scale, self.sheet.shape
        low = np.maximum(((outline.min(axis=0) - margin) * scale).astype(np.intp), 0)
        high = np.minimum(((outline.max(axis=0) + margin) * scale).astype(np.intp), (columns, rows))
        width, height = (max(0, int(size)) for size in high - low)
        window = (slice(int(low[1]), int(low[1]) + height), slice(int(low[0]), int(low[0]) + width))
        if width == 0 or height == 0:
            return (slice(0, 0), slice(0, 0)), np.zeros((0, 0))
        image = Image.new("1", (width, height))
        ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in outline * scale - low], fill=1)
        mask = np.asarray(image, dtype=np.bool_)
        padded = np.pad(mask, 1, mode="edge")
        inner: Array = distance_transform_edt(padded)[1:-1, 1:-1]
        outer: Array = distance_transform_edt(~padded)[1:-1, 1:-1]
        return window, gaussian_filter((inner - outer) / scale, 0.35 * scale)


def paint(sheet: Sheet) -> Array:
    """Paint the swatch, (H, W, 3) in 0-1, sRGB."""
    rng = np.random.default_rng(SEED)
    paper = Paper(sheet, rng)
    _ground(sheet, rng, paper)
    for x, y, angle, length, kind in _leaves():
        _leaf(paper, rng, np.array([x, y]), np.deg2rad(angle), length, GREENS[kind])
    for x, y, size, petals, colors in _flowers():
        _flower(paper, rng, np.array([x, y]), size, petals, colors)
    spots = rng.uniform((0, 0), SIZE, (46, 2))
    for spot, size in zip(spots[:26], rng.uniform(1.5, 6.5, 26), strict=True):
        colors = (ROSE, CORAL, GOLD, PLUM, ("#243f7a", "#16264f"))[int(rng.integers(5))]
        paper.wash(_blob(rng, spot, size), *colors, toward=spot, strength=1.2)
    for spot, size in zip(spots[26:], rng.uniform(1.2, 3.4, 20), strict=True):
        paper.reserve(_blob(rng, spot, size), 0.8)
    shade, _ = relief(0.22 * paper.grain, sheet)
    return np.clip(paper.picture * (1 + 0.1 * shade)[..., None], 0, 1)


def _blob(rng: np.random.Generator, center: Array, size: float, lobes: int = 9) -> Array:
    turn = np.arange(lobes) * 2 * np.pi / lobes
    away = size * rng.uniform(0.78, 1.22, lobes)
    knots = center + away[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return smooth_curve(knots, closed=True, steps=8)


def _ground(sheet: Sheet, rng: np.random.Generator, paper: Paper) -> None:
    """A wet ground of blues and greens run together, darker toward the lower corners, light at the top."""
    for index in range(34):
        center = rng.uniform((-30, -30), (798, 606))
        size = rng.uniform(70, 170)
        color, pool = GROUND[int(rng.integers(len(GROUND)))], GROUND[int(rng.integers(4))]
        depth = 0.2 + 0.38 * (center[1] / sheet.height)
        soft = (26.0, 12.0, 1.2)[index % 3]
        paper.wash(_blob(rng, center, size), color, pool, toward=center, strength=depth, soft=soft)
    for x, y, size in (
        (120, 560, 120), (420, 590, 150), (700, 560, 120), (760, 330, 80), (8, 330, 70), (400, 330, 80),
    ):  # fmt: skip
        center = np.array([x, y], dtype=np.float64)
        paper.wash(_blob(rng, center, size), "#2a4a86", "#10204f", toward=center, strength=1.25, soft=9.0)


def _leaves() -> Iterator[tuple[float, float, float, float, int]]:
    """Leaves as root x, y, direction in degrees, length, and which green."""
    yield from (
        (330, 300, -100, 170, 0), (300, 330, 160, 150, 1), (470, 330, 20, 170, 1), (440, 380, 70, 170, 0),
        (250, 430, 130, 150, 2), (560, 300, -60, 160, 2), (180, 250, -135, 150, 1), (620, 420, 35, 160, 0),
        (360, 450, 100, 140, 1), (110, 330, 175, 120, 2), (660, 250, -15, 130, 1), (530, 480, 110, 130, 2),
        (90, 470, 60, 130, 0), (420, 200, -80, 150, 2), (240, 120, -60, 120, 0), (700, 130, 80, 120, 0),
    )  # fmt: skip


def _leaf(
    paper: Paper, rng: np.random.Generator, root: Array, angle: float, length: float, greens: tuple[str, str]
) -> None:
    """A leaf in two strokes, one to a side of the rib, which stays light between them."""
    along, across = axes(angle)
    bow = rng.uniform(-0.22, 0.22) * length
    for side in (-1, 1):
        half = side * length * rng.uniform(0.15, 0.2)
        shape = ((0, 0.04), (0.3, 0.8), (0.6, 0.9), (1, 0.03), (0.66, 0.08), (0.3, 0.1))
        knots = [root + along * t * length + across * (w * half + bow * t * t) for t, w in shape]
        outline = smooth_curve(knots, closed=True, steps=10)
        paper.reserve(outline, 0.55)
        paper.wash(outline, *greens, toward=root, strength=1.15 if side > 0 else 0.8)


def _flowers() -> Iterator[tuple[float, float, float, int, tuple[str, str]]]:
    """Flowers as x, y, size, petals and colors."""
    yield from (
        (268, 214, 132, 7, ROSE), (520, 184, 118, 6, CORAL), (420, 408, 128, 7, GOLD),
        (126, 392, 96, 6, PLUM), (650, 396, 106, 7, ROSE), (84, 112, 84, 6, GOLD), (700, 70, 80, 6, PLUM),
        (268, 540, 74, 6, CORAL), (560, 556, 66, 5, PLUM),
    )  # fmt: skip


def _flower(
    paper: Paper, rng: np.random.Generator, center: Array, size: float, petals: int, colors: tuple[str, str]
) -> None:
    """Petals laid one over another, wet at the heart, then the heart and its stamens."""
    start = rng.uniform(0, 2 * np.pi)
    for ring, (reach, wide, strength) in enumerate(((1.0, 0.52, 0.66), (0.6, 0.36, 0.6))):
        turns = start + (np.arange(petals) + 0.5 * ring) * 2 * np.pi / petals + rng.normal(0, 0.1, petals)
        outlines = [_petal(rng, center, angle, size * reach, size * wide) for angle in rng.permutation(turns)]
        for outline in outlines:
            paper.reserve(outline, 0.94 - 0.5 * ring)
        for outline in outlines:
            paper.wash(outline, *colors, toward=0.85 * center + 0.15 * outline.mean(axis=0), strength=strength)
    paper.wash(_blob(rng, center, 0.15 * size), "#8a6a1a", "#3a2040", toward=center, strength=1.3, soft=2.0)
    for _ in range(13):
        angle, far = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.2, 0.36)
        spot = center + far * np.array([np.cos(angle), np.sin(angle)])
        paper.wash(_blob(rng, spot, size * 0.022 + 0.8), "#5a2a3a", "#221028", toward=spot, strength=1.8, soft=0.6)


def _petal(rng: np.random.Generator, center: Array, angle: float, length: float, half: float) -> Array:
    """A petal with a waved brim."""
    along, across = axes(angle)
    length, half = length * rng.uniform(0.88, 1.08), half * rng.uniform(0.85, 1.1)
    shape = (
        (0.05, -0.12), (0.45, -0.85), (0.86, -0.82), (0.96, -0.2), (0.93, 0.2), (0.88, 0.8), (0.45, 0.88), (0.05, 0.12),
    )  # fmt: skip
    knots = [center + along * t * length + across * w * half * rng.uniform(0.92, 1.06) for t, w in shape]
    return smooth_curve(knots, closed=True, steps=10)
