"""How far a painting is from its style and from its photo, under the teachers: the project's yardstick.

Unlike the judges that weights are trained and compared by, this one never changes: all layers, float32, every picture
at a long side of 512 pixels, SqueezeNet shown the picture's very corner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from stylizer.tensors import long_side_to, to_tensor
from training.teachers import CONTENT_LAYERS, Teachers

LONG_SIDE = 512
Features = Mapping[str, Tensor]
"""By layer: (C, h * w)."""


class Moments(NamedTuple):
    """Of one layer over one picture: mean (C,) and covariance (C, C) of its features."""

    mean: Tensor
    covariance: Tensor


@dataclass(frozen=True)
class Distance:
    """Of a painting.

    Attributes:
        layers: Error of its statistics against the style's, by layer; 0 is the same statistics.
        content: Difference of its structure from the photo's; 0 is the same structure, about 2 an unrelated one.
    """

    layers: dict[str, float]
    content: float

    @property
    def style(self) -> float:
        """Mean of the errors over layers."""
        return sum(self.layers.values()) / len(self.layers)


class Yardstick:
    """Measures paintings; what it has seen of the last styles and photos it remembers."""

    def __init__(self, teachers: Teachers) -> None:
        self._teachers = Teachers(tuple(replace(teacher, offset=0) for teacher in teachers.teachers))
        self._of_style = lru_cache(maxsize=64)(lambda path: statistics(self._features(read(path))))
        self._of_photo = lru_cache(maxsize=4)(self._see_photo)

    def distance(self, photo: Path, style: Path, painting: Path) -> Distance:
        """Measure `painting`, which may be of any size."""
        (height, width), structure = self._of_photo(photo)
        picture = functional.interpolate(read(painting), (height, width), mode="bilinear", antialias=True)
        features = self._features(picture)
        return Distance(
            style_errors(statistics(features), self._of_style(style)), content_distance(features, structure)
        )

    def _see_photo(self, path: Path) -> tuple[tuple[int, int], Features]:
        picture = read(path)
        features = self._features(picture)
        return (picture.shape[2], picture.shape[3]), {name: features[name] for name in CONTENT_LAYERS}

    def _features(self, picture: Tensor) -> Features:
        return {name: features[0].flatten(1) for name, features in self._teachers(picture).items()}


def read(path: Path) -> Tensor:
    """An upright picture (1, 3, H, W) in [0, 1] with a long side of 512 pixels."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    return to_tensor(picture.resize(long_side_to(LONG_SIDE, *picture.size), Image.Resampling.LANCZOS))


def statistics(features: Features) -> dict[str, Moments]:
    """Mean and covariance of every layer."""
    return {name: Moments(x.mean(1), torch.cov(x, correction=0)) for name, x in features.items()}


def style_errors(ours: Mapping[str, Moments], theirs: Mapping[str, Moments]) -> dict[str, float]:
    """By layer: the relative squared error of the mean plus that of the covariance."""
    return {
        name: sum(
            float((a - b).square().sum() / b.square().sum()) for a, b in zip(ours[name], theirs[name], strict=True)
        )
        for name in theirs
    }


def content_distance(ours: Features, theirs: Features) -> float:
    """Mean squared difference of instance-normalized features, averaged over the content layers."""
    differences = [_normalized(ours[name]) - _normalized(theirs[name]) for name in CONTENT_LAYERS]
    return sum(float(difference.square().mean()) for difference in differences) / len(differences)


def _normalized(x: Tensor) -> Tensor:
    """Channels at mean 0 and deviation 1; those that see next to nothing are not blown up to it."""
    return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-3 * x.std())
