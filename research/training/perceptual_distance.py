"""Perceptual style and content distances, with the student or its teachers as feature extractor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from stylizer.features.compact import CompactFeatures, View
from training.student import Moments, moments, positions, structure
from training.teachers import CONTENT_LAYERS, VGG19_LAYERS, Layer, Teachers

ExtractedFeatures = tuple[list[Moments], list[Tensor]]
"""Statistics for the style distance, and features (B, P, C) for the content distance."""
FeatureExtractor = Callable[[Tensor], ExtractedFeatures]
"""Maps an image (B, 3, H, W) to its features."""


def teacher_extractor(teachers: Teachers, layers: Sequence[Layer] | None = None) -> FeatureExtractor:
    """Return an extractor with the teachers' features of `layers` (default: all)."""
    chosen = teachers.layers if layers is None else layers

    def extract(image: Tensor) -> ExtractedFeatures:
        features = {name: positions(x.float()) for name, x in teachers.features(image).items()}
        return [moments(features[layer.name]) for layer in chosen], [
            features[layer.name] for layer in chosen if layer.name in CONTENT_LAYERS
        ]

    return extract


def vgg_extractor(teachers: Teachers) -> FeatureExtractor:
    """Return an extractor with VGG-19's three layers only, as common in neural style transfer."""
    return teacher_extractor(teachers, VGG19_LAYERS)


def student_extractor(features: CompactFeatures, *, taps: bool = False, views: bool = False) -> FeatureExtractor:
    """Return an extractor with the student's features: style by taps, views or both; content by views."""

    def extract(image: Tensor) -> ExtractedFeatures:
        tapped = features(image)
        seen = [positions(tap.float()) for tap in tapped]
        statistics = [moments(tap) for tap in seen]
        chosen = statistics if taps else []
        if views:
            with torch.autocast(image.device.type, enabled=False):
                chosen = chosen + [
                    view.map_statistics(*statistics[view.tap])
                    for view in features.views.values()
                    if isinstance(view, View)
                ]
        return chosen, [positions(x.float()) for x in features.content(tapped)]

    return extract


def style_distance(a: ExtractedFeatures, b: ExtractedFeatures) -> Tensor:
    """Return the relative squared errors of mean and covariance of `a` against `b`, averaged over layers."""
    errors = [
        sum((x - y).square().sum() / y.square().sum() for x, y in zip(ours, theirs, strict=True))
        for ours, theirs in zip(a[0], b[0], strict=True)
    ]
    return torch.stack(cast(list[Tensor], errors)).mean()


def content_distance(a: ExtractedFeatures, b: ExtractedFeatures) -> Tensor:
    """Return the mean squared difference of instance-normalized features: 0 identical, about 2 unrelated."""
    return torch.stack([(structure(x) - structure(y)).square().mean() for x, y in zip(a[1], b[1], strict=True)]).mean()
