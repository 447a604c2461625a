"""Patch-based style transfer with learned features: pixels of the style, matched by an encoder.

For each cell of the photo the most similar cell of the style is searched and its pixels are pasted, coarse to fine, as
in Elad & Milanfar, "Style Transfer via Texture Synthesis", IEEE TIP 2017 (arXiv 1609.03057); similarity is measured on
the features of a network, as in Kolkin et al., "Neural Neighbor Style Transfer", 2022 (arXiv 2203.13215, section 3).
A coarse painting, made by a network (`neighbor_reduced`), gives it forms larger than a patch. Steps of a pass:

- search (`most_similar`): one matrix product over all cells, less a cost for the color distance from the photo (in the
  style's palette) and for hubs, keys similar to everything;
- coherence (`propagate_matches`): cells continue the patches of their neighbors (Ashikhmin 2001; PatchMatch, Barnes et
  al. 2009), which keeps strokes whole;
- voting (`merge_patches`): overlapping patches are merged by reweighted least squares (Kwatra et al. 2005);
- fusion with the photo, weighted by the content mask (Elad & Milanfar, section III-C).

The result is finished by a small network that blends the patches, and by palette transfer. Above `BASE_SIDE` there is
no search: matches are upsampled and refined tile by tile, and the style is read at its full resolution, so that large
paintings show its detail instead of an upsampled blur.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import Palette
from stylizer.compute import autocast_dtype, trim_malloc
from stylizer.feedforward.finisher import TILE as FINISHER_TILE
from stylizer.feedforward.finisher import finish
from stylizer.methods import MemoryPolicy, PreviewFn, Task
from stylizer.methods.neighbor_reduced import PLANS, paint_coarse, refine_painting
from stylizer.methods.scaling import resize_task, upsample_like
from stylizer.options import SIZE_RANGE
from stylizer.synthesis import pyramid
from stylizer.synthesis.bank_cache import ScaledStyle
from stylizer.synthesis.cell_area import CellArea, cells_in
from stylizer.synthesis.content_mask import estimate_content_mask
from stylizer.synthesis.hypercolumns import CELL, hypercolumns
from stylizer.synthesis.neighbor_search import propagate_matches, search, spread_seeds
from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.patch_source import assign_patches, assign_patches_by_region, keep_in_region, select_patches
from stylizer.synthesis.photo_guide import PhotoGuide, estimate_transfers
from stylizer.synthesis.pyramid import resize, scale_size
from stylizer.synthesis.style_bank import REACH, StyleBank, as_rows, cell_colors, upscale_matches
from stylizer.synthesis.voting import cell_patch_grid, merge_patches
from stylizer.tensors import as_bytes, as_floats, spatial_size
from stylizer.tiles import STRIDE, Tile, tiles

MAX_STYLE_SIDE = SIZE_RANGE[1]
BASE_SIDE = 512  # approximate long side in pixels up to which the whole style is searched
MAX_UPSCALED_STYLE_SIDE = round(BASE_SIDE * math.sqrt(2))  # the longest side that is about `BASE_SIDE`
MEMORY_POLICY = MemoryPolicy(min_pixels=4 * 2**20, block_bytes=64 * 2**20)

TILE = 768  # side of the tiles of refined levels, in pixels
CONTENT_WEIGHTS = (0.4, 0.6)  # weight of the photo where the mask is 1: at `BASE_SIDE`, at half of it
FINE_CONTENT_WEIGHT = 0.5  # the same above `BASE_SIDE`
QUERY_PHOTO_SHARE = 0.75  # share of the photo in the query; the rest is the current painting
QUERY_DETAIL_GAIN = 0.9  # amount of the photo's finest detail added to the upsampled painting
DITHER = 2.0  # noise on the query in flat areas below `BASE_SIDE`, relative to the style's detail
COARSE_PAINTING_WEIGHT = 0.3  # minimum weight of the guide at the first level above the coarse painting
COHERENCE_BONUS, SWEEPS, REFINEMENT_SWEEPS = 0.25, 6, 3  # arguments of `propagate_matches`
PASSES = (1, 2)  # at `BASE_SIDE`, at half of it
ROUNDS, REFINEMENT_ROUNDS = 3, 2  # rounds of the robust aggregation
# Cells around a tile that influence its pixels: a sweep reaches one cell, a round the three cells of a patch.
HALO = REFINEMENT_SWEEPS + 3 * REFINEMENT_ROUNDS + 1
TILES_BETWEEN_TRIMS = 4
MIN_BONUS_SHARE = 0.4  # minimum share of `SEED_BONUS`, reached where the content mask is high
SEED_SPACINGS, SEED_BONUS = (16, 8, 4), 0.7  # arguments of `spread_seeds`
PASS_UNITS = 10  # units of progress of a pass or a tile, relative to a step of the coarse painting
PALETTE_AMOUNT = 0.8  # amount of palette transfer at strength 1
MAX_PHOTO_WEIGHT = 1e6  # weight of the photo as the strength approaches 0


@dataclass(frozen=True, slots=True)
class Level:
    """One pyramid level.

    Attributes:
        size: Height and width of the painting in pixels.
        depth: 0 for a long side of about `BASE_SIDE`, 1 for half of it and so on; negative for larger sizes.
    """

    size: tuple[int, int]
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class LevelResult:
    """Result of a level, and input of the next finer one.

    Attributes:
        painting: (1, 3, h, w), float in [0, 1] or uint8.
        banks: One for each style.
        matches: For each bank the row and column of the match of each cell, (2, rows, columns).
        owner: Index of the style assigned to each cell, (rows, columns).
        statistics: Mean and deviation (C,) of the photo's hypercolumns.
    """

    painting: Tensor
    banks: Sequence[StyleBank]
    matches: Sequence[Tensor]
    owner: Tensor
    statistics: tuple[Tensor, Tensor]


def paint(task: Task) -> Tensor:
    """Paint `task.photo` with patches of `task.styles`: (1, 3, H, W)."""
    nothing_to_paint = task.mask is not None and not task.mask.any()
    if task.options.strength == 0 or nothing_to_paint:
        task.report(1, 1, lambda: task.photo)
        return task.photo
    if task.options.quality == "draft":
        painting = CoarseToFineSynthesis(resize_task(task, scale_size(spatial_size(task.photo), 0.5))).run()
        return upsample_like(painting, task.photo).clamp_(0, 1)
    return CoarseToFineSynthesis(task).run()


def plan_levels(height: int, width: int, coarse_side: int) -> list[Level]:
    """Return the levels, coarse to fine: from a long side of about twice `coarse_side` by doublings to the output."""
    side = max(height, width)
    count = 1 + max(0, round(math.log2(side / (2 * coarse_side))))
    above = max(0, round(math.log2(side / BASE_SIDE)))
    return [Level(size, depth) for depth, size in enumerate(pyramid.level_sizes(height, width, count), -above)][::-1]


class CoarseToFineSynthesis:
    """Coarse-to-fine synthesis of one painting.

    Args:
        task: The task.
        levels: How many of the finest levels to synthesize, without a coarse painting (for `training.drafts`); by
            default all above the coarse painting.
    """

    def __init__(self, task: Task, *, levels: int | None = None) -> None:
        self._task = task
        self._photo, self._options, self._report = task.photo, task.options, task.report
        self._hints = task.hints
        self._generator = torch.Generator().manual_seed(task.options.seed)
        self._coarse = levels is None
        self._plan = PLANS[task.options.quality]
        planned = plan_levels(*spatial_size(task.photo), self._plan.coarse_side)
        self._levels = planned[-(levels or len(planned)) :]
        self._base = next(level.size for level in reversed(self._levels) if level.depth >= 0)
        self._shares = [style.share for style in task.styles]
        self._styles = [ScaledStyle(style.picture) for style in task.styles]
        self._regions, self._groups = task.regions, task.groups()
        self._palettes = [Palette.mix([(style.picture[0], style.share) for style in group]) for group in self._groups]
        photo = resize(task.photo[0], self._base)
        mask = estimate_content_mask(photo) if task.content_mask is None else resize(task.content_mask[0], self._base)
        self.photo_guide = PhotoGuide.estimate(
            photo[None], mask[None], self._palettes, task.options.strength, self._regions
        )
        if self._hints is not None:
            transfers = self._hints.smooth_palettes("guide", self.photo_guide.transfers)
            self.photo_guide = replace(self.photo_guide, transfers=transfers)
        self._done = 0
        self._current: Tensor | None = None  # painting of the last pass
        passes = sum(len(_level_tiles(level)) * self._passes(level) for level in self._levels)
        passes += len(list(tiles(self._levels[-1].size, FINISHER_TILE)))
        self._total = PASS_UNITS * passes + len(self._groups) * (
            self._plan.coarse_units * self._coarse + self._plan.refinement_units
        )

    def run(self) -> Tensor:
        """Synthesize, finish and recolor the painting: (1, 3, H, W)."""
        painting = finish(self.draft(), self.guide, self._options.strength, on_tile=self._report_step)
        if self._plan.refinement_steps:
            units = len(self._groups) * self._plan.refinement_units
            painting = refine_painting(self._with_report(units), self.photo_guide, as_floats(painting))
        return self._match_palette(painting)

    def guide(self, tile: Tile) -> tuple[Tensor, Tensor]:
        """Return the recolored photo (1, 3, h, w) and the content mask (1, 1, h, w) over the context of `tile`."""
        mask = tile.resample(self.photo_guide.mask, self._levels[-1].size)
        return self.photo_guide.recolor_tile(self._photo, tile), mask

    def draft(self) -> Tensor:
        """Synthesize the merged patches, before finish and palette: (1, 3, H, W), float in [0, 1] or uint8."""
        if self._coarse:
            units = len(self._groups) * self._plan.coarse_units
            self.photo_guide = paint_coarse(self._with_report(units), self.photo_guide)
            self._done += units
        state: LevelResult | None = None
        for level in self._levels:
            photo = resize(self._photo[0], level.size)[None]
            if level.depth >= 0 or state is None:
                state = self._search(level, photo, state)
            else:
                state = self._refine(level, photo, state)
        assert state is not None
        return state.painting

    def _search(self, level: Level, photo: Tensor, previous: LevelResult | None) -> LevelResult:
        """Synthesize a level as a whole, searching each style completely."""
        (tile,) = _level_tiles(level)
        area = CellArea.from_tile(tile, level.size)
        guide = self.photo_guide.recolor_tile(photo, tile)
        target, weight = area.pixels(guide), area.pixels(self._photo_weight(level, tile))
        grid, padded = cell_patch_grid(target)
        colors = area.cells(cell_colors(guide))
        freedom = 1 - functional.avg_pool2d(area.pixels(tile.resample(self.photo_guide.mask, level.size)), CELL)[0, 0]
        bonus = SEED_BONUS * freedom.clamp(min=MIN_BONUS_SHARE)
        side = max(level.size) * self._options.style_scale
        banks = [style.bank(side, on_tile=self._report_again) for style in self._styles]
        painting = None if previous is None else _add_detail(tile.resample(previous.painting, level.size), guide)
        for _ in range(self._passes(level)):
            query = guide if painting is None else torch.lerp(painting, guide, QUERY_PHOTO_SHARE)
            if level.depth > 0:
                query = query + self._dither(level, tile, banks)
            columns = area.cells(hypercolumns(query.clamp(0, 1)))
            deviation, mean = torch.std_mean(columns[:, ::2, ::2], (1, 2), correction=0)
            statistics = mean, deviation
            matches = [
                self._matches(bank, columns, colors, statistics, bonus, level, number)
                for number, bank in enumerate(banks)
            ]
            patches = [bank.patches(match) for bank, match in zip(banks, matches, strict=True)]
            owner = self._assign(padded, grid, patches)
            start = target if painting is None else area.pixels(painting)
            merged = merge_patches(start, select_patches(patches, owner), target, weight, ROUNDS)
            finished = merged[:, :, : tile.bottom, : tile.right]
            if self._hints is not None:
                finished = self._hints.blend_prior(finished)
            self._report_step(finished)
            painting = tile.extract(finished)
        return LevelResult(finished, banks, matches, owner, statistics)

    def _refine(self, level: Level, photo: Tensor, previous: LevelResult) -> LevelResult:
        """Synthesize a level tile by tile, starting from the matches of each cell's parent at half the resolution."""
        side = max(level.size) * self._options.style_scale
        banks = [
            style.bank(side, bank, on_tile=self._report_again)
            for style, bank in zip(self._styles, previous.banks, strict=True)
        ]
        cells = cells_in(level.size)
        # Previews contain the coarser painting where no tile is finished yet.
        painting = functional.interpolate(as_bytes(previous.painting), level.size, mode="nearest")
        matches = [previous.owner.new_empty(2, *cells) for _ in banks]
        owner = previous.owner.new_empty(cells)
        regions = None if self._regions is None else self._regions.owners(*cells)
        previous = replace(previous, painting=as_floats(previous.painting))
        for number, tile in enumerate(_level_tiles(level, HALO), 1):
            area = CellArea.from_tile(tile, level.size, HALO)
            guide = self.photo_guide.recolor_tile(photo, tile)
            upsampled = tile.resample(previous.painting, level.size)
            query = torch.lerp(_add_detail(upsampled, guide), guide, QUERY_PHOTO_SHARE)
            columns, colors = area.cells(hypercolumns(query.clamp(0, 1))), area.cells(cell_colors(guide))
            self._report_again()
            parent, half = (
                index.to(owner.device) for index in area.parents(cells, cells_in(spatial_size(previous.painting)))
            )
            tile_owner = previous.owner[parent[0], parent[1]]
            if regions is not None and self._regions is not None:
                tile_owner = keep_in_region(tile_owner, self._regions.groups, area.clip(regions))
            tile_matches = []
            for style, (bank, coarse, match) in enumerate(zip(banks, previous.banks, previous.matches, strict=True)):
                start = upscale_matches(match[:, parent[0], parent[1]], half, coarse, bank)
                if self._regions is not None and not (tile_owner == style).any():
                    tile_matches.append(start)  # none of its patches is near
                    continue
                queries = bank.encoding.queries(as_rows(columns), as_rows(colors), previous.statistics)
                queries = torch.unflatten(queries, 0, area.size)
                tile_matches.append(
                    propagate_matches(start, queries, bank.keys, bonus=COHERENCE_BONUS, sweeps=REFINEMENT_SWEEPS)
                )
            patches = select_patches(
                [bank.patches(match) for bank, match in zip(banks, tile_matches, strict=True)], tile_owner
            )
            self._report_again()
            weight = area.pixels(self._photo_weight(level, tile))
            merged = merge_patches(area.pixels(upsampled), patches, area.pixels(guide), weight, REFINEMENT_ROUNDS)
            tile.view(painting).copy_(as_bytes(area.crop_to_tile(merged)))
            for grid, whole in zip((*tile_matches, tile_owner), (*matches, owner), strict=True):
                area.store(grid, whole)
            self._report_step(painting)
            if number % TILES_BETWEEN_TRIMS == 0:
                trim_malloc()
        return LevelResult(painting, banks, matches, owner, previous.statistics)

    def _assign(self, padded: Tensor, grid: PatchGrid, patches: Sequence[Tensor]) -> Tensor:
        """Assign each cell of a whole level to a style: index of the style, (rows, columns)."""
        if self._regions is None:
            return assign_patches(padded, grid, patches, self._shares)
        regions = self._regions.owners(grid.rows, grid.columns)
        return assign_patches_by_region(padded, grid, patches, self._shares, self._regions.groups, regions)

    def _matches(
        self,
        bank: StyleBank,
        columns: Tensor,
        colors: Tensor,
        statistics: tuple[Tensor, Tensor],
        bonus: Tensor,
        level: Level,
        style: int,
    ) -> Tensor:
        """Match hypercolumns (C, rows, columns) and cell colors to cells of `bank` of `style`: (2, rows, columns)."""
        key = f"{level.depth}-{style}"
        stride = self._plan.search_stride if level.depth == 0 else 1
        queries = bank.encoding.queries(as_rows(columns), as_rows(colors), statistics)
        queries = torch.unflatten(queries, 0, columns.shape[1:])
        dtype = autocast_dtype(queries.device.type)
        matches, queries, keys = search(
            queries, bank.keys, len(bank.encoding.axes), dtype, self._generator, stride=stride
        )
        for spacing in SEED_SPACINGS:
            matches = spread_seeds(matches, queries, keys, bonus=bonus, spacing=spacing, generator=self._generator)
        if self._hints is not None:
            matches = self._hints.keep_matches(key, matches, queries, keys)
        matches = propagate_matches(matches, queries, keys, bonus=COHERENCE_BONUS, sweeps=SWEEPS)
        if self._hints is not None:
            self._hints.record_matches(key, matches)
        return matches

    def _dither(self, level: Level, tile: Tile, banks: Sequence[StyleBank]) -> Tensor:
        """Return noise for the flat areas of the photo, where all cells would match the blandest patch of the style."""
        noise = torch.randn(1, 1, *level.size, generator=self._generator, dtype=torch.float32).to(self._photo.device)
        detail = sum(share * bank.detail for bank, share in zip(banks, self._shares, strict=True))
        if self._regions is not None:
            shares = self._regions.over(tile, level.size)
            parts = (
                sum(self._shares[style] * banks[style].detail for style in group) for group in self._regions.groups
            )
            detail = sum(share * part for share, part in zip(shares, parts, strict=True))
        freedom = (1 - 1.5 * tile.resample(self.photo_guide.mask, level.size)).clamp_(0, 1)
        return DITHER * self._options.strength * detail * freedom * tile.extract(noise)

    def _photo_weight(self, level: Level, tile: Tile) -> Tensor:
        """Return the weight of the photo relative to the patches, over the context of `tile`: (1, 1, h, w)."""
        content = FINE_CONTENT_WEIGHT if level.depth < 0 else CONTENT_WEIGHTS[level.depth]
        strength, weight = self._options.strength, content * tile.resample(self.photo_guide.mask, level.size)
        if self._coarse and level is self._levels[0]:
            weight = weight.clamp(min=COARSE_PAINTING_WEIGHT)
        # The weight of the photo grows without bound as the strength goes to 0, where the result is the photo itself.
        return min(MAX_PHOTO_WEIGHT, (1 - strength) / strength) + weight

    def _match_palette(self, painting: Tensor) -> Tensor:
        """Transfer the palette of the styles, region by region, to `painting`, in place."""
        amount = PALETTE_AMOUNT * self._options.strength
        transfers = estimate_transfers(resize(painting[0], self._base), self._palettes, amount, self._regions)
        if self._hints is not None:
            transfers = self._hints.smooth_palettes("painting", transfers)
        if self._regions is not None:
            return self._regions.mix_(painting, transfers)
        transfers[0].apply_(painting[0])
        return painting

    def _passes(self, level: Level) -> int:
        return 1 if level.depth < 0 else PASSES[level.depth]

    def _report_step(self, painting: Tensor) -> None:
        """Report one more unit of work, with `painting` as the preview."""
        self._done += PASS_UNITS
        self._current = painting
        self._report_again()

    def _with_report(self, units: int) -> Task:
        """Return the task with a callback for a step of `units` units of work."""
        done = self._done

        def report(step: int, of: int, current: PreviewFn) -> None:
            self._report(done + max(1, units * step // of), self._total, current)

        return replace(self._task, report=report)

    def _report_again(self) -> None:
        """Repeat the last report within a long unit of work, so that it can be canceled."""
        painting = self._current
        if painting is not None:
            self._report(self._done, self._total, lambda: as_floats(painting))


def _level_tiles(level: Level, halo: int = 0) -> list[Tile]:
    """Return the tiles of a level: a single one for a level that is searched, several for one that is refined."""
    side = STRIDE * -(-max(level.size) // STRIDE) if level.depth >= 0 else TILE
    reach = REACH + STRIDE * -(-CELL * halo // STRIDE)
    return list(tiles(level.size, side, reach=reach))


def _add_detail(painting: Tensor, guide: Tensor) -> Tensor:
    """Add the detail that `guide` loses at half the resolution to `painting`; both (1, 3, H, W), sides even."""
    half = functional.avg_pool2d(guide, 2)
    detail = guide - functional.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
    return painting + QUERY_DETAIL_GAIN * detail
