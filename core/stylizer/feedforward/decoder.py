"""The network that paints: from a photo's features, given the statistics of a style, to pixels, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylizer.features.compact import CHANNELS, replicate_pad_by_one
from stylizer.features.statistics import Statistics
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.feedforward.transport import transport, transport_lightness_first

LEVELS = (3, *CHANNELS)
# Principal components kept of the colors and of each tap: with them go at least 95% of the variance.
KEPT = (3, 24, 64, 96, 128)
# Channels of the decoder at strides 1, 2, 4 and 8.
WIDTHS = (32, 64, 96, 160)
CODE = 64
# Of variance 1, see `transport`: colors are much less noisy than features.
LEAST_VARIANCE = (0.001, 0.03, 0.03, 0.03, 0.03)


class PCABasis(nn.Module):
    """Principal components of one level's features over many pictures, each scaled to variance 1.

    Attributes:
        mean: (C,).
        matrix: (D, C).
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, channels: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("matrix", torch.eye(kept, channels))

    def set(self, statistics: Statistics) -> None:
        """Make it the basis of features with these statistics."""
        values, vectors = torch.linalg.eigh(statistics.covariance)
        kept = len(self.matrix)
        values = values.clamp(min=1e-6 * float(values[-1]))
        self.mean.copy_(statistics.mean)
        self.matrix.copy_((vectors[:, -kept:] / values[-kept:].sqrt()).T.flip(0))

    def statistics(self, of: Statistics) -> Statistics:
        """Statistics (D) of the components where the features have `of` (C)."""
        return Statistics(self.matrix @ (of.mean - self.mean), self.matrix @ of.covariance @ self.matrix.T)


class Modulated(nn.Module):
    """A 3x3 convolution whose outputs a style scales and shifts."""

    def __init__(self, inputs: int, outputs: int, gain: float = 2.0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.normal_(self.convolution.weight, std=(gain / (9 * inputs)) ** 0.5)
        nn.init.zeros_(cast(Tensor, self.convolution.bias))
        self.style = nn.Linear(CODE, 2 * outputs)
        nn.init.zeros_(self.style.weight)
        nn.init.zeros_(self.style.bias)

    def filters(self, code: Tensor) -> Filters:
        """The convolution as the style with this `code` (K,) has it."""
        scale, shift = self.style(code).chunk(2)
        scale = 1 + scale
        weight = self.convolution.weight * scale[:, None, None, None]
        return Filters(weight, cast(Tensor, self.convolution.bias) * scale + shift)


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """Of one convolution: weight (O, I, 3, 3) and bias (O,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve, with nothing beyond the border."""
        return functional.conv2d(x, self.weight, self.bias, padding=1)

    def padded(self, x: Tensor) -> Tensor:
        """Convolve with replication padding: slower, but the border has no effect far inside."""
        return functional.conv2d(replicate_pad_by_one(x), self.weight, self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class ModulatedWeights:
    """The decoder's weights for one photo and one style; nothing in them depends on the position.

    Attributes:
        colors: Of the photo to those of the style: matrix (3, 3) and offset (3,).
        entries: From each tap into the decoder, fine to coarse: matrix (O, C) and offset (O,).
        filters: Of the decoder's convolutions, in order.
    """

    colors: tuple[Tensor, Tensor]
    entries: tuple[tuple[Tensor, Tensor], ...]
    filters: tuple[Filters, ...]

    def recolored(self, image: Tensor) -> Tensor:
        """The photo `image` (1, 3, H, W) in the colors of the style; may leave [0, 1].

        In full precision: bfloat16 has no more than 256 shades, and skies would show it.
        """
        with torch.autocast(image.device.type, enabled=False):
            return _linear(image, *self.colors)


class Decoder(nn.Module):
    """From the encoder's taps to pixels, coarse to fine; each tap enters with the statistics that the style has there.

    What does not depend on the place (statistics and their transport, the style's modulation) is multiplied into the
    weights beforehand, by `modulate`; so any part of a picture is painted as it would be in the whole.
    """

    def __init__(self) -> None:
        super().__init__()
        one, two, four, eight = WIDTHS
        self.bases = nn.ModuleList(PCABasis(c, d) for c, d in zip(LEVELS, KEPT, strict=True))
        self.code = nn.Linear(2 * sum(KEPT), CODE)
        self.entries = nn.ParameterList(
            nn.Parameter(torch.randn(outputs, kept) / kept**0.5)
            for outputs, kept in zip((one, two, four), KEPT[1:4], strict=True)
        )
        self.convolutions = nn.ModuleList(
            [
                Modulated(KEPT[4], eight),
                Modulated(eight, eight),
                Modulated(eight, four, gain=1.0),
                Modulated(four, four),
                Modulated(four, two, gain=1.0),
                Modulated(two, two),
                Modulated(two, one, gain=1.0),
                Modulated(one, one),
                Modulated(one, 3, gain=0.05),
            ]
        )

    def modulate(self, photo: StyleStatistics, style: StyleStatistics) -> ModulatedWeights:
        """Compute the weights that paint a picture with statistics `photo` as one with statistics `style`."""
        bases = [cast(PCABasis, basis) for basis in self.bases]
        ours = [basis.statistics(level) for basis, level in zip(bases, photo.levels, strict=True)]
        wanted = [basis.statistics(level) for basis, level in zip(bases, style.levels, strict=True)]
        code = torch.cat([x for level in wanted for x in (level.mean, level.covariance.diagonal().clamp(min=0).sqrt())])
        code = functional.relu(self.code(code))
        entries = []
        mixes = [None, *self.entries, None]
        for basis, our, want, least, mix in zip(bases, ours, wanted, LEAST_VARIANCE, mixes, strict=True):
            with torch.no_grad():
                move = transport_lightness_first if basis is bases[0] else transport
                matrix, offset = move(our, want, least)
                offset = offset - matrix @ basis.matrix @ basis.mean
                matrix = matrix @ basis.matrix
            entries.append((matrix, offset) if mix is None else (mix @ matrix, mix @ offset))
        matrix, offset = entries[0]
        back = torch.linalg.inv(bases[0].matrix)
        colors = (back @ matrix, back @ offset + bases[0].mean)
        filters = tuple(cast(Modulated, convolution).filters(code) for convolution in self.convolutions)
        return ModulatedWeights(colors, tuple(entries[1:]), filters)

    def forward(self, weights: ModulatedWeights, image: Tensor, taps: Sequence[Tensor]) -> Tensor:
        """Paint.

        Args:
            weights: From `modulate`.
            image: (1, 3, H, W), sRGB in [0, 1], H and W multiples of 8.
            taps: The encoder's, of `image`.

        Returns:
            The painting, like `image`.
        """
        f, relu = weights.filters, functional.relu_
        entered = [_linear(tap, *entry) for tap, entry in zip(taps, weights.entries, strict=True)]
        x = relu(f[0].padded(entered[3]))
        x = relu(f[1].padded(x))
        x = relu(_enlarged(f[2].padded(x)).add_(entered[2]))
        x = relu(f[3].padded(x))
        x = relu(_enlarged(f[4].padded(x)).add_(entered[1]))
        x = relu(f[5](x))
        x = relu(_enlarged(f[6](x)).add_(entered[0]))
        x = f[8](relu(f[7](x)))
        return torch.sigmoid(x.float() + 4 * (weights.recolored(image) - 0.5))


def _linear(x: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """A 1x1 convolution."""
    return functional.conv2d(x, matrix[:, :, None, None], offset)


def _enlarged(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
