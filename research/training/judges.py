"""What pictures can be compared by, the student or its teachers, all in one shape; and the distances between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from stylizer.features.compact import CompactFeatures, View
from training.student import Moments, moments, positions, structure
from training.teachers import CONTENT_LAYERS, VGG19_LAYERS, Layer, Teachers

Seen = tuple[list[Moments], list[Tensor]]
"""Statistics to compare style by, and features (B, P, C) to compare content by."""
Judge = Callable[[Tensor], Seen]
"""Sees a picture (B, 3, H, W)."""


def by_teachers(teachers: Teachers, layers: Sequence[Layer] | None = None) -> Judge:
    """The teachers themselves, on all layers or some: what the student is to stand in for."""
    chosen = teachers.layers if layers is None else layers

    def judge(image: Tensor) -> Seen:
        features = {name: positions(x.float()) for name, x in teachers.features(image).items()}
        return [moments(features[layer.name]) for layer in chosen], [
            features[layer.name] for layer in chosen if layer.name in CONTENT_LAYERS
        ]

    return judge


def by_vgg(teachers: Teachers) -> Judge:
    """VGG-19's three layers alone, as most neural style transfer would use them."""
    return by_teachers(teachers, VGG19_LAYERS)


def by_student(features: CompactFeatures, *, taps: bool = False, views: bool = False) -> Judge:
    """The student: style by its taps, by what the teachers would see, or by both; content by the latter."""

    def judge(image: Tensor) -> Seen:
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

    return judge


def style_distance(a: Seen, b: Seen) -> Tensor:
    """Mean over layers of the relative squared errors of mean and covariance of `a` against `b`."""
    errors = [
        sum((x - y).square().sum() / y.square().sum() for x, y in zip(ours, theirs, strict=True))
        for ours, theirs in zip(a[0], b[0], strict=True)
    ]
    return torch.stack(cast(list[Tensor], errors)).mean()


def content_distance(a: Seen, b: Seen) -> Tensor:
    """Mean squared difference of instance-normalized features, averaged over layers: 0 same, about 2 unrelated."""
    return torch.stack([(structure(x) - structure(y)).square().mean() for x, y in zip(a[1], b[1], strict=True)]).mean()
