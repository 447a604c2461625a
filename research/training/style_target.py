"""Style and content losses by the teachers, for training the feed-forward decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stylizer.features.statistics import Statistics
from stylizer.losses import style_loss, style_scales
from training.student import Moments, positions, structure
from training.teachers import CONTENT_LAYERS


def moments_of(features: Mapping[str, Tensor]) -> dict[str, Moments]:
    """Return mean (B, C) and covariance (B, C, C) of every layer's features (B, C, h, w)."""
    moments = {}
    for name, x in features.items():
        if x.shape[1] < 128 and x.requires_grad:
            x = x[:, :, ::2]  # every other row of the finest layer suffices, at half the cost
        each = [Statistics.from_features(one) for one in torch.split(x, 1)]
        moments[name] = torch.stack([one.mean for one in each]), torch.stack([one.covariance for one in each])
    return moments


def toward(ours: Mapping[str, Moments], theirs: Mapping[str, Moments], amount: float) -> dict[str, Moments]:
    """Interpolate statistics: `ours` at `amount` 0, `theirs` at 1."""
    return {
        name: (
            torch.lerp(a[0].float(), theirs[name][0].float(), amount),
            torch.lerp(a[1], theirs[name][1].float(), amount),
        )
        for name, a in ours.items()
    }


def style_errors(ours: Mapping[str, Moments], wanted: Sequence[Mapping[str, Moments]]) -> Tensor:
    """Return per image (B) the relative squared error of means plus covariances, averaged over layers."""
    errors = []
    for i, target in enumerate(wanted):
        seen = [Statistics(mean[i], covariance[i]) for mean, covariance in ours.values()]
        sought = [Statistics(*(x[0].float() for x in target[name])) for name in ours]
        errors.append(style_loss(seen, sought, [style_scales(layer) for layer in sought], [1.0] * len(sought)))
    return torch.stack(errors)


def content_errors(ours: Mapping[str, Tensor], photos: Mapping[str, Tensor]) -> Tensor:
    """Return per image (B) the mean squared difference of instance-normalized features, averaged over layers."""
    errors = [
        (structure(positions(ours[name])) - structure(positions(photos[name]))).square().mean((1, 2))
        for name in CONTENT_LAYERS
    ]
    return torch.stack(errors).mean(0)
