"""Pen hatching: a still life in bistre ink, shaded by layers of lines along the forms, with white chalk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swatches.color import glaze, over, pigment, smoothstep
from swatches.light import paper_grain
from swatches.noise import noise
from swatches.shapes import arc_lengths, below, distance_inside, filled, level_curves, points_at, ridge, smooth_curve
from swatches.sheet import Array, Sheet
from swatches.strokes import pen

SIZE = (768, 576)
SEED = 23

PAPER, INK, WASH, CHALK = pigment("#e9dab8"), pigment("#1d130d"), pigment("#8a5f3c"), pigment("#fffaf0")
LIGHT = np.array([-0.56, -0.52, 0.64])

SPACING = 10.2
ROWS = np.arange(-120.0, 180.0)

Line = tuple[Array, Array]

# Half-widths at heights.
JUG = (
    (96, 26), (110, 34), (124, 29), (150, 24), (178, 30), (214, 58), (262, 82), (312, 86), (356, 70), (392, 46),
    (402, 50),
)  # fmt: skip
PEAR = ((0, 5), (12, 13), (30, 19), (50, 24), (70, 37), (94, 49), (118, 49), (136, 38), (146, 20), (150, 8))
APPLE = ((0, 12), (5, 30), (20, 46), (42, 54), (64, 52), (84, 38), (92, 22), (95, 10))
BOWL = ((0, 92), (8, 91), (28, 86), (52, 70), (70, 46), (80, 36), (90, 42), (94, 44))


@dataclass(frozen=True)
class Form:
    """An object to draw: its area, tone and hatching direction.

    Attributes:
        inside: Signed distance to its edge in units, positive inside, (H, W).
        dark: 0 paper white - 1 black, (H, W).
        guides: Functions whose level curves the layers of lines follow, lightest layer first, in units.
    """

    inside: Array
    dark: Array
    guides: tuple[Array, ...]


def paint(sheet: Sheet) -> Array:
    """Paint the swatch, (H, W, 3) in 0-1, sRGB."""
    rng = np.random.default_rng(SEED)
    ink = np.zeros(sheet.shape)
    chalk = np.zeros(sheet.shape)
    wash = np.zeros(sheet.shape)
    for form in _still_life(sheet, rng):
        cover = np.clip(form.inside * sheet.scale + 0.5, 0, 1)
        ink, chalk, wash = (layer * (1 - cover) for layer in (ink, chalk, wash))
        here = form.inside > 0
        ink = np.maximum(ink, pen(sheet, _shading(sheet, rng, form) + _outline(sheet, rng, form)))
        chalk = np.maximum(chalk, cover * pen(sheet, _heightening(sheet, rng, form)))
        wash = np.where(here, smoothstep(0.35, 0.95, form.dark), wash)
    grain = paper_grain(sheet, rng, 2.5)
    picture = PAPER * (1 + 0.018 * grain + 0.012 * noise(sheet, rng, 150))[..., None]
    uneven = wash * (0.8 + 0.12 * noise(sheet, rng, 60, octaves=3))
    picture = glaze(picture, WASH, np.clip(0.75 * uneven, 0, None))
    picture = over(picture, CHALK, chalk * np.clip(0.9 + 0.16 * grain, 0, 1))
    return np.clip(over(picture, INK, ink * np.clip(0.95 + 0.06 * grain, 0, 1)), 0, 1)


def _shading(sheet: Sheet, rng: np.random.Generator, form: Form) -> list[Line]:
    """Layers of hatching, each where the tone is darker than the previous layers."""
    lines: list[Line] = []
    dark = form.dark + 0.05 * noise(sheet, rng, 26)
    for layer, guide in enumerate(form.guides):
        start = (0.02, 0.3, 0.54, 0.76)[layer]
        for path in level_curves(
            sheet, guide + 0.7 * noise(sheet, rng, 60), form.inside, (SPACING - 0.3 * layer) * ROWS
        ):
            lines += _pieces(sheet, rng, path, dark - start, length=62.0, width=3.3)
    return lines


def _outline(sheet: Sheet, rng: np.random.Generator, form: Form) -> list[Line]:
    heavy = 0.3 + 0.3 * np.clip(form.dark, 0, 1)
    lines: list[Line] = []
    for path in level_curves(sheet, form.inside, np.ones(sheet.shape), np.zeros(1)):
        lines += _pieces(sheet, rng, path, heavy, length=150.0, width=5.0)
    return lines


def _heightening(sheet: Sheet, rng: np.random.Generator, form: Form) -> list[Line]:
    lines: list[Line] = []
    bright = 0.2 - form.dark + 0.06 * noise(sheet, rng, 30)
    for path in level_curves(sheet, form.guides[0] + SPACING / 2, form.inside - 5, SPACING * ROWS):
        lines += _pieces(sheet, rng, path, bright, length=40.0, width=4.4)
    return lines


def _pieces(
    sheet: Sheet, rng: np.random.Generator, path: Array, want: Array, *, length: float, width: float
) -> list[Line]:
    """Cut a path into single strokes where `want` is positive, pressed in the middle, light at the ends."""
    lengths = arc_lengths(path)
    steps = np.arange(0, lengths[-1], 1.5)
    if len(steps) < 5:
        return []
    path = points_at(path, lengths, steps)
    pressure = sheet.pick(want, path)
    lines: list[Line] = []
    start = 0
    while start < len(path):
        stop = min(len(path), start + int(length * rng.uniform(0.6, 1.3) / 1.5))
        keep = np.flatnonzero(pressure[start:stop] > 0)
        if len(keep) > 5:
            part = slice(start + keep[0], start + keep[-1] + 1)
            t = np.linspace(0, 1, keep[-1] - keep[0] + 1)
            press = np.minimum(1, 5 * np.minimum(t + 0.03, 1.03 - t)) * (0.26 + 1.5 * np.clip(pressure[part], 0, 0.5))
            press *= rng.uniform(0.85, 1.15)
            lines.append((path[part] + rng.normal(0, 0.35, 2), width * press))
        start = stop + int(rng.integers(-1, 3))
    return lines


def _turned_body(sheet: Sheet, x: float, top: float, profile: tuple[tuple[int, int], ...], lean: float = 0.0) -> Form:
    """A body turned on a lathe: half-widths at heights below `top`, lit from the upper left."""
    at = np.array([row for row, _ in profile], dtype=np.float64) + top
    half = np.array([value for _, value in profile], dtype=np.float64)
    curve = smooth_curve([(h, a) for a, h in zip(at, half, strict=True)])
    middle = x + lean * (curve[:, 1] - top)
    left, right = (np.stack([middle + side * curve[:, 0], curve[:, 1]], 1) for side in (-1, 1))
    inside = distance_inside(sheet, filled(sheet, np.concatenate([left, right[::-1]])))
    radius = np.interp(sheet.y, curve[:, 1], curve[:, 0])
    swell = np.interp(sheet.y, curve[:, 1], np.clip(np.gradient(curve[:, 0], curve[:, 1]), -2.5, 2.5))
    side = np.clip((sheet.x - x - lean * (sheet.y - top)) / np.maximum(radius, 1), -1, 1)
    depth = np.sqrt(1 - side**2)
    facing = (side * LIGHT[0] - swell * LIGHT[1] + depth * LIGHT[2]) / np.sqrt(1 + swell**2)
    rim_light = 0.16 * smoothstep(0.55, 1.0, side)
    dark = np.clip(0.86 - 1.02 * facing - rim_light, 0, 1)
    girth = sheet.y - 0.32 * radius * depth
    return Form(
        inside,
        dark,
        (girth, 0.7 * sheet.x + 0.7 * sheet.y, 0.75 * sheet.x - 0.66 * sheet.y, sheet.x * 0.2 + sheet.y),
    )


def _still_life(sheet: Sheet, rng: np.random.Generator) -> list[Form]:
    x, y = sheet.x, sheet.y
    diagonal, counter = 0.64 * x + 0.77 * y, 0.8 * x - 0.6 * y
    everywhere = np.full(sheet.shape, 9.0)
    glow = np.hypot(x - 120, (y - 60) * 1.1)
    wall_dark = 0.08 + 0.8 * smoothstep(60, 640, glow) + 0.07 * noise(sheet, rng, 140)
    wall = Form(everywhere, wall_dark, (diagonal, counter, x + 0.15 * y, y))
    table_line = ridge(sheet, rng, ((0, 388), (768, 380)), rough=1, wave=200)
    depth = below(sheet, table_line)
    shadow = np.zeros(sheet.shape)
    for center_x, center_y, wide in ((330, 484, 120), (520, 470, 118), (172, 502, 84), (650, 520, 84), (420, 540, 60)):
        spot = np.hypot((x - center_x - wide * 0.42) / wide, (y - center_y) / (0.26 * wide))
        shadow = np.maximum(shadow, smoothstep(1.1, 0.4, spot))
    table = Form(
        depth,
        0.17 + 0.8 * shadow + 0.06 * noise(sheet, rng, 80),
        (y + 0.06 * x, diagonal, counter, x * 0.3 + y),
    )
    return [
        wall,
        table,
        _cloth(sheet, rng),
        _turned_body(sheet, 292, 22, JUG),
        _turned_body(sheet, 520, 392, BOWL),
        _turned_body(sheet, 470, 318, APPLE),
        _turned_body(sheet, 566, 312, APPLE),
        _turned_body(sheet, 172, 360, PEAR, lean=0.12),
        _turned_body(sheet, 410, 455, APPLE),
        _turned_body(sheet, 648, 372, PEAR, lean=-0.1),
    ]


def _cloth(sheet: Sheet, rng: np.random.Generator) -> Form:
    """A cloth that falls over the edge of the table in folds."""
    x, y = sheet.x, sheet.y
    edge = ((-20, 448), (120, 470), (300, 516), (480, 560), (560, 640), (768, 800))
    inside = below(sheet, ridge(sheet, rng, edge, rough=5, wave=130))
    fold = x * 0.86 + 0.5 * (y - 470) + 14 * noise(sheet, rng, 120)
    dark = 0.34 - 0.42 * np.sin(fold / 17) + 0.1 * noise(sheet, rng, 70)
    bend = y - 0.5 * x - 9 * np.cos(fold / 17)
    return Form(inside, np.clip(dark, 0, 1), (bend, 0.9 * x + 0.45 * y, 0.6 * x - 0.8 * y))
