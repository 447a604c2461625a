"""The student (encoder with one adapter per teacher layer) and its distillation losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylizer.features.compact import CompactEncoder
from training.teachers import CONTENT_LAYERS, Layer, Teachers

Moments = tuple[Tensor, Tensor]
CANVAS_CONTENT = 0.4  # weight per content layer, against about 6 for the style


def positions(features: Tensor) -> Tensor:
    """View `features` (B, C, h, w) as (B, h * w, C); no copy if channels-last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def moments(features: Tensor) -> Moments:
    """Return mean (B, C) and covariance (B, C, C) over the positions of `features` (B, P, C)."""
    mean = features.mean(1, keepdim=True)
    centered = features - mean
    return mean[:, 0].float(), (centered.transpose(1, 2) @ centered).float() / features.shape[1]


class Adapter(nn.Module):
    """A linear map (1x1 convolution) from a tap to a teacher's layer.

    Being linear, it maps the tap's mean and covariance to the predicted ones of the teacher without any features. Mean
    and scale of the teacher's layer are buffers, so that weights have the same magnitude for all teachers.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels) * 0.3 / in_channels**0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("mean", torch.zeros(out_channels))
        self.register_buffer("scale", torch.ones(()))

    @property
    def variance(self) -> Tensor:
        """The layer's variance over the training images, summed over channels; normalizes the errors."""
        return self.scale.square() * len(self.mean)

    @property
    def matrix(self) -> Tensor:
        """Matrix from the tap's channels to the teacher's, (C', C)."""
        return self.weight * self.scale

    @property
    def offset(self) -> Tensor:
        """Bias, (C',)."""
        return self.mean + self.bias * self.scale

    def features(self, tap: Tensor) -> Tensor:
        """Predict the teacher's features (B, P, C') from `tap` (B, P, C)."""
        return functional.linear(tap, self.matrix, self.offset)

    def moments(self, tap: Tensor) -> Moments:
        """Predict mean and covariance of the teacher's features from `tap` (B, P, C)."""
        mean, covariance = moments(tap)
        with torch.autocast(tap.device.type, enabled=False):
            return self.expected(mean, covariance)

    def expected(self, mean: Tensor, covariance: Tensor) -> Moments:
        """Predict the teacher's mean (B, C') and covariance (B, C', C') from a tap's."""
        return functional.linear(mean, self.matrix, self.offset), self.matrix @ covariance @ self.matrix.T


class Student(nn.Module):
    """The encoder with one adapter per teacher layer."""

    def __init__(self, encoder: CompactEncoder, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.encoder = encoder
        self.adapters = nn.ModuleDict(
            {layer.name: Adapter(encoder.channels[layer.tap], layer.channels) for layer in layers}
        )

    def adapter(self, layer: Layer) -> Adapter:
        """Return the adapter of a teacher's layer."""
        return cast(Adapter, self.adapters[layer.name])


def statistics_error(ours: Moments, wanted: Moments, variance: Tensor) -> Tensor:
    """Return the relative squared error of the mean plus that of the covariance, averaged over the batch.

    Args:
        ours: Mean (B, C) and covariance (B, C, C).
        wanted: The targets.
        variance: The layer's typical variance; bounds the relative error of flat images.
    """
    floors = (0.02 * variance, 0.02 * variance.square() / wanted[0].shape[1])
    total = torch.zeros(())
    for a, b, floor in zip(ours, wanted, floors, strict=True):
        error, size = ((a - b).flatten(1).square().sum(1), b.flatten(1).square().sum(1))
        total = total + (error / (size + floor)).mean()
    return total


def losses(student: Student, teachers: Teachers, batch: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the relative errors of features and statistics by layer (0: identical to the teacher's).

    Style transfer matches statistics, so a small but systematic feature error would change paintings.
    """
    targets = teachers(batch)
    taps = student.encoder(batch)
    result = {}
    for layer in teachers.layers:
        target = targets[layer.name]
        tap = teachers.aligned(taps[layer.tap], layer, target)
        if layer.tap == 0:
            # A quarter of the finest layer is already 9,000 samples per crop and costs as much as all other layers.
            target, tap = (x[:, :, : x.shape[2] // 2, : x.shape[3] // 2] for x in (target, tap))
        target, tap = positions(target), positions(tap)
        adapter = student.adapter(layer)
        difference = adapter.features(tap) - target
        error = torch.linalg.vector_norm(difference, dtype=torch.float32).square()
        # Every other crop suffices for the statistics, at half the cost.
        statistics = statistics_error(adapter.moments(tap[::2]), moments(target[::2]), adapter.variance)
        result[layer.name] = (error / (adapter.variance * target.shape[:2].numel()), statistics)
    return result


def painting_loss(student: Student, layers: Sequence[Layer], image: Tensor, style: Tensor, photo: Tensor) -> Tensor:
    """Return the style transfer loss of `image` for `style` and `photo`, all (B, 3, H, W).

    Style uses the taps, by which paintings are made, and the predicted teacher statistics, which the teachers can
    correct.
    """
    taps = student.encoder(image)
    with torch.no_grad():
        of_style, of_photo = student.encoder(style), student.encoder(photo)
    loss = torch.zeros(())
    for index, (tap, wanted) in enumerate(zip(taps, of_style, strict=True)):
        seen, sought = moments(positions(tap)), moments(positions(wanted))
        spread = sought[1].diagonal(dim1=1, dim2=2).sum(1).mean()
        loss = loss + statistics_error(seen, sought, spread)
        for layer in layers:
            if layer.tap != index:
                continue
            adapter = student.adapter(layer)
            with torch.autocast(image.device.type, enabled=False):
                expected = [adapter.expected(*pair) for pair in (seen, sought)]
                loss = loss + 0.3 * statistics_error(expected[0], expected[1], adapter.variance)
            if layer.name in CONTENT_LAYERS:
                shown, kept = (structure(adapter.features(positions(x))) for x in (tap, of_photo[index]))
                loss = loss + CANVAS_CONTENT * (shown - kept).square().mean()
    return loss


def structure(features: Tensor) -> Tensor:
    """Normalize `features` (B, P, C) to mean 0 and deviation 1 per channel and image."""
    features = features.float()
    variance, mean = torch.var_mean(features, 1, keepdim=True, correction=0)
    # Variance over all channels, without a second pass over the features.
    whole = variance.mean(2, keepdim=True) + mean.var(2, keepdim=True, correction=0)
    return (features - mean) / (variance.add(1e-12).sqrt() + 1e-3 * whole.add(1e-12).sqrt())


@torch.no_grad()
def calibrate(student: Student, teachers: Teachers, batches: Sequence[Tensor]) -> dict[str, float]:
    """Initialize every adapter by least squares; return each layer's unexplained share of variance.

    Gradients are then useful from the first step on.
    """
    sums: dict[str, list[Tensor]] = {}
    for batch in batches:
        targets, taps = teachers(batch), student.encoder(batch)
        for layer in teachers.layers:
            tap = teachers.aligned(taps[layer.tap], layer, targets[layer.name])
            x, y = (positions(f).flatten(0, 1).double() for f in (tap, targets[layer.name]))
            new = [x.mean(0), y.mean(0), x.T @ x / len(x), x.T @ y / len(x), y.square().mean(0)]
            sums[layer.name] = [a + b for a, b in zip(sums.get(layer.name, [torch.zeros(())] * 5), new, strict=True)]
    left = {}
    for layer in teachers.layers:
        x, y, xx, xy, yy = (total / len(batches) for total in sums[layer.name])
        xx, xy, variance = xx - x.outer(x), xy - x.outer(y), (yy - y.square()).sum()
        ridge = 1e-4 * xx.diagonal().mean() * torch.eye(len(x), dtype=xx.dtype)
        weights = torch.linalg.solve(xx + ridge, xy).T
        adapter = student.adapter(layer)
        scale = (variance / len(y)).sqrt()
        adapter.scale.copy_(scale)
        adapter.mean.copy_(y)
        adapter.weight.copy_(weights / scale)
        adapter.bias.copy_(-weights @ x / scale)
        left[layer.name] = float(1 - (2 * (weights * xy.T).sum() - (weights @ xx * weights).sum()) / variance)
    return left
