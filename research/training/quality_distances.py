"""The project's quality metric: style and content distance of paintings by the teachers.

Unlike the training losses it is fixed: all layers, float32, a long side of 512 pixels, no offset for SqueezeNet.
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
"""Features (C, h * w) by layer."""


class Moments(NamedTuple):
    """Mean (C,) and covariance (C, C) of the features of a layer over an image."""

    mean: Tensor
    covariance: Tensor


@dataclass(frozen=True)
class Distance:
    """Distances of a painting to its style and photo.

    Attributes:
        layers: Error of the statistics against the style's, by layer; 0 identical.
        content: Difference from the photo's normalized features; 0 identical, about 2 unrelated.
    """

    layers: dict[str, float]
    content: float

    @property
    def style(self) -> float:
        """Mean error over layers."""
        return sum(self.layers.values()) / len(self.layers)


class PerceptualMetric:
    """Measures paintings, with a cache of the last styles and photos."""

    def __init__(self, teachers: Teachers) -> None:
        self._teachers = Teachers(tuple(replace(teacher, offset=0) for teacher in teachers.teachers))
        self._of_style = lru_cache(maxsize=64)(lambda path: statistics(self._features(read(path))))
        self._of_photo = lru_cache(maxsize=4)(self._see_photo)

    def distance(self, photo: Path, style: Path, painting: Path) -> Distance:
        """Return the distances of `painting`, which may have any size."""
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
    """Read an upright image (1, 3, H, W) in [0, 1] with a long side of 512 pixels."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    return to_tensor(picture.resize(long_side_to(LONG_SIDE, *picture.size), Image.Resampling.LANCZOS))


def statistics(features: Features) -> dict[str, Moments]:
    """Return mean and covariance of every layer."""
    return {name: Moments(x.mean(1), torch.cov(x, correction=0)) for name, x in features.items()}


def style_errors(ours: Mapping[str, Moments], theirs: Mapping[str, Moments]) -> dict[str, float]:
    """Return the relative squared error of the mean plus that of the covariance by layer."""
    return {
        name: sum(
            float((a - b).square().sum() / b.square().sum()) for a, b in zip(ours[name], theirs[name], strict=True)
        )
        for name in theirs
    }


def content_distance(ours: Features, theirs: Features) -> float:
    """Return the mean squared difference of instance-normalized features, averaged over the content layers."""
    differences = [_normalized(ours[name]) - _normalized(theirs[name]) for name in CONTENT_LAYERS]
    return sum(float(difference.square().mean()) for difference in differences) / len(differences)


def _normalized(x: Tensor) -> Tensor:
    """Normalize channels to mean 0 and deviation 1, without amplifying nearly constant ones."""
    return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-3 * x.std())
