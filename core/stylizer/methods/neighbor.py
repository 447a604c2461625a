"""Texture synthesis on learned features: temporary draft, replaced by the complete method when the branches merge.

After Kolkin et al. 2022 (Neural Neighbor Style Transfer, arXiv 2203.13215).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import Palette, match_distribution
from stylizer.compute import autocast, autocast_dtype
from stylizer.features.compact import load
from stylizer.methods import Largest, Sparing, Task
from stylizer.options import SIZE_RANGE, STYLE_SCALE_RANGE, FeaturesName
from stylizer.synthesis.content_mask import find_content
from stylizer.synthesis.pyramid import resize

LARGEST: dict[FeaturesName | None, Largest] = {
    "compact": Largest(size=SIZE_RANGE[1], style_size=round(SIZE_RANGE[1] * STYLE_SCALE_RANGE[1]))
}
TAKES_CONTENT_MASK = True
LARGEST_STROKES = 512
SPARING = Sparing(pixels=4_000_000, piece=64 * 2**20)

LEVELS = (64, 128, 256, 512)
PATCH = 12


@torch.inference_mode()
def paint(task: Task) -> Tensor:
    """Paint `task.photo`: (1, 3, H, W)."""
    photo, strength = task.photo, task.options.strength
    if strength == 0 or (task.mask is not None and not task.mask.any()):
        task.report(1, 1, lambda: photo)
        return photo
    size = photo.shape[2], photo.shape[3]
    mask = find_content(photo[0]) if task.content_mask is None else task.content_mask[0]
    painting = torch.zeros_like(photo)
    for picture, share in task.pictures():
        painting += share * _paint(task, picture, mask, size)
    palette = Palette.mix([(style[0], share) for style, share in task.pictures()])
    return torch.lerp(photo, match_distribution(painting[0], palette, 0.8)[None], strength)


def _paint(task: Task, style: Tensor, mask: Tensor, full: tuple[int, int]) -> Tensor:
    photo = match_distribution(task.photo[0], Palette.of(style[0]))
    out: Tensor | None = None
    for number, level in enumerate(LEVELS):
        size = _fit(full, level)
        here, weight = resize(photo, size)[None], resize(mask, size)[None] * (0, 0.6, 1.2, 1.2)[number]
        small = resize(style[0], _fit((style.shape[2], style.shape[3]), level))[None]
        query = here if out is None else 0.75 * here + 0.25 * functional.interpolate(out, size, mode="bilinear")
        index, grid, style_grid = _nearest(query, small)
        out = _vote(small, index, grid, style_grid)
        out = (out + weight * here) / (1 + weight)
        state = out
        task.report(number + 1, len(LEVELS), lambda state=state: state)  # type: ignore[misc]
    assert out is not None
    return functional.interpolate(out, full, mode="bicubic").clamp(0, 1)


def _fit(full: tuple[int, int], level: int) -> tuple[int, int]:
    height, width = (max(16, round(side * level / max(full) / 8) * 8) for side in full)
    return height, width


def _nearest(query: Tensor, style: Tensor) -> tuple[Tensor, tuple[int, int], tuple[int, int]]:
    encoder = load().encoder
    rows = []
    for picture in (query, style):
        with autocast(autocast_dtype(picture.device.type), picture.device.type):
            taps = encoder(picture.contiguous(memory_format=torch.channels_last))
        grid = taps[2].shape[-2:]
        wide = [functional.adaptive_avg_pool2d(taps[1].float(), grid), taps[2].float()]
        row = torch.cat([level.flatten(2)[0].T for level in wide], 1)
        rows.append((functional.normalize(row - row.mean(0), dim=1), (grid[0], grid[1])))
    (ours, grid), (theirs, style_grid) = rows
    found = [(part @ theirs.T).argmax(1) for part in ours.split(2048)]
    return torch.cat(found), grid, style_grid


def _vote(style: Tensor, index: Tensor, grid: tuple[int, int], style_grid: tuple[int, int]) -> Tensor:
    pad, half = PATCH // 2, (PATCH - 4) // 2
    y, x = (index // style_grid[1]) * 4 + 2, (index % style_grid[1]) * 4 + 2
    pieces = functional.pad(style, (pad,) * 4, mode="reflect").unfold(2, PATCH, 1).unfold(3, PATCH, 1)[0][:, y, x]
    pieces = pieces.permute(0, 2, 3, 1).reshape(1, 3 * PATCH**2, -1)
    height, width = grid[0] * 4, grid[1] * 4
    size = (height + PATCH - 4, width + PATCH - 4)
    out = functional.fold(pieces, size, PATCH, stride=4) / functional.fold(
        torch.ones_like(pieces), size, PATCH, stride=4
    )
    return out[:, :, half : half + height, half : half + width]
