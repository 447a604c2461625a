"""Gaussian pyramids and resampling (Burt & Adelson 1983)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample `image` (C, H, W) to `size` (height, width): bicubic, antialiased, clamped to [0, 1]."""
    if image.shape[-2:] == size:
        return image
    resized = functional.interpolate(image[None], size, mode="bicubic", align_corners=False, antialias=True)
    return resized[0].clamp_(0, 1)


def scale_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return `size` (height, width) times `scale`, rounded, at least one pixel a side."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def size_within(size: tuple[int, int], side: float) -> tuple[int, int]:
    """Return `size` (height, width) reduced, in proportion, to a long side of at most `side` pixels."""
    return scale_size(size, min(1.0, side / max(size)))


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """Blur `image` (C, H, W) by a Gaussian of `sigma` pixels, truncated at 3 sigma, with reflection padding."""
    height, width = image.shape[-2:]
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    stack = image[:, None]  # one kernel for all channels: they become the batch
    stack = functional.conv2d(_reflect_pad(stack, radius, 0, width), kernel.view(1, 1, 1, -1))
    stack = functional.conv2d(_reflect_pad(stack, 0, radius, height), kernel.view(1, 1, -1, 1))
    return stack[:, 0]


def _reflect_pad(stack: Tensor, horizontal: int, vertical: int, side: int) -> Tensor:
    """Pad by reflection, or by replication where the picture is smaller than the padding."""
    padding = (horizontal, horizontal, vertical, vertical)
    return functional.pad(stack, padding, mode="reflect" if max(padding) < side else "replicate")


def level_sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """Return the sizes (height, width) of a pyramid's levels, finest first, each half the previous one."""
    return [scale_size((height, width), 0.5**k) for k in range(levels)]


def gaussian_pyramid(image: Tensor, levels: int) -> list[Tensor]:
    """Return `image` (C, H, W) and its reductions by 2, 4, ..., finest first: `levels` images."""
    height, width = image.shape[-2:]
    pyramid = [image]
    for size in level_sizes(height, width, levels)[1:]:
        pyramid.append(resize(pyramid[-1], size))
    return pyramid
