"""Embroidery: a bird among flowers in long and short stitches of silk on a stitched dusk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from swatches.color import pigment, ramp, smoothstep
from swatches.light import relief
from swatches.noise import noise, scatter
from swatches.shapes import arc_lengths, distance_inside, filled, inside_curve, level_curves, points_at, smooth_curve
from swatches.sheet import Array, Sheet
from swatches.strokes import Dab, footprint

SIZE = (768, 576)
SEED = 83

THREAD = 7.6
GROUND = pigment("#22101a")
NIGHT = ("#161c45", "#27407a", "#3f76a4", "#7fb0bf", "#cfe0d6", "#fbedd3")
DUSK = ("#35101f", "#6e2233", "#b04a45", "#dc8d68", "#f0c69a", "#fbedd3")
CORAL = ("#fff1d6", "#ffc49a", "#f5795a", "#d23b3f", "#8e1c3a")
LILAC = ("#fdf2ff", "#cdb4f0", "#8f74d6", "#5a46ae", "#33246f")
GOLD = ("#fff8d8", "#ffe08a", "#f4b63a", "#cf7f1e", "#7c3f16")
GREEN = ("#e6efaa", "#a9c95a", "#5a9a4a", "#27704c", "#123f3c")
TEAL = ("#dff7ec", "#83d6c4", "#2fa3a6", "#1a6a8a", "#123a66")
BROWN = ("#e8c48a", "#b57a3c", "#7a4526", "#4a2418")

BIRD = (
    (408, 270), (440, 222), (498, 186), (540, 152), (576, 150), (592, 178), (586, 222), (556, 272), (500, 304),
    (444, 302),
)  # fmt: skip
WING = (
    (542, 214), (520, 190), (478, 204), (430, 236), (372, 262), (330, 268), (380, 292), (440, 298), (500, 282),
    (536, 252),
)  # fmt: skip
BEAK = ((588, 166), (622, 176), (590, 186))


@dataclass
class Design:
    """The design: what to stitch where.

    Attributes:
        color: Color of the silk, (H, W, 3).
        angle: Direction of the stitches in radians, (H, W).
        motif: Number of the motif a place belongs to, 0 for the ground; later ones lie in front, (H, W).
        borders: Outlines to be worked over at the end, with the number of their motif and their color.
    """

    color: Array
    angle: Array
    motif: npt.NDArray[np.intp]
    borders: list[tuple[Array, int, Array]]

    def add(
        self,
        sheet: Sheet,
        inside: Array,
        color: Array,
        angle: Array,
        border: str | None = None,
        piece: Array | None = None,
    ) -> None:
        """Add a motif on top where `inside` (signed distance in units) is positive.

        No stitch crosses from one whole number of `piece` to another.
        """
        here = inside > 0
        self.color[here] = color[here]
        self.angle[here] = np.broadcast_to(angle, here.shape)[here]
        self.motif[here] = self.motif.max() + 1 + (0 if piece is None else piece[here].astype(np.intp))
        if border:
            number, silk = int(self.motif.max()), pigment(border)
            self.borders += [(c, number, silk) for c in level_curves(sheet, inside, inside + 9, np.zeros(1))]


def paint(sheet: Sheet) -> Array:
    """Paint the swatch, (H, W, 3) in 0-1, sRGB."""
    rng = np.random.default_rng(SEED)
    color = np.broadcast_to(GROUND, (*sheet.shape, 3)).copy()
    height, sheen = np.zeros(sheet.shape), np.zeros(sheet.shape)
    design = _design(sheet, rng)
    points = scatter(sheet, rng, 0.78 * THREAD, margin=4)
    motif = sheet.pick(design.motif.astype(np.float64), points)
    for point in points[np.argsort(motif, kind="stable")]:
        dab = _stitch(sheet, rng, design, point)
        silk = sheet.pick(design.color, np.array([dab.x, dab.y])) + rng.normal(0, 0.025) + rng.normal(0, 0.012, 3)
        _lay(sheet, dab, silk, color, height, sheen)
    for curve, number, silk in design.borders:
        for dab in _stem_stitches(curve):
            if design.motif[sheet.indices(np.array([dab.x, dab.y]))] <= number:
                _lay(sheet, dab, silk + rng.normal(0, 0.03), color, height, sheen)
    for size, code in ((17.0, "#fffbe8"), (9.5, "#0a0a14")):  # the bird's eye: a knot on a knot
        _lay(sheet, Dab(566, 172, 0.8, size, size), pigment(code), color, height, sheen)
    shade, _ = relief(gaussian_filter(height, 0.25 * sheet.scale), sheet)
    lit = color * (0.97 + 0.42 * np.clip(shade, -1.1, 1) + 0.2 * sheen)[..., None]
    return np.clip(lit + (0.1 * np.clip(sheen, 0, 1) * smoothstep(-0.2, 0.5, shade))[..., None], 0, 1)


def _stitch(sheet: Sheet, rng: np.random.Generator, design: Design, point: Array) -> Dab:
    """Return the stitch through a point, cut at the edge of its motif."""
    angle = float(sheet.pick(design.angle, point)) + rng.normal(0, 0.05)
    direction = np.array([np.cos(angle), np.sin(angle)])
    own = design.motif[sheet.indices(point)]
    ends = []
    for sign in (-1, 1):
        steps = point + sign * direction * np.arange(0, rng.uniform(13, 25), 1.5)[:, None]
        leaves = np.flatnonzero(design.motif[sheet.indices(steps)] != own)
        ends.append(steps[leaves[0] - 1] if len(leaves) and leaves[0] > 0 else steps[-1])
    middle, span = (ends[0] + ends[1]) / 2, float(np.linalg.norm(ends[1] - ends[0]))
    return Dab(middle[0], middle[1], angle, max(span, THREAD) + 2, THREAD * rng.uniform(0.85, 1.15))


def _stem_stitches(curve: Array) -> list[Dab]:
    """Short stitches along a line, each beginning half way back beside the one before, like a rope."""
    lengths = arc_lengths(curve)
    at = np.arange(4, lengths[-1], 7.0)
    place, ahead, behind = (points_at(curve, lengths, at + step) for step in (0, 3, -3))
    turn = np.arctan2(*(ahead - behind).T[::-1]) + 0.3
    return [Dab(x, y, a, 16.0, THREAD * 0.8) for (x, y), a in zip(place, turn, strict=True)]


def _lay(sheet: Sheet, dab: Dab, silk: Array, color: Array, height: Array, sheen: Array) -> None:
    """Lay a thread: round across, sunk at both ends, twisted, and bright where it lies across the light."""
    found = footprint(sheet, dab)
    if found is None:
        return
    window, along, across = found
    cover = smoothstep(1.0, 0.8, np.abs(across)) * smoothstep(1.0, 1 - 1.6 / dab.length, np.abs(along))
    rise = np.sqrt(np.clip(1 - across**2, 0, 1)) * (1 - 0.55 * along**4)
    twist = 0.5 + 0.5 * np.cos(along * dab.length * 1.25 + across * 2.2)
    shine = 0.5 - np.cos(2 * (dab.angle - np.deg2rad(45))) * 0.9
    color[window] += (silk * (0.9 + 0.12 * twist)[..., None] - color[window]) * cover[..., None]
    height[window] += (0.5 * height[window] + 1.7 * rise + 0.12 * twist - height[window]) * cover
    sheen[window] += (shine * (rise - 0.35) * (1 - along**2) - sheen[window]) * cover


def _design(sheet: Sheet, rng: np.random.Generator) -> Design:
    wind = sheet.y + 34 * np.sin(sheet.x / 110) + 22 * noise(sheet, rng, 200)
    tone = 0.36 + 0.3 * np.sin(wind / 34) + 0.14 * noise(sheet, rng, 90, stretch=2)
    slope_y, slope_x = np.gradient(wind)
    evening = smoothstep(150, 330, sheet.y + 0.25 * sheet.x + 60 * noise(sheet, rng, 220))
    tone = np.clip(tone, 0, 1)
    ground = ramp(tone, NIGHT) * (1 - evening)[..., None] + ramp(tone, DUSK) * evening[..., None]
    flow = np.arctan2(-slope_x, slope_y)
    design = Design(ground, flow, np.zeros(sheet.shape, dtype=np.intp), [])
    vine = ((-20, 470), (110, 520), (250, 440), (350, 330), (470, 330), (560, 420), (690, 450), (790, 360))
    _vine(sheet, design, smooth_curve(vine), 13.0)
    for branch in (
        ((250, 440), (230, 350), (150, 300), (70, 330), (60, 400), (110, 420)),
        ((350, 330), (340, 220), (390, 120), (470, 80), (520, 120), (480, 160)),
        ((560, 420), (600, 330), (680, 290), (730, 230), (700, 170)),
        ((470, 330), (440, 430), (380, 500), (420, 560), (480, 530)),
    ):
        _vine(sheet, design, smooth_curve(branch), 7.0)
    for x, y, angle, length, silk in (
        (300, 395, -150, 120, GREEN), (420, 322, 62, 120, TEAL), (160, 505, -60, 112, GREEN),
        (640, 445, 70, 124, GREEN), (345, 260, -165, 100, TEAL), (210, 330, -110, 96, GOLD),
        (610, 322, -120, 110, GREEN), (520, 372, 118, 96, GOLD), (60, 500, 40, 96, TEAL),
        (720, 205, 60, 104, TEAL), (470, 470, 20, 110, GREEN), (700, 440, -40, 84, GOLD),
    ):  # fmt: skip
        _leaf(sheet, design, np.array([x, y], dtype=np.float64), np.deg2rad(angle), float(length), silk)
    for x, y, size, petals, outer, inner in (
        (150, 168, 128, 8, CORAL, GOLD), (640, 118, 84, 6, LILAC, GOLD), (300, 520, 74, 6, LILAC, CORAL),
        (600, 520, 82, 7, TEAL, CORAL), (40, 420, 52, 5, GOLD, TEAL), (745, 520, 60, 6, GOLD, LILAC),
        (500, 20, 58, 6, GOLD, LILAC), (330, 40, 46, 5, TEAL, GOLD),
    ):  # fmt: skip
        _flower(sheet, design, x, y, size, petals, outer, inner)
    _bird(sheet, design)
    return design


def _vine(sheet: Sheet, design: Design, curve: Array, width: float) -> None:
    tangent = np.gradient(curve, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.linalg.norm(tangent, axis=1, keepdims=True)
    taper = np.linspace(1, 0.45, len(curve))[:, None] * width / 2
    outline = np.concatenate([curve + normal * taper, (curve - normal * taper)[::-1]])
    inside = distance_inside(sheet, filled(sheet, outline))
    nearest = cKDTree(curve).query(np.stack([sheet.x[inside > 0], sheet.y[inside > 0]], axis=1))[1]
    angle = np.zeros(sheet.shape)
    angle[inside > 0] = np.arctan2(tangent[nearest, 1], tangent[nearest, 0]) + 0.25
    design.add(sheet, inside, ramp(np.clip(1 - inside / width * 1.6, 0, 1), BROWN), angle)


def _leaf(sheet: Sheet, design: Design, root: Array, angle: float, length: float, silk: tuple[str, ...]) -> None:
    """A leaf in bands from light to dark, its stitches slanting out from the rib."""
    cosine, sine = np.cos(angle), np.sin(angle)
    shape = ((0, 0), (0.22, 0.25), (0.55, 0.29), (0.85, 0.14), (1, -0.1), (0.72, -0.14), (0.4, -0.2), (0.15, -0.13))
    knots = [(root[0] + length * (t * cosine - w * sine), root[1] + length * (t * sine + w * cosine)) for t, w in shape]
    inside = inside_curve(sheet, knots)
    along = ((sheet.x - root[0]) * cosine + (sheet.y - root[1]) * sine) / length
    across = ((sheet.y - root[1]) * cosine - (sheet.x - root[0]) * sine) / length - 0.05 * np.sin(3 * along)
    band = np.clip(0.12 + 3.4 * np.abs(across) + 0.3 * (across > 0) + 0.25 * (0.5 - along), 0, 1)
    slant = angle + np.sign(across) * (0.95 - 0.4 * along)
    design.add(sheet, inside, ramp(band, silk), slant, silk[4])
    rib = np.where(inside > 4, 2.2 - np.abs(across) * length, -1)
    design.add(sheet, rib, ramp(0 * along, silk), np.full(sheet.shape, angle))


def _flower(
    sheet: Sheet,
    design: Design,
    x: float,
    y: float,
    size: float,
    petals: int,
    outer: tuple[str, ...],
    inner: tuple[str, ...],
) -> None:
    """Two rings of petals stitched outward from the heart, and a heart of knots."""
    dx, dy = sheet.x - x, sheet.y - y
    away, around = np.hypot(dx, dy) / size, np.arctan2(dy, dx)
    for reach, silk, shift in ((1.0, outer, 0.0), (0.56, inner, 0.5)):
        turn = around / (2 * np.pi) * petals + shift
        petal = np.abs(turn - np.rint(turn)) * 2  # 0 in the middle of a petal, 1 between two
        brim = reach * (1 - 0.24 * petal**2.4)
        inside = np.minimum((brim - away) * size, (1 - petal) * np.pi * away * size / petals - 1)
        tone = np.clip(1.02 - 0.95 * away / reach + 0.3 * petal**2, 0, 1)
        fan = around + (np.rint(turn) - turn) * 2 * np.pi / petals * 0.45
        piece = np.mod(np.rint(turn), petals)
        design.add(sheet, inside, ramp(tone, silk), fan, silk[4], piece)
    knots = np.hypot(np.mod(dx, 8) - 4, np.mod(dy, 8) - 4)
    design.add(sheet, (0.2 - away) * size, ramp(np.clip(knots / 5, 0, 1), GOLD), around + np.pi / 2, GOLD[4])


def _bird(sheet: Sheet, design: Design) -> None:
    """A bird on the vine, looking back over its shoulder: tail, body, wing in rows of feathers, beak."""
    x, y = sheet.x, sheet.y
    _tail(sheet, design)
    chest = np.clip((x - 0.6 * (y - 200) - 470) / 130, 0, 1)
    rows = 0.12 * np.sin((x + y) / 7) * np.sin((x - y) / 7)
    down = ramp(np.clip(chest + rows, 0, 1), (*TEAL[3:1:-1], *GOLD[1:4], CORAL[2]))
    design.add(sheet, inside_curve(sheet, BIRD), down, 2.5 - 0.9 * chest, "#0f2a4a")
    wing = inside_curve(sheet, WING)
    for index, edge in enumerate((0.0, 11.0, 22.0, 33.0)):
        feather = wing - edge
        stripes = np.clip(0.5 + 0.42 * np.sin((x + 0.45 * y) / 6.5 + index * 2), 0, 1)
        silk = (LILAC, TEAL, GOLD, CORAL)[index]
        design.add(sheet, feather, ramp(stripes, silk), np.full(sheet.shape, 2.75 + 0.16 * index), silk[4])
    beak = ramp(np.clip((y - 166) / 20, 0, 1), GOLD[1:4])
    design.add(sheet, inside_curve(sheet, BEAK), beak, np.full(sheet.shape, 0.2), GOLD[4])


def _tail(sheet: Sheet, design: Design) -> None:
    """Three feathers that hang down ever farther."""
    barbs = np.clip(0.15 + 0.8 * np.abs(np.sin((sheet.x - 0.5 * sheet.y) / 13)), 0, 1)
    for bend, silk in ((0.0, CORAL), (26.0, TEAL), (52.0, GOLD)):
        outline = (
            (430, 262), (360 - bend, 300 + bend * 0.4), (262 - bend * 0.4, 330 + bend),
            (256 - bend * 0.4, 352 + bend), (372 - bend * 0.5, 336 + bend * 0.8), (446, 290),
        )  # fmt: skip
        angle = np.full(sheet.shape, 2.75 + bend / 160)
        design.add(sheet, inside_curve(sheet, outline), ramp(barbs, silk), angle, silk[4])
