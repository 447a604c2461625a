"""Stained glass: poppies before a rising sun, pieces of colored glass in lead, lit from behind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter

from swatches.color import over, pigment, smoothstep
from swatches.light import relief
from swatches.noise import noise
from swatches.shapes import below, distance_to_seams, inside_curve, ridge
from swatches.sheet import Array, Sheet

SIZE = (768, 576)
SEED = 47

CAME = 6.6
SKY = ("#0a0f3c", "#0b2a6f", "#123f9c", "#1c63c4", "#3b8fd6", "#7cc0e6", "#b9dff0")
DAWN = ("#fff3b0", "#ffd95e", "#ffb52e", "#f9862a", "#ea5a3a", "#b93a6b")
HILLS = ("#06231f", "#0d4d3c", "#15704a", "#3f9a4c", "#8fbf4a", "#0f6d73", "#1c8f8c")
LEAVES = ("#0f5a2c", "#1f7f36", "#57a63a", "#a4cf4f")
PETALS = ("#4a0716", "#8e0f1f", "#c3152a", "#e5322f", "#f5633a", "#7a1650")
LILAC = ("#4a1d7a", "#6f36a8", "#9a63cc", "#c9a0e4")
WATER = ("#081c3a", "#0a3d66", "#14669a", "#2f97bf", "#83cbd6", "#e8f4e0")


class Window:
    """The layout of a window: the piece of each pixel, and the glass of each piece."""

    def __init__(self, sheet: Sheet, rng: np.random.Generator) -> None:
        self.sheet, self.rng = sheet, rng
        self.piece = np.zeros(sheet.shape, dtype=np.intp)
        self.glass: list[Array] = [pigment(SKY[0])]

    def cut(self, inside: Array, cell: Array, colors: tuple[str, ...], shade: Array | None = None) -> None:
        """Lay new glass where `inside` > 0, in pieces labeled by the integers in `cell`.

        The color of a piece is taken from `colors` at the mean of `shade` over it (0-1), or at random.
        """
        here = inside > 0
        numbers, places = np.unique(cell[here], return_inverse=True)
        luck = self.rng.uniform(size=(997, 2))[numbers.astype(np.intp) % 997]  # a piece's own, at any resolution
        if shade is None:
            at = luck[:, 0]
        else:
            at = np.bincount(places, shade[here]) / np.bincount(places) + 0.24 * (luck[:, 0] - 0.5)
        chosen = np.rint(np.clip(at, 0, 1) * (len(colors) - 1)).astype(np.intp)
        self.piece[here] = len(self.glass) + places
        self.glass += [
            pigment(colors[index]) * (0.9 + 0.18 * own) for index, own in zip(chosen, luck[:, 1], strict=True)
        ]


def paint(sheet: Sheet) -> Array:
    """Paint the swatch, (H, W, 3) in 0-1, sRGB."""
    rng = np.random.default_rng(SEED)
    window = Window(sheet, rng)
    _sky(sheet, rng, window)
    _land(sheet, rng, window)
    for flower in _garden():
        _poppy(sheet, window, *flower)
    return _lit(sheet, rng, window)


def _sky(sheet: Sheet, rng: np.random.Generator, window: Window) -> None:
    """Rings and rays around the sun, bent a little, as a glazier would cut them."""
    dx, dy = sheet.x - 402, sheet.y - 262
    away = np.hypot(dx, dy) + 7 * noise(sheet, rng, 160)
    around = np.arctan2(dy, dx) + 0.05 * noise(sheet, rng, 150) + 0.0011 * away
    everywhere = np.ones(sheet.shape)
    radii = np.array([26.0, 62, 98, 136, 176, 218, 262, 308, 356, 408, 464])
    ring = np.searchsorted(radii, away)
    for index in range(len(radii) + 1):
        rays = (1, 8, 14, 16, 22, 24, 30, 34, 38, 42, 44, 46)[index]
        ray = np.floor((around / (2 * np.pi) + 0.5 + 0.5 * (index % 2) / rays) * rays) % rays
        inside = np.where(ring == index, everywhere, -1)
        shade = np.clip((away - 20) / 200, 0, 1) if index < 6 else np.clip(1.34 - away / 360, 0, 1)
        window.cut(inside, ray, DAWN if index < 6 else SKY, shade)


def _land(sheet: Sheet, rng: np.random.Generator, window: Window) -> None:
    """Three hills cut across their slopes, and a river that winds down to the sill."""
    for index, heights in enumerate((
        ((0, 300), (180, 262), (380, 330), (590, 276), (768, 320)),
        ((0, 372), (220, 356), (430, 326), (640, 366), (768, 350)),
        ((0, 420), (200, 438), (420, 404), (600, 424), (768, 398)),
    )):  # fmt: skip
        depth = below(sheet, ridge(sheet, rng, heights, rough=2, wave=200))
        aslant = sheet.x + 0.9 * depth * (-1) ** index + 40 * index
        cell = np.floor(aslant / 52) + 100 * np.floor(depth / 36)
        window.cut(depth, cell, HILLS, np.clip(0.35 + 0.3 * np.sin(cell) + 0.2 * index - 0.2, 0, 1))
    t = np.clip((sheet.y - 338) / 240, 0, 1)
    middle = 402 + 74 * np.sin(t * 5.2) * t**0.7
    river = (9 + 78 * t) - np.abs(sheet.x - middle)
    bands = np.floor((sheet.y + 12 * np.sin((sheet.x - middle) / 24)) / 36) + 100 * (
        sheet.x > middle + 20 * np.sin(t * 16)
    )
    window.cut(np.where(sheet.y > 346, river, -1), bands, WATER)


def _garden() -> Iterator[tuple[float, float, float, tuple[str, ...], float]]:
    """Flowers as x, y, size, colors and where the stem stands on the sill."""
    yield 118.0, 282.0, 82.0, PETALS, 176.0
    yield 652.0, 312.0, 88.0, PETALS, 600.0
    yield 250.0, 436.0, 62.0, LILAC, 236.0
    yield 548.0, 462.0, 54.0, PETALS, 552.0
    yield 40.0, 452.0, 58.0, LILAC, 66.0
    yield 730.0, 482.0, 52.0, LILAC, 706.0


def _poppy(sheet: Sheet, window: Window, x: float, y: float, size: float, colors: tuple[str, ...], foot: float) -> None:
    """A stem, two leaves and an open flower of five petals around a dark heart."""
    t = np.clip((sheet.y - y) / (590 - y), 0, 1)
    middle = x + (foot - x) * t**1.6 + 14 * np.sin(t * np.pi)
    stem = np.where(sheet.y > y, 8.5 - np.abs(sheet.x - middle), -1)
    window.cut(stem, np.zeros(sheet.shape), LEAVES[1:3])
    for side in (-1, 1):
        root = np.array([foot + (x - foot) * 0.35, 590 - 0.3 * (590 - y)])
        tip = root + np.array([side * size * 1.15, -size * 0.95])
        bulge, middle_rib = np.array([side * 0.42, 0.3]) * size, (root + tip) / 2
        knots = [root, middle_rib + 0.85 * bulge, tip, middle_rib - 0.45 * bulge]
        rib = (sheet.x - root[0]) * (tip - root)[1] - (sheet.y - root[1]) * (tip - root)[0]
        halves = np.where(rib > 0, 1.0, 0.0) * (size > 70)
        window.cut(inside_curve(sheet, knots), halves, LEAVES)
    around, away = np.arctan2(sheet.y - y, sheet.x - x), np.hypot(sheet.x - x, sheet.y - y) / size
    petal = around / (2 * np.pi) * 5 + 0.25 + 0.06 * np.sin(away * 7)
    scallop = 0.86 + 0.14 * np.abs(np.sin(np.pi * petal)) ** 0.6
    inner = (away < 0.62 * scallop + 0.05) * 10
    window.cut(scallop - away, np.floor(petal) + inner, colors)
    window.cut(0.27 - away, np.zeros(sheet.shape), ("#ffd24a",))


def _lit(sheet: Sheet, rng: np.random.Generator, window: Window) -> Array:
    """Light through the glass, and lead with a rounded back over the joints."""
    away = gaussian_filter(distance_to_seams(sheet, window.piece), 0.8 * sheet.scale)
    swirl = noise(sheet, rng, 70, octaves=4) + 0.5 * noise(sheet, rng, 34, octaves=2, stretch=4)
    ripple = noise(sheet, rng, 16, octaves=2)
    glass = np.array(window.glass)[window.piece]
    density = np.clip(0.85 + 0.2 * swirl + 0.1 * ripple + 0.5 * np.exp(-away / 7), 0.35, None)
    density *= 1.05 - 0.35 * np.exp(-(((sheet.x - 402) / 300) ** 2 + ((sheet.y - 262) / 240) ** 2))
    light = np.clip(glass, 0.02, 1) ** density[..., None]
    shade, _ = relief(0.9 * ripple + 1.6 * swirl, sheet)
    light *= (1 + 0.14 * np.clip(shade, -1, 1))[..., None]
    light += (0.3 * smoothstep(0.6, 4.0, ripple + 0.7 * swirl))[..., None] * (1 - light)
    half = CAME / 2 * (1 + 0.12 * noise(sheet, rng, 50))
    back = np.sqrt(np.clip(1 - (away / half) ** 2, 0, 1)) * half
    lead_shade, lead_gloss = relief(back + 0.06 * noise(sheet, rng, 5), sheet)
    lead = (
        pigment("#23242a") * (1 + 0.75 * lead_shade + 0.1 * noise(sheet, rng, 8))[..., None]
        + 0.2 * lead_gloss[..., None]
    )
    return np.clip(over(light, lead, smoothstep(0.5, -0.5, away - half)), 0, 1)
