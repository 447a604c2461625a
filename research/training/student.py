"""What learns and what it is told: the encoder with an adapter a teacher's layer, and the errors to bring down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylizer.features.compact import CompactEncoder
from training.teachers import CONTENT_LAYERS, Layer, Teachers

Moments = tuple[Tensor, Tensor]
CANVAS_CONTENT = 0.4  # of each content layer, against about 6 for the style


def positions(features: Tensor) -> Tensor:
    """`features` (B, C, h, w) as (B, h * w, C): no copy where the channels lie last in memory."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def moments(features: Tensor) -> Moments:
    """Mean (B, C) and covariance (B, C, C) over the positions of `features` (B, P, C)."""
    mean = features.mean(1, keepdim=True)
    centered = features - mean
    return mean[:, 0].float(), (centered.transpose(1, 2) @ centered).float() / features.shape[1]


class Adapter(nn.Module):
    """A linear map from a tap to a teacher's layer: a 1x1 convolution that is thrown away.

    Linear, so that equal means and covariances of the tap are equal means and covariances of what it expects of the
    teacher: the statistics pass through it without the features. Mean and scale of the teacher's layer stand beside the
    weights, which can so start, and learn, at the same pace whatever the teacher's units are.
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
        """The layer's variance over the training pictures, summed over channels: what errors are relative to."""
        return self.scale.square() * len(self.mean)

    @property
    def matrix(self) -> Tensor:
        """From the tap's channels to the teacher's, (C', C)."""
        return self.weight * self.scale

    @property
    def offset(self) -> Tensor:
        """What is added, (C',)."""
        return self.mean + self.bias * self.scale

    def features(self, tap: Tensor) -> Tensor:
        """The teacher's features (B, P, C') expected from `tap` (B, P, C)."""
        return functional.linear(tap, self.matrix, self.offset)

    def moments(self, tap: Tensor) -> Moments:
        """The mean and covariance of `features`."""
        mean, covariance = moments(tap)
        with torch.autocast(tap.device.type, enabled=False):
            return self.expected(mean, covariance)

    def expected(self, mean: Tensor, covariance: Tensor) -> Moments:
        """The teacher's mean (B, C') and covariance (B, C', C') expected from a tap's."""
        return functional.linear(mean, self.matrix, self.offset), self.matrix @ covariance @ self.matrix.T


class Student(nn.Module):
    """The encoder with one adapter a teacher's layer."""

    def __init__(self, encoder: CompactEncoder, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.encoder = encoder
        self.adapters = nn.ModuleDict(
            {layer.name: Adapter(encoder.channels[layer.tap], layer.channels) for layer in layers}
        )

    def adapter(self, layer: Layer) -> Adapter:
        """The adapter of a teacher's layer."""
        return cast(Adapter, self.adapters[layer.name])


def disagreement(ours: Moments, wanted: Moments, variance: Tensor) -> Tensor:
    """Relative squared error of mean plus that of covariance, averaged over the pictures.

    Args:
        ours: Of (B, C) and (B, C, C), as `moments` answers them.
        wanted: The same of the pictures that ours should be like.
        variance: The layer's usual one: flat pictures have no statistics worth a large relative error.
    """
    floors = (0.02 * variance, 0.02 * variance.square() / wanted[0].shape[1])
    total = torch.zeros(())
    for a, b, floor in zip(ours, wanted, floors, strict=True):
        error, size = ((a - b).flatten(1).square().sum(1), b.flatten(1).square().sum(1))
        total = total + (error / (size + floor)).mean()
    return total


def losses(student: Student, teachers: Teachers, batch: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """For every layer the error of the features and of their statistics, both relative (0 = as the teacher's).

    The statistics count because paintings are made by matching them: a student whose features err by little but always
    the same way would paint wrongly.
    """
    targets = teachers(batch)
    taps = student.encoder(batch)
    result = {}
    for layer in teachers.layers:
        target = targets[layer.name]
        tap = teachers.aligned(taps[layer.tap], layer, target)
        if layer.tap == 0:
            # A quarter of the finest layer is 9,000 samples a crop already, and costs as much as all other layers.
            target, tap = (x[:, :, : x.shape[2] // 2, : x.shape[3] // 2] for x in (target, tap))
        target, tap = positions(target), positions(tap)
        adapter = student.adapter(layer)
        difference = adapter.features(tap) - target
        error = torch.linalg.vector_norm(difference, dtype=torch.float32).square()
        # Every other crop says enough about the statistics, at half the price.
        statistics = disagreement(adapter.moments(tap[::2]), moments(target[::2]), adapter.variance)
        result[layer.name] = (error / (adapter.variance * target.shape[:2].numel()), statistics)
    return result


def painting_loss(student: Student, layers: Sequence[Layer], image: Tensor, style: Tensor, photo: Tensor) -> Tensor:
    """What paintings are made by, as one number: `image` shall look like `style` and show `photo`, all (B, 3, H, W).

    Style is compared by the taps and by what the teachers are expected to see: paintings are made by the former, and
    the latter is where the teachers can say what is wrong with them.
    """
    taps = student.encoder(image)
    with torch.no_grad():
        of_style, of_photo = student.encoder(style), student.encoder(photo)
    loss = torch.zeros(())
    for index, (tap, wanted) in enumerate(zip(taps, of_style, strict=True)):
        seen, sought = moments(positions(tap)), moments(positions(wanted))
        spread = sought[1].diagonal(dim1=1, dim2=2).sum(1).mean()
        loss = loss + disagreement(seen, sought, spread)
        for layer in layers:
            if layer.tap != index:
                continue
            adapter = student.adapter(layer)
            with torch.autocast(image.device.type, enabled=False):
                expected = [adapter.expected(*pair) for pair in (seen, sought)]
                loss = loss + 0.3 * disagreement(expected[0], expected[1], adapter.variance)
            if layer.name in CONTENT_LAYERS:
                shown, kept = (structure(adapter.features(positions(x))) for x in (tap, of_photo[index]))
                loss = loss + CANVAS_CONTENT * (shown - kept).square().mean()
    return loss


def structure(features: Tensor) -> Tensor:
    """`features` (B, P, C) with every channel at mean 0 and deviation 1 over each picture."""
    features = features.float()
    variance, mean = torch.var_mean(features, 1, keepdim=True, correction=0)
    # Of all channels together, without a second pass over the features.
    whole = variance.mean(2, keepdim=True) + mean.var(2, keepdim=True, correction=0)
    return (features - mean) / (variance.add(1e-12).sqrt() + 1e-3 * whole.add(1e-12).sqrt())


@torch.no_grad()
def calibrate(student: Student, teachers: Teachers, batches: Sequence[Tensor]) -> dict[str, float]:
    """Set every adapter to the least-squares answer for the encoder as it is; answer each layer's unexplained variance.

    What the random filters of a new encoder cannot explain is what there is to learn, and gradients are of use from the
    first step on.
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
