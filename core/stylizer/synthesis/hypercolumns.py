"""Hypercolumns: at each cell of a picture the compact encoder's features of several strides, side by side.

After Hariharan et al., "Hypercolumns for Object Segmentation and Fine-grained Localization", CVPR 2015, as Kolkin et
al. 2022 (arXiv 2203.13215, section 3.1) compare pictures by them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.compute import autocast, autocast_dtype
from stylizer.features.compact import CHANNELS, encoder_on

CELL = 4  # pixels a side: the stride at which hypercolumns lie
TAPS = (1, 2, 3)  # of the encoder, strides 2, 4 and 8; stride 1 tells little about what is where
WEIGHTS = (0.7, 1.0, 1.0)  # of each tap's share in the squared distance between hypercolumns
CHANNELS_OF_TAPS = tuple(CHANNELS[tap] for tap in TAPS)


def hypercolumns(picture: Tensor) -> Tensor:
    """Encode `picture` (1, 3, H, W), sRGB in [0, 1], H and W multiples of 8: (C, H / 4, W / 4), float32.

    Stride 2 is averaged to stride 4, stride 8 interpolated; channels are in the order of `TAPS`.
    """
    device = picture.device
    with autocast(autocast_dtype(device.type), device.type):
        taps = encoder_on(device)(picture.contiguous(memory_format=torch.channels_last))
    two, four, eight = (taps[tap] for tap in TAPS)
    size = four.shape[2:]
    coarse = functional.interpolate(eight, size, mode="bilinear", align_corners=False)
    return torch.cat([functional.avg_pool2d(two, 2), four, coarse], 1)[0].float()


def tap_scales(columns: Tensor) -> Tensor:
    """Factors (C,) that give each tap its weight in the variance of `columns` (N, C), whatever its own variance."""
    scales = []
    for part, weight in zip(torch.split(columns, list(CHANNELS_OF_TAPS), dim=1), WEIGHTS, strict=True):
        variance = part.var(0, correction=0).sum()
        # A style of one color varies by rounding alone, which must not be blown up to the size of features.
        floor = 1e-4 * part.square().mean() * part.shape[1] + 1e-8
        scales.append((weight / torch.maximum(variance, floor)).sqrt().expand(part.shape[1]))
    return torch.cat(scales)
