"""How far paintings are from their style and their photo to the teachers: what the feed-forward network learns by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stylizer.features.statistics import Statistics
from stylizer.losses import LEAST_COVARIANCE
from training.pupil import Moments
from training.teachers import CONTENT_LAYERS


def moments_of(features: Mapping[str, Tensor]) -> dict[str, Moments]:
    """Mean (B, C) and covariance (B, C, C) of every layer's features (B, C, h, w)."""
    moments = {}
    for name, x in features.items():
        if x.shape[1] < 128 and x.requires_grad:
            x = x[:, :, ::2]  # every other row of the finest layer says enough, at half the price
        each = [Statistics.of(one) for one in torch.split(x, 1)]
        moments[name] = torch.stack([one.mean for one in each]), torch.stack([one.covariance for one in each])
    return moments


def toward(ours: Mapping[str, Moments], theirs: Mapping[str, Moments], amount: float) -> dict[str, Moments]:
    """Statistics between two pictures': the first's at `amount` 0, the second's at 1."""
    return {
        name: (
            torch.lerp(a[0].float(), theirs[name][0].float(), amount),
            torch.lerp(a[1], theirs[name][1].float(), amount),
        )
        for name, a in ours.items()
    }


def style_errors(ours: Mapping[str, Moments], wanted: Sequence[Mapping[str, Moments]]) -> Tensor:
    """For each picture (B) the relative squared errors of means plus those of covariances, the mean over layers."""
    total = next(iter(ours.values()))[0].new_zeros(len(wanted))
    for name, (mean, covariance) in ours.items():
        for i, target in enumerate(wanted):
            of_mean, of_covariance = (x[0].float() for x in target[name])
            scale = of_mean.square().sum()
            floor = (LEAST_COVARIANCE * scale).square()
            error = (mean[i] - of_mean).square().sum() / scale
            error = error + (covariance[i] - of_covariance).square().sum() / (of_covariance.square().sum() + floor)
            total[i] = total[i] + error / len(ours)
    return total


def content_errors(ours: Mapping[str, Tensor], photos: Mapping[str, Tensor]) -> Tensor:
    """For each picture (B) the mean squared difference of instance-normalized features, the mean over layers."""
    errors = [(structure(ours[name]) - structure(photos[name])).square().mean((1, 2, 3)) for name in CONTENT_LAYERS]
    return torch.stack(errors).mean(0)


def structure(features: Tensor) -> Tensor:
    """`features` (B, C, h, w) with every channel at mean 0 and deviation 1 over each picture."""
    features = features.float()
    variance, mean = torch.var_mean(features, (2, 3), keepdim=True, correction=0)
    whole = variance.mean(1, keepdim=True) + mean.var(1, keepdim=True, correction=0)
    deviation = variance.add(1e-12).sqrt() + 1e-3 * whole.add(1e-12).sqrt()
    return (features - mean) / deviation
