"""Style transfer by texture synthesis on learned features: the style's own pixels, matched by an encoder.

For each small cell of the photo the most similar cell of the style is searched for and its pixels are pasted, from a
coarse picture to a fine one, as in Elad & Milanfar, "Style Transfer via Texture Synthesis", IEEE TIP 2017 (arXiv
1609.03057); but similarity is that of a network's features, as in Kolkin et al., "Neural Neighbor Style Transfer", 2022
(arXiv 2203.13215, section 3). The parts of a pass, in their order:

- search (`most_similar`): one matrix product over all cells, less a cost for colors far from the photo's (in the
  style's palette), and for hubs, which are similar to everything;
- coherence (`continue_matches`): cells continue their neighbors' pieces (Ashikhmin 2001; PatchMatch, Barnes et al.
  2009), so that strokes stay whole;
- voting (`merge_pieces`): overlapping pieces are merged by reweighted least squares (Kwatra et al. 2005);
- fusion with the photo, by the content mask (Elad & Milanfar, section III-C).

The painting is finished by a small network that joins the pieces, by the style's palette, and at quality "high" by some
steps of `optimization` from there. Above `BASE_SIDE` nothing is searched for: matches are kept, enlarged and refined
tile by tile, and the style is read at its full resolution, so that large paintings show its detail instead of an
enlarged blur.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import Palette, PaletteTransfer
from stylizer.compute import autocast_dtype, trim_malloc
from stylizer.feedforward.finisher import TILE as FINISHER_TILE
from stylizer.feedforward.finisher import finish
from stylizer.methods import MemoryPolicy, Style, Task
from stylizer.methods.scaling import resized
from stylizer.options import SIZE_RANGE
from stylizer.synthesis import pyramid
from stylizer.synthesis.bank_cache import ScaledStyle
from stylizer.synthesis.cell_area import CellArea, cells_in
from stylizer.synthesis.content_mask import find_content
from stylizer.synthesis.hypercolumns import CELL, hypercolumns
from stylizer.synthesis.neighbor_search import continue_matches, grow_pieces, search
from stylizer.synthesis.patch_source import assign_patches, select_patches
from stylizer.synthesis.photo_guide import PhotoGuide
from stylizer.synthesis.pyramid import resize, size_within
from stylizer.synthesis.style_bank import REACH, StyleBank, as_rows, cell_colors
from stylizer.synthesis.voting import merge_pieces, piece_grid
from stylizer.tensors import as_bytes, as_floats
from stylizer.tiles import STRIDE, Tile, tiles

MAX_STYLE_SIDE = SIZE_RANGE[1]
BASE_SIDE = 512  # long side in pixels, about, up to which cells are searched for
MAX_UPSCALED_STYLE_SIDE = round(BASE_SIDE * math.sqrt(2))  # the longest side that is about `BASE_SIDE`
MEMORY_POLICY = MemoryPolicy(pixels=4 * 2**20, piece=64 * 2**20)

COARSEST_SIDE = 64
TILE = 768  # pixels a side that are refined at once
CONTENT = (0.4, 0.6, 0.4, 0.1)  # weight of the photo where the mask is 1, from `BASE_SIDE` downward by halves
CONTENT_REFINED = 0.5  # the same above it
PHOTO_IN_QUERY = 0.75  # share of the photo in what is searched for; the rest is the painting so far
DETAIL_IN_QUERY = 0.9  # of the photo's finest detail, given to a painting that was enlarged
DITHER = 2.0  # noise on what is searched for in flat areas below `BASE_SIDE`, relative to the style's own detail
BONUS, SWEEPS, REFINING_SWEEPS = 0.25, 6, 3  # of `continue_matches`
PASSES = (1, 2, 2, 3)  # over a picture at `BASE_SIDE`, at half of it and so on; the last holds for all below
ROUNDS, REFINING_ROUNDS = 3, 2  # of the robust aggregation
# Cells around a tile that take part in its pixels: a sweep reaches one cell far, a round across a piece of three.
HALO = REFINING_SWEEPS + 3 * REFINING_ROUNDS + 1
TILES_BETWEEN_TRIMS = 4
MIN_FREEDOM = 0.4  # least share of `SEED_BONUS`, where the content mask is high
SEED_SPACINGS, SEED_BONUS = (16, 8, 4), 0.7  # of `grow_pieces`
DESCENT_STEPS = 12  # of optimization on the finished painting, at quality "high"
DESCENT_SIDE = 1024  # pixels, of what is descended on
PALETTE = 0.8  # how far the finished painting is brought to the style's palette
MAX_WEIGHT = 1e6  # of the photo for lack of strength


@dataclass(frozen=True, slots=True)
class Level:
    """One scale.

    Attributes:
        size: Height and width of the painting in pixels.
        depth: 0 where its long side is about `BASE_SIDE`, 1 at half of it and so on; below 0 above it.
    """

    size: tuple[int, int]
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What is handed on from level to level.

    Attributes:
        painting: (1, 3, h, w) in [0, 1], or in bytes.
        banks: Of each style.
        matches: Row and column in each bank of what a cell shows of the style, (2, rows, columns).
        owner: Index of the style that a cell shows, (rows, columns).
        statistics: Mean and deviation (C,) of the photo's hypercolumns.
    """

    painting: Tensor
    banks: Sequence[StyleBank]
    matches: Sequence[Tensor]
    owner: Tensor
    statistics: tuple[Tensor, Tensor]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the painting."""
        return self.painting.shape[2], self.painting.shape[3]


def paint(task: Task) -> Tensor:
    """Paint `task.photo` with pieces of `task.styles`: (1, 3, H, W)."""
    nothing_to_paint = task.mask is not None and not task.mask.any()
    if task.options.strength == 0 or nothing_to_paint:
        task.report(1, 1, lambda: task.photo)
        return task.photo
    if task.options.quality == "draft":
        height, width = task.photo.shape[2:]
        painting = Painter(resized(task, (max(1, round(height / 2)), max(1, round(width / 2))))).paint()
        return _enlarged(painting, task.photo).clamp_(0, 1)
    painter = Painter(task)
    painting = painter.paint()
    return _descended(task, painting, painter.report_step) if task.options.quality == "high" else painting


def levels_for(height: int, width: int) -> list[Level]:
    """The scales to paint at, from a long side of about `COARSEST_SIDE` by doublings to the output's."""
    side = max(height, width)
    count = 1 + max(0, round(math.log2(side / COARSEST_SIDE)))
    above = max(0, round(math.log2(side / BASE_SIDE)))
    return [Level(size, depth) for depth, size in enumerate(pyramid.level_sizes(height, width, count), -above)][::-1]


def _descended(task: Task, painting: Tensor, report_step: Callable[[Tensor], None]) -> Tensor:
    """The painting after some steps toward the style's statistics, which join what pieces leave apart.

    Of a large painting a smaller copy is changed, and its change enlarged: what is to be joined is large.
    """
    from stylizer.methods import optimization  # which most paintings do without

    size = size_within(painting.shape[2], painting.shape[3], DESCENT_SIDE)
    scale = min(1.0, DESCENT_SIDE / max(painting.shape[2:]))
    side = max(size) * task.options.style_scale
    styles = tuple(style.at_scale(scale, partial(_reduced_to, style, side)) for style in task.styles)
    small = replace(resized(task, size), styles=styles, report=lambda _step, _total, current: report_step(current()))
    change = optimization.refine(small, resize(painting[0], size)[None], DESCENT_STEPS)
    return painting.add_(_enlarged(change, painting)).clamp_(0, 1)


def _reduced_to(style: Style, side: float) -> Tensor:
    """The picture of a style with a long side of at most `side` pixels, (1, 3, h, w)."""
    picture = style.picture
    return resize(picture[0], size_within(picture.shape[2], picture.shape[3], side))[None]


def _enlarged(picture: Tensor, like: Tensor) -> Tensor:
    """`picture` (1, 3, h, w) at the size of `like`."""
    size = (like.shape[2], like.shape[3])
    return picture if picture.shape[2:] == size else functional.interpolate(picture, size, mode="bicubic")


class Painter:
    """One painting; of its levels the finest `levels` (default: all), as `training.drafts` needs."""

    def __init__(self, task: Task, *, levels: int = 0) -> None:
        self._photo, self._options, self._report = task.photo, task.options, task.report
        self._generator = torch.Generator().manual_seed(task.options.seed)
        self._levels = levels_for(task.photo.shape[2], task.photo.shape[3])[-levels:]
        self._base = next(level.size for level in reversed(self._levels) if level.depth >= 0)
        self._shares = [style.share for style in task.styles]
        self._styles = [ScaledStyle(style.picture) for style in task.styles]
        self._palette = Palette.mix([(picture[0], share) for picture, share in task.pictures()])
        photo = resize(task.photo[0], self._base)
        mask = find_content(photo) if task.content_mask is None else resize(task.content_mask[0], self._base)
        self._guide = PhotoGuide.of(photo[None], mask[None], self._palette, task.options.strength)
        self._done, self._current = 0, task.photo
        self._total = sum(len(_tiles_of(level)) * self._passes(level) for level in self._levels)
        self._total += len(list(tiles(self._levels[-1].size, FINISHER_TILE)))
        self._total += DESCENT_STEPS if task.options.quality == "high" else 0

    def paint(self) -> Tensor:
        """The painting, (1, 3, H, W)."""
        draft, strength = self.draft(), self._options.strength
        return self._in_palette(finish(draft, self.guide, strength, on_tile=self.report_step))

    def guide(self, tile: Tile) -> tuple[Tensor, Tensor]:
        """The recolored photo (1, 3, h, w) and the content mask (1, 1, h, w) over all that `tile` sees."""
        return self._guide.cut(self._photo, tile), tile.resample(self._guide.mask, self._levels[-1].size)

    def draft(self) -> Tensor:
        """The merged pieces, before they are brought to the palette: (1, 3, H, W) in [0, 1], or in bytes."""
        state: State | None = None
        for level in self._levels:
            photo = resize(self._photo[0], level.size)[None]
            if level.depth >= 0 or state is None:
                state = self._search(level, photo, state)
            else:
                state = self._refine(level, photo, state)
        assert state is not None
        return state.painting

    def _search(self, level: Level, photo: Tensor, before: State | None) -> State:
        """Paint a level as a whole, searching all of each style for its cells."""
        (tile,) = _tiles_of(level)
        area = CellArea.of(tile, level.size)
        guide = self._guide.cut(photo, tile)
        target, weight = area.pixels(guide), area.pixels(self._weight(level, tile))
        grid, padded = piece_grid(target)
        colors = area.cells(cell_colors(guide))
        free = 1 - functional.avg_pool2d(area.pixels(tile.resample(self._guide.mask, level.size)), CELL)[0, 0]
        bonus = SEED_BONUS * free.clamp(min=MIN_FREEDOM)
        side = max(level.size) * self._options.style_scale
        banks = [style.bank(side, on_tile=self._poll) for style in self._styles]
        painting = None if before is None else _with_detail(tile.resample(before.painting, level.size), guide)
        for _ in range(self._passes(level)):
            query = guide if painting is None else torch.lerp(painting, guide, PHOTO_IN_QUERY)
            if level.depth > 0:
                query = query + self._dither(level, tile, banks)
            columns = area.cells(hypercolumns(query.clamp(0, 1)))
            deviation, mean = torch.std_mean(columns[:, ::2, ::2], (1, 2), correction=0)
            statistics = mean, deviation
            matches = [self._matches(bank, columns, colors, statistics, bonus) for bank in banks]
            pieces = [bank.pieces(match) for bank, match in zip(banks, matches, strict=True)]
            owner = assign_patches(padded, grid, pieces, self._shares)
            start = target if painting is None else area.pixels(painting)
            merged = merge_pieces(start, select_patches(pieces, owner), target, weight, ROUNDS)
            finished = merged[:, :, : tile.bottom, : tile.right]
            self.report_step(finished)
            painting = tile.cut(finished)
        return State(finished, banks, matches, owner, statistics)

    def _refine(self, level: Level, photo: Tensor, before: State) -> State:
        """Paint a level tile by tile: a cell continues what its parent at half the size shows, in more detail."""
        side = max(level.size) * self._options.style_scale
        banks = [
            style.bank(side, bank, on_tile=self._poll) for style, bank in zip(self._styles, before.banks, strict=True)
        ]
        cells = cells_in(level.size)
        # Previews show the coarser painting where no tile is finished yet.
        painting = functional.interpolate(as_bytes(before.painting), level.size, mode="nearest")
        matches = [before.owner.new_empty(2, *cells) for _ in banks]
        owner = before.owner.new_empty(cells)
        before = replace(before, painting=as_floats(before.painting))
        for number, tile in enumerate(_tiles_of(level, HALO), 1):
            area = CellArea.of(tile, level.size, HALO)
            guide = self._guide.cut(photo, tile)
            enlarged = tile.resample(before.painting, level.size)
            query = torch.lerp(_with_detail(enlarged, guide), guide, PHOTO_IN_QUERY)
            columns, colors = area.cells(hypercolumns(query.clamp(0, 1))), area.cells(cell_colors(guide))
            self._poll()
            parent, part = (index.to(owner.device) for index in area.parents(cells, cells_in(before.size)))
            own = before.owner[parent[0], parent[1]]
            found = []
            for bank, coarse, match in zip(banks, before.banks, before.matches, strict=True):
                start = _upscaled_matches(match[:, parent[0], parent[1]], part, coarse, bank)
                queries = bank.encoding.queries(as_rows(columns), as_rows(colors), before.statistics)
                queries = torch.unflatten(queries, 0, area.size)
                found.append(continue_matches(start, queries, bank.keys, bonus=BONUS, sweeps=REFINING_SWEEPS))
            pieces = select_patches([bank.pieces(match) for bank, match in zip(banks, found, strict=True)], own)
            self._poll()
            weight = area.pixels(self._weight(level, tile))
            merged = merge_pieces(area.pixels(enlarged), pieces, area.pixels(guide), weight, REFINING_ROUNDS)
            tile.of(painting).copy_(as_bytes(area.own_pixels(merged)))
            for grid, whole in zip((*found, own), (*matches, owner), strict=True):
                area.store(grid, whole)
            self.report_step(painting)
            if number % TILES_BETWEEN_TRIMS == 0:
                trim_malloc()
        return State(painting, banks, matches, owner, before.statistics)

    def _matches(
        self, bank: StyleBank, columns: Tensor, colors: Tensor, statistics: tuple[Tensor, Tensor], bonus: Tensor
    ) -> Tensor:
        """Find cells of `bank` for hypercolumns (C, rows, columns) and cell colors: (2, rows, columns)."""
        queries = bank.encoding.queries(as_rows(columns), as_rows(colors), statistics)
        queries = torch.unflatten(queries, 0, columns.shape[1:])
        dtype = autocast_dtype(queries.device.type)
        matches, queries, keys = search(queries, bank.keys, len(bank.encoding.axes), dtype, self._generator)
        for spacing in SEED_SPACINGS:
            matches = grow_pieces(matches, queries, keys, bonus=bonus, spacing=spacing, generator=self._generator)
        return continue_matches(matches, queries, keys, bonus=BONUS, sweeps=SWEEPS)

    def _dither(self, level: Level, tile: Tile, banks: Sequence[StyleBank]) -> Tensor:
        """Noise where the photo is flat: without it all of a sky finds the blandest piece that the style has."""
        noise = torch.randn(1, 1, *level.size, generator=self._generator, dtype=torch.float32).to(self._photo.device)
        detail = sum(share * bank.detail for bank, share in zip(banks, self._shares, strict=True))
        free = (1 - 1.5 * tile.resample(self._guide.mask, level.size)).clamp_(0, 1)
        return DITHER * self._options.strength * detail * free * tile.cut(noise)

    def _weight(self, level: Level, tile: Tile) -> Tensor:
        """Weight of the photo against the pieces, over all that `tile` sees: (1, 1, h, w)."""
        content = CONTENT_REFINED if level.depth < 0 else CONTENT[min(level.depth, len(CONTENT) - 1)]
        strength = self._options.strength
        # Less strength is more weight for the photo, so much at last that the dial ends at the photo itself.
        return min(MAX_WEIGHT, (1 - strength) / strength) + content * tile.resample(self._guide.mask, level.size)

    def _in_palette(self, painting: Tensor) -> Tensor:
        """The painting with the distribution of the style's colors, most of the way."""
        amount = PALETTE * self._options.strength
        transfer = PaletteTransfer.estimate(resize(painting[0], self._base), self._palette, amount)
        transfer.apply_(painting[0])
        return painting

    def _passes(self, level: Level) -> int:
        return 1 if level.depth < 0 else PASSES[min(level.depth, len(PASSES) - 1)]

    def report_step(self, painting: Tensor) -> None:
        """Report one more unit of work, and what the painting looks like."""
        self._done += 1
        self._current = painting
        self._poll()

    def _poll(self) -> None:
        """Report the same again within a unit of work that takes long, so that it can be canceled."""
        painting = self._current
        if self._done:
            self._report(self._done, self._total, lambda: as_floats(painting))


def _tiles_of(level: Level, halo: int = 0) -> list[Tile]:
    """What is painted at once: all of a level that is searched for, tiles of one that is refined."""
    side = STRIDE * -(-max(level.size) // STRIDE) if level.depth >= 0 else TILE
    reach = REACH + STRIDE * -(-CELL * halo // STRIDE)
    return list(tiles(level.size, side, reach=reach))


def _upscaled_matches(matches: Tensor, part: Tensor, coarse: StyleBank, fine: StyleBank) -> Tensor:
    """Matches (2, rows, columns) in the bank of a style at one scale as matches in its bank at the next.

    Where the style has no more detail to show, its pieces are continued at their size.

    Args:
        matches: Of each cell's parent.
        part: Which half of its parent a cell is, down and across: (2, rows, columns), 0 or 1.
        coarse: What `matches` point into.
        fine: What the answer points into.
    """
    sizes = (
        torch.tensor(bank.keys.shape[:2], device="cpu").view(2, 1, 1).to(matches.device) for bank in (coarse, fine)
    )
    old, new = sizes
    return torch.minimum((matches.float() * new / old).round().long() + part, new - 1)


def _with_detail(painting: Tensor, guide: Tensor) -> Tensor:
    """An enlarged painting with what `guide` would lose at half the size; both (1, 3, H, W), sides even."""
    half = functional.avg_pool2d(guide, 2)
    detail = guide - functional.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
    return painting + DETAIL_IN_QUERY * detail
