"""Hypercolumns: the compact encoder's features of several strides, concatenated for each cell of a picture.

Hariharan et al., "Hypercolumns for Object Segmentation and Fine-grained Localization", CVPR 2015; used for matching by
Kolkin et al. 2022 (arXiv 2203.13215, section 3.1).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.compute import autocast, autocast_dtype
from stylizer.features.compact import CHANNELS, encoder_on

CELL = 4  # side of a cell in pixels: the stride of the hypercolumns
TAPS = (1, 2, 3)  # taps of the encoder, strides 2, 4 and 8; stride 1 carries little semantics
WEIGHTS = (0.7, 1.0, 1.0)  # weight of each tap in the squared distance between hypercolumns
CHANNELS_OF_TAPS = tuple(CHANNELS[tap] for tap in TAPS)


def hypercolumns(picture: Tensor) -> Tensor:
    """Encode `picture` (1, 3, H, W), sRGB in [0, 1], H and W multiples of 8: (C, H / 4, W / 4), float32.

    Stride 2 is average-pooled to stride 4, stride 8 is interpolated; channels are in the order of `TAPS`.
    """
    device = picture.device
    with autocast(autocast_dtype(device.type), device.type):
        taps = encoder_on(device)(picture.contiguous(memory_format=torch.channels_last))
    two, four, eight = (taps[tap] for tap in TAPS)
    size = four.shape[2:]
    coarse = functional.interpolate(eight, size, mode="bilinear", align_corners=False)
    return torch.cat([functional.avg_pool2d(two, 2), four, coarse], 1)[0].float()


def tap_scales(columns: Tensor) -> Tensor:
    """Return factors (C,) that normalize the variance of each tap in `columns` (N, C) to its weight."""
    scales = []
    for part, weight in zip(torch.split(columns, list(CHANNELS_OF_TAPS), dim=1), WEIGHTS, strict=True):
        variance = part.var(0, correction=0).sum()
        # The variance of a style of one color is rounding error, which must not be amplified to the scale of features.
        floor = 1e-4 * part.square().mean() * part.shape[1] + 1e-8
        scales.append((weight / torch.maximum(variance, floor)).sqrt().expand(part.shape[1]))
    return torch.cat(scales)
