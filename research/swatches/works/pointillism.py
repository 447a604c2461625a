"""Pointillism: a river on a bright afternoon in dots of unmixed paint, each color broken by its opposite."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from swatches.color import over, pigment, ramp, smoothstep
from swatches.light import relief
from swatches.noise import noise, scatter
from swatches.shapes import below, distance_inside, filled, ridge, smooth_curve
from swatches.sheet import Array, Sheet
from swatches.strokes import Dab, footprint

SIZE = (768, 576)
SEED = 59

PALETTE = np.array([
    pigment(code) for code in (
        "#fffbe6", "#fff3b8", "#ffe06a", "#fbc02d", "#f48b2a", "#e4572e", "#c0283c", "#f4a3a8", "#e8c4d8",
        "#7b3fa0", "#4b2f86", "#27246b", "#1f3fa3", "#2f6fd0", "#5ba3e0", "#a8d4ee", "#1c8c8c", "#57bfa4",
        "#0f4a3c", "#1f7a3c", "#55a630", "#9ccc3c", "#d4e157", "#141233", "#6b3a1e", "#b8763c",
    )
])  # fmt: skip
"""The tubes of paint: pure colors and their tints with white; nothing is mixed on the palette."""

SKY = ("#5b9fe0", "#8fc4ee", "#cfe6f0", "#fff0c4", "#ffd894")
MEADOW = ("#3f8a4c", "#9cb83c", "#f0d060", "#fbe6a8")
CROWN = ("#141a4a", "#0f4a4c", "#1f7a3c", "#6db33a", "#e6dd5a")
RIVER = ("#1f3f93", "#3f7fd0", "#8cc8e6", "#fff0c8")


def paint(sheet: Sheet) -> Array:
    """Paint the swatch, (H, W, 3) in 0-1, sRGB."""
    rng = np.random.default_rng(SEED)
    scene = _scene(sheet, rng)
    color = over(np.broadcast_to(pigment("#efe3c6"), scene.shape), scene, np.full(sheet.shape, 0.55)) * 0.9
    height = np.zeros(sheet.shape)
    drift = noise(sheet, rng, 150) * 0.9
    for spacing, width, stray in ((7.6, 13.0, 0.08), (8.0, 11.4, 0.12), (8.2, 9.8, 0.16)):
        points = scatter(sheet, rng, spacing, margin=6)
        wanted = np.clip(sheet.pick(scene, points), 0, 1)
        paints = PALETTE[_choose(rng, wanted, stray)] + rng.normal(0, 0.018, (len(points), 3))
        for point, dot in zip(points, paints, strict=True):
            angle = float(sheet.pick(drift, point)) + rng.normal(0, 0.4)
            size = width * rng.uniform(0.82, 1.15)
            _touch(sheet, Dab(point[0], point[1], angle, size * 1.18, size * 0.92), dot, color, height)
    shade, _ = relief(gaussian_filter(height, 0.5 * sheet.scale), sheet)
    return np.clip(color * (1 + 0.2 * np.clip(shade, -1, 1))[..., None], 0, 1)


def _choose(rng: np.random.Generator, wanted: Array, stray: float) -> npt.NDArray[np.intp]:
    """A tube for each dot: near the wanted color after a random push, now and then toward its opposite."""
    gray = wanted.mean(axis=1, keepdims=True)
    vivid = gray + (wanted - gray) * 1.35
    opposite = gray + (gray - wanted) * 0.75
    is_stray = rng.uniform(size=(len(wanted), 1)) < stray
    aim = np.where(is_stray, opposite, vivid) + rng.normal(0, 0.1, wanted.shape) + rng.normal(0, 0.06, gray.shape)
    distance = ((aim[:, None, :] - PALETTE[None]) ** 2 * np.array([0.9, 1.3, 0.8])).sum(axis=-1)
    chosen: npt.NDArray[np.intp] = distance.argmin(axis=1)
    return chosen


def _touch(sheet: Sheet, dab: Dab, dot: Array, color: Array, height: Array) -> None:
    found = footprint(sheet, dab)
    if found is None:
        return
    window, along, across = found
    away = np.sqrt(along**2 + across**2)
    cover = smoothstep(1.0, 0.86, away)
    color[window] += (dot - color[window]) * cover[..., None]
    height[window] += (0.35 * height[window] + 1.3 * np.sqrt(np.clip(1 - away**2, 0, 1)) - height[window]) * cover


def _scene(sheet: Sheet, rng: np.random.Generator) -> Array:
    """The motif in smooth color: sky, far bank, river with sails, meadow with a figure, trees."""
    x, y = sheet.x, sheet.y
    cloud = smoothstep(0.2, 1.6, noise(sheet, rng, 150, octaves=3, stretch=2.2))
    scene = over(ramp(np.clip(y / 270, 0, 1), SKY), pigment("#fff6e6") + 0 * x[..., None], 0.85 * cloud * (y < 215))
    sun = np.hypot(x - 300, y - 168)
    scene = over(scene, ramp(np.clip(sun / 120, 0, 1), ("#fffdf0", "#fff0a0", "#ffc060")), smoothstep(118, 26, sun))
    bank = below(sheet, ridge(sheet, rng, ((0, 232), (150, 214), (330, 240), (560, 226), (768, 204)), rough=6, wave=60))
    scene = over(
        scene,
        ramp(np.clip(0.4 + bank / 60 + 0.2 * noise(sheet, rng, 26), 0, 1), ("#3f4f9c", "#4f86a8", "#7fae6a")),
        bank,
    )
    river = below(sheet, ridge(sheet, rng, ((0, 272), (768, 268)), rough=0.5, wave=100))
    ripple = (
        0.46 + 0.2 * noise(sheet, rng, 26, stretch=3.2) + 0.75 * np.exp(-(((x - 300) / 62) ** 2)) - 0.0012 * (y - 272)
    )
    scene = over(scene, ramp(np.clip(ripple, 0, 1), RIVER), river)
    for mast, foot, tall in ((150, 300, 96), (448, 290, 70), (516, 282, 40)):
        _boat(sheet, scene, mast, foot, tall)
    return _shore(sheet, rng, scene)


def _boat(sheet: Sheet, scene: Array, mast: float, foot: float, tall: float) -> None:
    """A sail, its reflection, and a hull."""
    leech = ((0.0, -tall), (tall * 0.36, -tall * 0.3), (tall * 0.42, -8.0), (0.0, -8.0))
    sail = smooth_curve([(mast + x, foot + y) for x, y in leech], steps=6)
    scene[filled(sheet, sail)] = pigment("#fff4dc")
    scene[filled(sheet, 2 * np.array([[mast, foot]]) - sail + np.array([[2 * (sail[0, 0] - mast), 4]]))] *= 0.86
    planks = ((-tall * 0.2, -5.0), (tall * 0.5, -5.0), (tall * 0.36, 7.0), (-tall * 0.1, 7.0))
    hull = smooth_curve([(mast + x, foot + y) for x, y in planks], closed=True, steps=6)
    scene[filled(sheet, hull)] = pigment("#a83232")


def _shore(sheet: Sheet, rng: np.random.Generator, scene: Array) -> Array:
    x, y = sheet.x, sheet.y
    grass = below(
        sheet, ridge(sheet, rng, ((0, 372), (170, 398), (360, 452), (560, 430), (768, 372)), rough=3, wave=90)
    )
    shadow = smoothstep(0.0, 0.8, noise(sheet, rng, 170, stretch=1.8) + (x - 470) / 300 + (y - 470) / 240)
    lawn = ramp(np.clip(0.74 + 0.16 * noise(sheet, rng, 30), 0, 1), MEADOW)
    shade = ramp(np.clip(0.4 + 0.25 * noise(sheet, rng, 26), 0, 1), ("#17204f", "#1f4a6b", "#1f6a4c"))
    scene = over(scene, over(lawn, shade, shadow), grass)
    flowers = smoothstep(1.5, 1.7, noise(sheet, rng, 15)) * (grass > 8)
    scene = over(scene, pigment("#e4572e") + 0 * scene, flowers)
    _figure(sheet, scene, 262, 470, 1.0)
    _figure(sheet, scene, 330, 448, 0.72)
    for left, right in ((604, 632), (716, 738)):
        trunk = np.minimum(x - left - 6 * np.sin(y / 60), right - x + 6 * np.sin(y / 60)) * (y < 470) * (y > 140)
        scene = over(scene, ramp(np.clip((x - left) / (right - left), 0, 1), ("#b8763c", "#6b3a5e", "#1d1a4b")), trunk)
    crown = 128 - np.hypot((x - 690) * 0.68, y - 92) + 24 * noise(sheet, rng, 75, octaves=3)
    light = 0.55 - 0.0022 * (x - 640) - 0.003 * (y - 110) + 0.24 * noise(sheet, rng, 54, octaves=2)
    scene = over(scene, ramp(np.clip(light, 0, 1), CROWN), crown)
    bush = 66 - np.hypot((x - 30) * 0.7, y - 352) + 12 * noise(sheet, rng, 50, octaves=2)
    return over(scene, ramp(np.clip(0.62 - (x - 10) / 260 + 0.2 * noise(sheet, rng, 40), 0, 1), CROWN), bush)


def _figure(sheet: Sheet, scene: Array, x: float, foot: float, size: float) -> None:
    """A woman in a long dress under a parasol, her shadow on the grass."""

    def place(*points: tuple[float, float], closed: bool = True) -> Array:
        return np.array([x, foot]) + size * smooth_curve(points, closed=closed, steps=8)

    ground = distance_inside(sheet, filled(sheet, place((0, -4), (70, 4), (118, 14), (60, 20), (-6, 8))))
    scene[:] = over(scene, pigment("#2b2f7a") + 0 * scene, np.where(ground > 0, 0.85, 0.0))
    for color, points in (
        ("#8e2a5c", ((-12, -84), (12, -84), (13, -52), (30, -4), (0, 4), (-30, -4), (-13, -52))),
        ("#e8c4d8", ((-9, -82), (2, -82), (-6, -46), (-22, -6), (-28, -6), (-12, -52))),
        ("#b8763c", ((0, -112), (9, -102), (0, -90), (-9, -102))),
        ("#f48b2a", ((-46, -112), (-26, -140), (8, -150), (40, -138), (56, -110), (6, -120))),
        ("#ffe06a", ((-46, -112), (-26, -140), (2, -150), (-6, -120))),
    ):
        scene[filled(sheet, place(*points))] = pigment(color)
