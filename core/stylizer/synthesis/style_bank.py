"""Style bank: descriptors and pixels of all cells of a style."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import to_oklab
from stylizer.synthesis.cell_area import CellArea, cells_in
from stylizer.synthesis.hypercolumns import CELL, hypercolumns, tap_scales
from stylizer.synthesis.patch_search import leading_axes
from stylizer.synthesis.pyramid import resize
from stylizer.tiles import mirrored_indices, tiles

DIMENSIONS = 64  # principal components of the hypercolumns in a descriptor
SAMPLES = 3000  # cells from which scales and components are estimated
TILE = 1024  # side in pixels of the tiles that are encoded at once
REACH = 56  # receptive-field radius of the encoder, in pixels
PATCH_SIDE = 3 * CELL  # side in pixels of the patch of a cell: the cell and one around it
COLOR_COST = 15.0  # cost of a squared distance of 1 in `cell_colors`; similarities are at most 1
COLOR_SCALE = (1.0, 2.0, 2.0)  # scale of lightness, green-red and blue-yellow in Oklab
ADAPTATION = (0.3, 3.0)  # bounds of the factors that scale a photo's features toward the style's deviation


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Projection of hypercolumns to short descriptors, fitted to one style and shared by all its scales.

    Attributes:
        scale: Scale of each channel, (C,).
        mean: Mean of the scaled hypercolumns, (C,).
        deviation: Standard deviation of the scaled hypercolumns, (C,).
        axes: Leading principal axes as rows, (D, C).
        color: Mean of `cell_colors`, (3,).
    """

    scale: Tensor
    mean: Tensor
    deviation: Tensor
    axes: Tensor
    color: Tensor

    @classmethod
    def fit(cls, columns: Tensor, colors: Tensor, generator: torch.Generator) -> Encoding:
        """Fit the encoding to hypercolumns (N, C) and cell colors (N, 3) of a style."""
        indices = torch.randperm(len(columns), generator=generator)[:SAMPLES].to(columns.device)
        scale = tap_scales(columns[indices])
        sample = columns[indices] * scale
        mean = sample.mean(0)
        axes = leading_axes(sample - mean, DIMENSIONS, generator)[1]
        return cls(scale, mean, sample.std(0, correction=0), axes, colors.mean(0))

    def keys(self, columns: Tensor, colors: Tensor) -> Tensor:
        """Compute descriptors of cells of the style: (N, D + 4) from hypercolumns (N, C) and colors (N, 3)."""
        projected = columns @ (self.axes * self.scale).T - self.axes @ self.mean
        unit = functional.normalize(projected, dim=1)
        colors = colors - self.color
        cost = -COLOR_COST * colors.square().sum(1, keepdim=True)
        return torch.cat([unit, (2 * COLOR_COST) ** 0.5 * colors, cost], 1)

    def queries(self, columns: Tensor, colors: Tensor, photo: tuple[Tensor, Tensor]) -> Tensor:
        """Compute descriptors of cells of a photo: their products with `keys` are similarity less color cost.

        Up to a constant for each cell.

        Args:
            columns: Hypercolumns, (N, C).
            colors: Cell colors, (N, 3).
            photo: Mean and deviation (C,) of the photo's hypercolumns, which are centered and scaled half-way to the
                style's deviation.
        """
        mean, deviation = photo
        low, high = ADAPTATION
        adapted = (self.deviation / (deviation * self.scale + 1e-4)).clamp(low, high).sqrt()
        axes = self.axes * (self.scale * adapted)  # scaling axes instead of cells saves a pass over all channels
        unit = functional.normalize(columns @ axes.T - axes @ mean, dim=1)
        colors = (2 * COLOR_COST) ** 0.5 * (colors - self.color)
        return torch.cat([unit, colors, torch.ones_like(colors[:, :1])], 1)


@dataclass(frozen=True, slots=True, eq=False)
class StyleBank:
    """The cells of one style at one scale.

    Attributes:
        encoding: Encoding of `keys`.
        keys: Descriptor of each cell, (rows, columns, D + 4).
        pixels: The style, reflect-padded by one cell, (3, 4 * rows + 8, 4 * columns + 8).
        size: Height and width of the style in pixels.
        detail: Standard deviation of the detail that half the resolution cannot represent.
    """

    encoding: Encoding
    keys: Tensor
    pixels: Tensor
    size: tuple[int, int]
    detail: float

    @classmethod
    def build(
        cls, style: Tensor, encoding: Encoding | None = None, *, on_tile: Callable[[], None] | None = None
    ) -> StyleBank:
        """Build the bank of `style` (1, 3, h, w), tile by tile.

        Args:
            style: sRGB in [0, 1].
            encoding: Encoding to reuse; keys are then float16, since such banks are large. By default an encoding is
                fitted to the style, and keys are float32.
            on_tile: Called after each tile; may raise to cancel.
        """
        precision = torch.float32 if encoding is None else torch.float16
        encoding = encoding or _fit_encoding(style)
        height, width = style.shape[2:]
        rows, columns = cells_in((height, width))
        keys = None
        for area, encoded, colors in _encode_tiles(style):
            part = torch.unflatten(encoding.keys(as_rows(encoded), as_rows(colors)), 0, encoded.shape[1:])
            if keys is None:
                keys = part.new_empty(rows, columns, part.shape[2], dtype=precision)
            keys[area.top : area.bottom, area.left : area.right] = part
            if on_tile is not None:
                on_tile()
        assert keys is not None
        down = mirrored_indices(-CELL, (rows + 1) * CELL, height).to(style.device)
        across = mirrored_indices(-CELL, (columns + 1) * CELL, width).to(style.device)
        pixels = style[0].index_select(1, down).index_select(2, across)
        low = resize(resize(style[0], (-(-height // 2), -(-width // 2))), (height, width))
        return cls(encoding, keys, pixels, (height, width), float((style[0] - low).std(correction=0)))

    def patches(self, matches: Tensor) -> Tensor:
        """Gather the patches at `matches` (2, rows, columns): (3, rows, columns, 12, 12)."""
        return self.pixels.unfold(1, PATCH_SIDE, CELL).unfold(2, PATCH_SIDE, CELL)[:, matches[0], matches[1]]


def cell_colors(picture: Tensor) -> Tensor:
    """Return the mean color of each cell of `picture` (1, 3, H, W): (3, H / 4, W / 4), Oklab times `COLOR_SCALE`."""
    colors = functional.avg_pool2d(to_oklab(picture[0])[None], CELL)[0]
    return colors * torch.tensor(COLOR_SCALE, dtype=colors.dtype, device="cpu").view(3, 1, 1).to(picture.device)


def _fit_encoding(style: Tensor) -> Encoding:
    # Fixed seed: a bank does not depend on the options of a painting, so it can be cached.
    generator = torch.Generator().manual_seed(0)
    sampled = []
    total = style.shape[2] * style.shape[3] / CELL**2
    for _, encoded, colors in _encode_tiles(style):
        stacked = torch.cat([as_rows(encoded), as_rows(colors)], 1)
        share = max(1, round(2 * SAMPLES * len(stacked) / total))
        sampled.append(stacked[torch.randperm(len(stacked), generator=generator)[:share].to(stacked.device)])
    stacked = torch.cat(sampled)
    return Encoding.fit(stacked[:, :-3], stacked[:, -3:], generator)


def _encode_tiles(style: Tensor) -> Iterator[tuple[CellArea, Tensor, Tensor]]:
    """Yield the area, hypercolumns (C, rows, columns) and colors (3, rows, columns) of each tile of `style`."""
    size = style.shape[2], style.shape[3]
    for tile in tiles(size, TILE, reach=REACH):
        area, context = CellArea.from_tile(tile, size), tile.extract(style)
        yield area, area.cells(hypercolumns(context)), area.cells(cell_colors(context))


def as_rows(grid: Tensor) -> Tensor:
    """Flatten (C, rows, columns) to (rows * columns, C)."""
    return grid.flatten(1).T


def upscale_matches(matches: Tensor, half: Tensor, coarse: StyleBank, fine: StyleBank) -> Tensor:
    """Convert matches (2, rows, columns) in a style's bank at one scale to its bank at the next finer one.

    Where the style has no finer scale, both banks are the same and patches continue at their size.

    Args:
        matches: Match of each cell's parent.
        half: Half of the parent that a cell covers, vertical and horizontal: (2, rows, columns), 0 or 1.
        coarse: Bank that `matches` refer to.
        fine: Bank that the result refers to.
    """
    coarse_size, fine_size = (
        torch.tensor(bank.keys.shape[:2], device="cpu").view(2, 1, 1).to(matches.device) for bank in (coarse, fine)
    )
    return torch.minimum((matches.float() * fine_size / coarse_size).round().long() + half, fine_size - 1)
