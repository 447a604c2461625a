"""Perceptual encoders: the feature spaces of the style and content losses."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Protocol, cast

import torch
from torch import Tensor

from stylizer.options import FeaturesName
from stylizer.tensors import CPU


class Features(Protocol):
    """Interface of a frozen encoder with taps, fine to coarse."""

    style_taps: dict[int, float]
    """Indices of the taps of the style loss, with their weights."""
    strides: tuple[int, ...]
    """Stride of each tap in pixels."""
    reach: int
    """Receptive-field radius in pixels, rounded up to a multiple of every stride."""

    def __call__(self, image: Tensor) -> list[Tensor]:
        """Encode `image` (1, 3, H, W), sRGB in [0, 1]: features (1, C, h, w), one for each tap."""
        ...

    def content(self, taps: list[Tensor]) -> list[Tensor]:
        """Compute the features of the content loss from the taps, (1, C, h, w) each."""
        ...


_MODULES: dict[FeaturesName, str] = {"compact": "stylizer.features.compact", "vgg19": "stylizer.features.vgg19"}


@cache
def load(name: FeaturesName, device: torch.device = CPU) -> Features:
    """Load an encoder onto `device`: float32, channels last, frozen; cached.

    Raises:
        MissingWeights: Its weights are not installed; the message says how to fetch them.
    """
    # The first caller may be in inference mode, whose tensors do not support autograd.
    with torch.inference_mode(False):
        return cast(Features, import_module(_MODULES[name]).load().to(device))
