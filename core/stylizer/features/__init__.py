"""Perceptual encoders: what the neural methods compare pictures by."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Protocol, cast

import torch
from torch import Tensor

from stylizer.options import FeaturesName
from stylizer.tensors import CPU


class Features(Protocol):
    """A frozen network with taps, fine to coarse."""

    style_taps: dict[int, float]
    """Index of each tap that style is compared by, with its weight."""
    strides: tuple[int, ...]
    """Of the taps, in pixels."""
    reach: int
    """How far beyond its own place a feature looks, in pixels; a multiple of every stride."""

    def __call__(self, image: Tensor) -> list[Tensor]:
        """Features (1, C, h, w), one a tap, of `image` (1, 3, H, W), sRGB in [0, 1]."""
        ...

    def content(self, taps: list[Tensor]) -> list[Tensor]:
        """What structure is compared by, (1, C, h, w) each, made from the taps."""
        ...


_MODULES: dict[FeaturesName, str] = {"compact": "stylizer.features.compact", "vgg19": "stylizer.features.vgg19"}


@cache
def load(name: FeaturesName, device: torch.device = CPU) -> Features:
    """An encoder with its weights: float32, channels last, on `device`; loaded once for each, and kept.

    Raises:
        MissingWeights: They are not on this machine; the message says how to fetch them.
    """
    # What is made in inference mode, as the first caller may be, no gradient can ever pass through.
    with torch.inference_mode(False):
        return cast(Features, import_module(_MODULES[name]).load().to(device))
