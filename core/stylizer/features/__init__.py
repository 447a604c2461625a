"""Perceptual encoders: what the neural methods compare pictures by."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from stylizer.options import FeaturesName

if TYPE_CHECKING:
    from torch import Tensor


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


def load(name: FeaturesName) -> Features:
    """Load an encoder with its weights: float32, channels last.

    Raises:
        MissingWeights: They are not on this machine; the message says how to fetch them.
    """
    return cast(Features, import_module(_MODULES[name]).load())
