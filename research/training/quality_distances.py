"""Distances of a painting from its style and its photo under the teachers, at several scales, and its relief.

Unlike the losses that weights are trained with, these never change: all layers, float32, SqueezeNet shown the picture's
very corner. They warn; they do not decide. Statistics can be met by wrinkles, and content at 512 pixels penalizes every
large stroke: with these two alone, paintings led that judges rejected. Hence three scales, and relief.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from stylizer.capabilities import long_side_to
from stylizer.color import to_oklab
from stylizer.synthesis.pyramid import gaussian_blur
from stylizer.tensors import to_tensor
from training.teachers import CONTENT_LAYERS, Teachers

LONG_SIDE = 512
SIDES = (LONG_SIDE, 256, 128)  # long sides in pixels at which style is compared; content at the first two
CELL = 16  # pixels a side of the areas that are called flat or not
FLAT_SHARE = 0.3  # of a picture's areas: those of least energy
BAND = (1.5, 5.0)  # standard deviations in pixels of the Gaussians whose difference is the band of relief
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
        layers: Error of its statistics against the style's at 512 pixels, by layer; 0 is the same statistics.
        styles: Mean of these errors over layers, by long side in pixels.
        contents: Difference of its structure from the photo's, by long side in pixels; 0 is the same structure, about 2
            an unrelated one.
        relief: See `relief`.
    """

    layers: dict[str, float]
    styles: dict[int, float]
    contents: dict[int, float]
    relief: float

    @property
    def style(self) -> float:
        """Style error at 512 pixels."""
        return self.styles[LONG_SIDE]

    @property
    def content(self) -> float:
        """Content difference at 512 pixels."""
        return self.contents[LONG_SIDE]


class Yardstick:
    """Measures paintings; features of the last styles and photos are cached."""

    def __init__(self, teachers: Teachers) -> None:
        self._teachers = Teachers(tuple(replace(teacher, offset=0) for teacher in teachers.teachers))
        self._style_statistics = lru_cache(maxsize=192)(lambda path, side: statistics(self._features(read(path, side))))
        self._photo_features = lru_cache(maxsize=8)(self._content_features)

    def distance(self, photo: Path, style: Path, painting: Path) -> Distance:
        """Measure `painting`, which may be of any size."""
        by_side = {side: self._features(_like(painting, photo, side)) for side in SIDES}
        errors = {side: style_errors(statistics(x), self._style_statistics(style, side)) for side, x in by_side.items()}
        return Distance(
            layers=errors[LONG_SIDE],
            styles={side: fmean(layers.values()) for side, layers in errors.items()},
            contents={side: content_distance(by_side[side], self._photo_features(photo, side)) for side in SIDES[:2]},
            relief=relief(read(photo), read(style), _like(painting, photo, LONG_SIDE)),
        )

    def _content_features(self, path: Path, side: int) -> Features:
        features = self._features(read(path, side))
        return {name: features[name] for name in CONTENT_LAYERS}

    def _features(self, picture: Tensor) -> Features:
        return {name: features[0].flatten(1) for name, features in self._teachers(picture).items()}


def read(path: Path, side: int = LONG_SIDE) -> Tensor:
    """Read an upright picture (1, 3, H, W) in [0, 1], resized to a long side of `side` pixels."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    return to_tensor(picture.resize(long_side_to(side, *picture.size), Image.Resampling.LANCZOS))


def _like(painting: Path, photo: Path, side: int) -> Tensor:
    """Read `painting` at the height and width of `photo`, whose long side has `side` pixels."""
    size = read(photo, side).shape[2:]
    return functional.interpolate(read(painting, side), size, mode="bilinear", antialias=True)


def relief(photo: Tensor, style: Tensor, painting: Tensor) -> float:
    """Return how much rougher flat areas of the photo are painted than the style's own flat areas, in lightness 0-100.

    The root of the energy of band-passed lightness where the photo is flat, less the same where the style is; 0 where
    the painting is no rougher. Wrinkles and weave show here; strokes that the style has everywhere do not.

    Args:
        photo: (1, 3, H, W) in [0, 1].
        style: (1, 3, h, w).
        painting: Like `photo`.
    """
    flat = _band_energy(photo)
    flat = flat <= flat.flatten().quantile(FLAT_SHARE)
    energy = _band_energy(style).flatten().sort().values
    smoothest = energy[: max(1, round(FLAT_SHARE * len(energy)))]
    rougher = _band_energy(painting)[flat].mean().sqrt() - smoothest.mean().sqrt()
    return 100 * max(0.0, float(rougher))


def _band_energy(picture: Tensor) -> Tensor:
    """Mean squared band-passed lightness (Oklab) of each area of a picture (1, 3, H, W): (H / 16, W / 16)."""
    lightness = to_oklab(picture[0])[:1]
    fine, coarse = (gaussian_blur(lightness, sigma) for sigma in BAND)
    return functional.avg_pool2d((fine - coarse).square()[None], CELL)[0, 0]


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
