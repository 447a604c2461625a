"""Woodcut: a block of pear wood carved in lines that swell and taper, printed black, with a red sun block."""

from __future__ import annotations

import numpy as np

from swatches.color import over, pigment, smoothstep
from swatches.noise import noise
from swatches.shapes import axes, below, inside_curve, ridge
from swatches.sheet import Array, Sheet

SIZE = (768, 576)
SEED = 5

CREAM, BLACK, RED = pigment("#f3e6c8"), pigment("#16120f"), pigment("#d23a1e")
SUN = (548.0, 150.0, 66.0)
CLOUDS = (
    (206, 104, 52, 150), (92, 118, 44, 150), (148, 112, 62, 150), (262, 128, 42, 150), (46, 136, 30, 150),
    (318, 140, 26, 150), (668, 262, 40, 296), (724, 248, 52, 296), (622, 282, 28, 296),
)  # fmt: skip


class Block:
    """The block: carved areas stay white. Regions are carved from back to front."""

    def __init__(self, sheet: Sheet, rng: np.random.Generator) -> None:
        self.sheet, self.rng = sheet, rng
        self.ink = np.zeros(sheet.shape)
        self.wobble = 1.5 * noise(sheet, rng, 46) + 0.5 * noise(sheet, rng, 14)
        self.nick = 0.1 * noise(sheet, rng, 42) + 0.07 * noise(sheet, rng, 15)

    def carve(self, inside: Array, guide: Array, lightness: Array, *, spacing: float = 10.0, rim: float = 3.6) -> None:
        """Carve one region with lines along the level curves of `guide`.

        Args:
            inside: Signed distance to the region's edge in units, positive inside.
            guide: A function with a slope of about one, in units.
            lightness: How much of the wood is cut away, 0 solid black - 1 all white.
            spacing: From line to line in units.
            rim: Width of the black line around the region in units.
        """
        turns = (guide + self.wobble) / spacing
        line = np.floor(turns).astype(np.intp)
        own = self.rng.normal(0, 0.07, 4096)[line % 4096]
        ridge_height = 1 - np.abs(2 * (turns - line) - 1)  # 0 between lines, 1 on them
        light = np.clip(lightness, 0.1, 0.8) + own + self.nick
        ink = self._edge((ridge_height - light) * spacing / 2)
        ink = np.where(light < 0.06, 1.0, np.where(light > 0.96, 0.0, ink))
        width = rim * (1 + 1.6 * self.nick)
        outline = self._edge(width / 2 - np.abs(inside - width / 2))
        self.ink = np.where(inside > 0, np.maximum(ink, outline), self.ink)

    def gap(self, inside: Array, width: float) -> None:
        """Cut a white line just outside a region, so that black stands free from black."""
        self.ink = np.where(inside > -width, 0.0, self.ink)

    def _edge(self, distance: Array) -> Array:
        return np.clip(distance * self.sheet.scale + 0.5, 0, 1)


def paint(sheet: Sheet) -> Array:
    """Paint the swatch, (H, W, 3) in 0-1, sRGB."""
    rng = np.random.default_rng(SEED)
    block = Block(sheet, rng)
    _sky(sheet, rng, block)
    _mountains(sheet, rng, block)
    _land(sheet, rng, block)
    _trees(sheet, rng, block)
    return _print(sheet, rng, block)


def _sky(sheet: Sheet, rng: np.random.Generator, block: Block) -> None:
    """Rings around the sun that grow heavier away from it, and clouds carved as rolls."""
    everywhere = np.full(sheet.shape, 99.0)
    away = np.hypot(sheet.x - SUN[0], sheet.y - SUN[1])
    light = 0.93 - 0.66 * smoothstep(80, 560, away) - 0.14 * np.sin(away / 26) ** 2
    block.carve(everywhere, away - SUN[2] + 5, light, spacing=11, rim=0)
    block.ink[away < SUN[2] + 4] = 0
    for x, y, size, base in CLOUDS:
        dx, dy = sheet.x - x, sheet.y - y
        puff = np.minimum(size - np.hypot(dx, dy * 1.2) + 2 * noise(sheet, rng, 40), base - sheet.y)
        light = 0.74 - 0.3 * smoothstep(-0.5, 0.9, (dy - 0.5 * dx) / size)
        block.gap(puff, 3)
        block.carve(puff, np.hypot(dx - 0.2 * size, dy - 0.5 * size), light, spacing=9.5)


def _mountains(sheet: Sheet, rng: np.random.Generator, block: Block) -> None:
    """Peaks with a side in the light and a side in the shade, each cut down its slope."""
    peaks = ((330, 200, 1.15), (470, 252, 1.3), (160, 262, 1.4), (640, 290, 1.5))
    for x, y, steep in peaks[::-1]:
        jag = 7 * noise(sheet, rng, 60, octaves=2)
        inside = (sheet.y - y - np.abs(sheet.x - x) / steep + jag) * 0.75
        crest = x + 22 * np.sin((sheet.y - y) / 30) + 14 * noise(sheet, rng, 70)[:, :1] - (sheet.y - y) * 0.12
        lit = sheet.x > crest
        edge = np.abs(sheet.x - crest)
        guide = np.where(lit, 0.85 * sheet.x - 0.5 * sheet.y, 0.8 * sheet.x + 0.6 * sheet.y)
        light = np.where(lit, 0.9 - 0.34 * smoothstep(20, 130, edge), 0.1 + 0.42 * smoothstep(0, 150, edge))
        block.gap(inside, 3.5)
        block.carve(inside, guide, light - 0.0006 * (sheet.y - y), spacing=10)


def _land(sheet: Sheet, rng: np.random.Generator, block: Block) -> None:
    """Two hills plowed in bows, and a lake in front that carries the light."""
    far = below(sheet, ridge(sheet, rng, ((0, 352), (260, 376), (520, 340), (768, 372)), rough=3, wave=120))
    block.carve(far, far + 0.12 * sheet.x, 0.75 - 0.5 * smoothstep(0, 70, far), spacing=9)
    near = below(
        sheet,
        ridge(sheet, rng, ((0, 408), (190, 376), (400, 420), (600, 398), (768, 420)), rough=3, wave=150),
    )
    bow = np.hypot(sheet.x - 250, (sheet.y - 620) * 1.4)
    block.gap(near, 3)
    block.carve(near, bow, 0.5 + 0.4 * np.sin(bow / 24) + 0.1 * noise(sheet, rng, 90), spacing=10)
    lake = below(sheet, ridge(sheet, rng, ((0, 476), (200, 462), (420, 452), (768, 470)), rough=2, wave=200))
    wave = sheet.y + 5 * np.sin(sheet.x / 23 + sheet.y / 9) + 3 * noise(sheet, rng, 60)
    glitter = 0.66 * np.exp(-(((sheet.x - SUN[0]) / 88) ** 2))
    block.gap(lake, 3)
    block.carve(lake, wave, 0.22 + glitter + 0.24 * noise(sheet, rng, 60, stretch=3), spacing=11)


def _trees(sheet: Sheet, rng: np.random.Generator, block: Block) -> None:
    """Round crowns on trunks, shaded like balls, and black leaves with white veins in the corner."""
    for x, y, size in ((66, 356, 36), (700, 372, 42), (634, 392, 28), (128, 386, 26)):
        trunk = 4.5 - np.abs(sheet.x - x) - 99 * ((sheet.y < y) | (sheet.y > y + size * 1.75))
        block.gap(trunk, 2.5)
        block.carve(trunk, sheet.x, np.zeros(sheet.shape), rim=0)
        crown = (size - np.hypot(sheet.x - x, (sheet.y - y) * 0.92)) + 2.5 * noise(sheet, rng, 18)
        toward_light = np.hypot(sheet.x - x - 0.45 * size, sheet.y - y + 0.5 * size)
        block.gap(crown, 3)
        block.carve(crown, toward_light, 0.98 - 0.6 * toward_light / size, spacing=8.5)
    for x, y, angle, length in (
        (-8, 560, -72, 190), (20, 590, -48, 215), (40, 596, -22, 190), (10, 600, -96, 150),
        (110, 596, -8, 150), (250, 604, -60, 96), (205, 604, -110, 80), (776, 590, -118, 170),
        (770, 596, -150, 150), (776, 560, -95, 130),
    ):  # fmt: skip
        _leaf(sheet, block, np.array([x, y], dtype=np.float64), np.deg2rad(angle), float(length))


def _leaf(sheet: Sheet, block: Block, root: Array, angle: float, length: float) -> None:
    """One leaf on a bowed rib, with side veins that run toward the tip."""
    along_axis, across_axis = axes(angle)
    bow, half = 0.14 * length, 0.17 * length
    shape = ((0, 0), (0.3, 1.0), (0.62, 0.85), (1, 0), (0.62, -0.85), (0.3, -1.0))
    knots = [
        root + along_axis * t * length + across_axis * (w * half + bow * np.sin(np.pi * t / 2) * t) for t, w in shape
    ]
    inside = inside_curve(sheet, knots)
    dx, dy = sheet.x - root[0], sheet.y - root[1]
    along = dx * along_axis[0] + dy * along_axis[1]
    across = dx * across_axis[0] + dy * across_axis[1]
    t = np.clip(along / length, 0, 1)
    side = across - bow * np.sin(np.pi * t / 2) * t
    rib = np.abs(side)
    light = 0.46 - 0.45 * smoothstep(0.35 * half, half, rib) + 0.12 * (side < 0)
    block.gap(inside, 3)
    block.carve(inside, 0.8 * along - 0.75 * rib, light, spacing=11, rim=4)
    block.ink = np.where((inside > 0) & (rib < 2.4 * (1 - t)), 0.0, block.ink)


def _print(sheet: Sheet, rng: np.random.Generator, block: Block) -> Array:
    """Paper, the red block a little out of register, the black block over it, thin where the wood was dry."""
    picture = np.broadcast_to(CREAM, (*sheet.shape, 3)) + 0.012 * noise(sheet, rng, 5, octaves=2)[..., None]
    disc = SUN[2] - np.hypot(sheet.x - SUN[0] - 1.5, sheet.y - SUN[1] - 1)
    red = np.clip(disc * sheet.scale, 0, 1) * (0.95 + 0.05 * noise(sheet, rng, 6, octaves=2))
    slit = np.abs(np.mod(sheet.y - SUN[1] + block.wobble, 12) - 6)
    red *= np.clip((slit - 2.4 * smoothstep(-60, 60, sheet.y - SUN[1])) * sheet.scale + 0.5, 0, 1)
    picture = over(picture, RED, np.maximum(red, _glitter(sheet)))
    dry = smoothstep(1.9, 3.2, noise(sheet, rng, 3.5) + 0.5 * noise(sheet, rng, 60))
    return np.clip(over(picture, BLACK, block.ink * (1 - 0.55 * dry)), 0, 1)


def _glitter(sheet: Sheet) -> Array:
    """The sun's reflection: a column of flat lenses, 1 inside."""
    rows = (sheet.y - 474) / 17
    row = np.floor(rows)
    half_width = 58 * (0.6 + 0.4 * np.sin(row * 2.4))
    aside = np.abs(sheet.x - SUN[0] - 14 * np.sin(row * 1.7))
    half_height = 5.5 * (1 - (aside / half_width) ** 2)
    lens = half_height - np.abs(rows - row - 0.5) * 17
    return np.where(rows > 0, np.clip(lens * sheet.scale + 0.5, 0, 1), 0.0)
