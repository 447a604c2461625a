"""Impasto swirls: thick oil paint laid along a wind that curls, lit from the upper left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swatches.color import ramp, smoothstep
from swatches.light import relief
from swatches.noise import noise, scatter
from swatches.shapes import below, ridge
from swatches.sheet import Array, Sheet
from swatches.strokes import Dab, footprint

SIZE = (768, 576)
SEED = 11

NIGHT = ("#0b1533", "#14296b", "#1f4aa8", "#3c82c9", "#8cc3dc", "#e9efd6")
GLOW = ("#1f4aa8", "#5aa7c4", "#cfe0a6", "#f7d84f", "#f6b21c", "#fff6cf")
HILLS = ("#0a1d33", "#123c5a", "#1d6a78", "#4c9a86", "#a9c27a")
FIELD = ("#3a1c10", "#8a4413", "#c9791a", "#eab12f", "#f9e39a", "#5f7a2a")

EDDIES = (
    (250.0, 150.0, 138.0, 1.0),
    (505.0, 222.0, 92.0, -1.0),
    (52.0, 262.0, 74.0, -1.0),
    (480.0, 60.0, 72.0, 1.0),
)
LAMPS = ((668.0, 112.0, 66.0), (52.0, 62.0, 30.0))

RIDGES = (
    ((0, 322), (130, 338), (300, 284), (450, 326), (620, 300), (768, 256)),
    ((0, 330), (120, 300), (290, 356), (480, 346), (640, 366), (768, 336)),
    ((0, 374), (170, 386), (330, 350), (560, 382), (768, 368)),
)


@dataclass(frozen=True)
class Scene:
    """The underpainting: color, direction and width of the brush at each position."""

    color: Array  # (H, W, 3)
    angle: Array  # (H, W), radians
    fine: Array  # (H, W), 0 broad brush - 1 fine brush


def paint(sheet: Sheet) -> Array:
    """Paint the swatch, (H, W, 3) in 0-1, sRGB."""
    rng = np.random.default_rng(SEED)
    scene = _scene(sheet, rng)
    color = scene.color * 0.55
    height = np.zeros(sheet.shape)
    for spacing, length, width, fine in (
        (12.0, 74.0, 21.0, 0.0),
        (9.5, 52.0, 14.0, 0.0),
        (8.0, 36.0, 10.5, 0.4),
    ):
        for point in scatter(sheet, rng, spacing, margin=12):
            row, column = sheet.indices(point)
            if scene.fine[row, column] >= fine:
                _lay(sheet, rng, scene, point, length, width, color, height)
    return _lit(sheet, color, height)


def _lay(
    sheet: Sheet,
    rng: np.random.Generator,
    scene: Scene,
    point: Array,
    length: float,
    width: float,
    color: Array,
    height: Array,
) -> None:
    """Lay one loaded brush stroke: color with streaks of its neighbors, and ridges where bristles part."""
    angle = float(sheet.pick(scene.angle, point)) + rng.normal(0, 0.07)
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 3
    ends = sheet.pick(scene.angle, np.stack([point - step, point + step]))
    turn = float(np.angle(np.exp(2j * (ends[1] - ends[0])))) / 2
    bend = turn / (2 * length / 3)
    length = min(length * rng.uniform(0.65, 1.15), 1.6 / (abs(bend) + 1e-3))
    width *= rng.uniform(0.75, 1.2)
    dab = Dab(point[0], point[1], angle, length, width, bend)
    bristles = np.convolve(rng.standard_normal(17), (0.25, 0.5, 0.25), mode="same")
    load = sheet.pick(scene.color, point) + rng.normal(0, 0.028, 3) + rng.normal(0, 0.05)
    streak = sheet.pick(scene.color, point + rng.normal(0, 16, 2)) - load
    found = footprint(sheet, dab)
    if found is None:
        return
    window, along, across = found
    hair = np.interp(across, np.linspace(-1, 1, len(bristles)), bristles)
    ragged = along + 0.16 * hair * (along > 0)
    slim = np.abs(across) / (1 - 0.5 * np.clip(np.abs(along), 0, 1) ** 4)
    cover = smoothstep(1.0, 0.84, slim) * smoothstep(1.0, 0.88, np.abs(ragged))
    body = 0.55 + 0.45 * np.abs(across) ** 3 + 0.24 * hair + 0.35 * smoothstep(0.6, 0.95, ragged)
    shade = load + streak * (0.42 * smoothstep(0.2, 1.3, hair))[..., None]
    cover3 = cover[..., None]
    color[window] += (shade - color[window]) * cover3
    height[window] += (0.45 * height[window] + body * (0.7 + width / 25) - height[window]) * cover


def _lit(sheet: Sheet, color: Array, height: Array) -> Array:
    shade, gloss = relief(height * 0.95, sheet)
    lit = color * (1 + 0.62 * np.clip(shade, -1, 1))[..., None]
    return np.clip(lit + (0.16 * smoothstep(0.82, 1.0, gloss) * np.clip(shade, 0, 1))[..., None], 0, 1)


def _scene(sheet: Sheet, rng: np.random.Generator) -> Scene:
    x, y = sheet.x, sheet.y
    flow, tone = _sky(sheet, rng)
    color = ramp(tone, NIGHT)
    fine = np.zeros(sheet.shape)
    for lamp_x, lamp_y, radius in LAMPS:
        away = np.hypot(x - lamp_x, y - lamp_y) / radius
        near = smoothstep(2.3, 1.2, away)
        rings = 1.12 - 0.5 * away + 0.1 * np.sin(away * 9)
        color += (ramp(np.clip(rings, 0, 1), GLOW) - color) * near[..., None]
        tangent = np.arctan2(x - lamp_x, -(y - lamp_y))
        flow = _turned(flow, tangent, smoothstep(2.8, 1.3, away))
        fine = np.maximum(fine, smoothstep(1.7, 1.0, away))
    for index, heights in enumerate(RIDGES):
        depth = below(sheet, ridge(sheet, rng, heights, rough=4, wave=110))
        inside = depth > 0
        shade = 0.18 + 0.2 * index + 0.3 * np.cos(depth / 13) + 0.12 * noise(sheet, rng, 60) - 0.004 * depth
        color[inside] = ramp(np.clip(shade + 0.28 * np.exp(-depth / 9), 0, 1), HILLS)[inside]
        slope_y, slope_x = np.gradient(depth)
        flow[inside] = np.arctan2(-slope_x, slope_y)[inside]
        fine[inside] = 0.25
    return _field(sheet, rng, Scene(color, flow, fine))


def _sky(sheet: Sheet, rng: np.random.Generator) -> tuple[Array, Array]:
    """Direction of the wind and how light the sky is: a drift with spiral eddies in it."""
    x, y = sheet.x, sheet.y
    flow = 0.35 * np.sin(x / 95) + 0.3 * noise(sheet, rng, 260)
    tone = 0.28 + 0.1 * noise(sheet, rng, 120, stretch=2.5) + 0.13 * np.sin((y + 30 * np.sin(x / 95)) / 13)
    for center_x, center_y, radius, spin in EDDIES:
        dx, dy = x - center_x, y - center_y
        away = np.hypot(dx, dy) / radius
        around = np.arctan2(dy, dx)
        weight = smoothstep(1.55, 0.75, away)
        flow = _turned(flow, around + spin * (np.pi / 2 + 0.22), weight)
        arms = 0.5 + 0.5 * np.cos(2 * around - spin * 5.5 * np.log(away + 0.12))
        tone += (0.12 + 0.95 * arms * (1.15 - 0.6 * away) - tone) * weight
    return flow, np.clip(tone, 0, 1)


def _turned(angle: Array, toward: Array, weight: Array) -> Array:
    """Turn a field of undirected angles toward another; doubled angles, so that opposite strokes agree."""
    mixed = (1 - weight) * np.exp(2j * angle) + weight * np.exp(2j * toward)
    turned: Array = np.angle(mixed) / 2
    return turned


def _field(sheet: Sheet, rng: np.random.Generator, scene: Scene) -> Scene:
    """A field of grain in front, in rows that run together behind, with a path of green."""
    x, y = sheet.x, sheet.y
    edge = ridge(sheet, rng, ((0, 410), (240, 394), (520, 416), (768, 390)), rough=3, wave=120)
    inside = y > edge
    depth = np.clip((y - edge + 24) / 190, 0.05, None)
    rows = (x - 430) / depth
    shade = 0.5 + 0.3 * np.sin(rows / 38 + 1.5 * noise(sheet, rng, 160)) + 0.16 * noise(sheet, rng, 34)
    color = np.where(inside[..., None], ramp(np.clip(shade, 0, 1), FIELD), scene.color)
    lean = np.arctan2(np.ones(sheet.shape) * 150, (x - 430) / depth * 0.9) + 0.35 * noise(sheet, rng, 90)
    return Scene(color, np.where(inside, lean, scene.angle), np.where(inside, 0.5, scene.fine))
