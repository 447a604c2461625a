"""Decoder of the feed-forward network: from features and target style statistics to pixels in one pass."""

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
# Principal components of the colors and of each tap: they keep at least 95% of the variance.
COMPONENTS = (3, 24, 64, 96, 128)
# Channels of the decoder at strides 1, 2, 4 and 8.
WIDTHS = (32, 64, 96, 160)
CODE = 64  # dimensions of the style code
# See `transport`, for components of variance 1: colors are much less noisy than features.
MIN_VARIANCE = (0.001, 0.03, 0.03, 0.03, 0.03)


class PCABasis(nn.Module):
    """Whitened principal components of one level's features over many pictures.

    Attributes:
        mean: Mean of the features, (C,).
        matrix: Projection to components of variance 1, (D, C).
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, channels: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("matrix", torch.eye(kept, channels))

    def fit(self, statistics: Statistics) -> None:
        """Set the basis to that of features with these statistics."""
        values, vectors = torch.linalg.eigh(statistics.covariance)
        kept = len(self.matrix)
        values = values.clamp(min=1e-6 * float(values[-1]))
        self.mean.copy_(statistics.mean)
        self.matrix.copy_((vectors[:, -kept:] / values[-kept:].sqrt()).T.flip(0))

    def project(self, statistics: Statistics) -> Statistics:
        """Project statistics of features, of dimension C, to those of the components, of dimension D."""
        return Statistics(
            self.matrix @ (statistics.mean - self.mean), self.matrix @ statistics.covariance @ self.matrix.T
        )


class ModulatedConv(nn.Module):
    """3x3 convolution whose output channels are scaled and shifted by a style code."""

    def __init__(self, inputs: int, outputs: int, gain: float = 2.0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.normal_(self.convolution.weight, std=(gain / (9 * inputs)) ** 0.5)
        nn.init.zeros_(cast(Tensor, self.convolution.bias))
        self.style = nn.Linear(CODE, 2 * outputs)
        nn.init.zeros_(self.style.weight)
        nn.init.zeros_(self.style.bias)

    def filters(self, code: Tensor) -> Filters:
        """Return the filters modulated by the style `code` (K,)."""
        scale, shift = self.style(code).chunk(2)
        scale = 1 + scale
        weight = self.convolution.weight * scale[:, None, None, None]
        return Filters(weight, cast(Tensor, self.convolution.bias) * scale + shift)


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """Filters of one convolution: weight (O, I, 3, 3) and bias (O,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve with zero padding."""
        return functional.conv2d(x, self.weight, self.bias, padding=1)

    def convolve_padded(self, x: Tensor) -> Tensor:
        """Convolve with replication padding: slower, but without far-reaching effects of the border."""
        return functional.conv2d(replicate_pad_by_one(x), self.weight, self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class ModulatedWeights:
    """The decoder's weights for one photo and one style; nothing in them depends on the position.

    Attributes:
        colors: Color transform from photo to style: matrix (3, 3) and offset (3,).
        entries: Projection of each tap into the decoder, fine to coarse: matrix (O, C) and offset (O,).
        filters: Filters of the decoder's convolutions, in order.
        blocks: Filters of the two convolutions of each residual block.
    """

    colors: tuple[Tensor, Tensor]
    entries: tuple[tuple[Tensor, Tensor], ...]
    filters: tuple[Filters, ...]
    blocks: tuple[tuple[Filters, Filters], ...]

    def recolor(self, image: Tensor) -> Tensor:
        """Recolor the photo `image` (1, 3, H, W) to the style; values may leave [0, 1].

        In float32: bfloat16 resolves at most 256 shades, which bands skies.
        """
        with torch.autocast(image.device.type, enabled=False):
            return _linear(image, *self.colors)


class ModulatedBlock(nn.Module):
    """Residual block of two modulated convolutions, initially close to the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = ModulatedConv(channels, channels), ModulatedConv(channels, channels, gain=0.01)


class StyleDecoder(nn.Module):
    """Decoder from the encoder's taps to pixels, coarse to fine; each tap is transported to the style's statistics.

    Everything independent of the position (transport of statistics, modulation) is folded into the weights by
    `modulate`, so tiles are decoded exactly as in the whole picture.

    Args:
        blocks: Number of residual blocks at stride 8, where large forms are decided.
        photo_pool: Side in pixels of the areas whose mean color the output is a correction of. 1 preserves the photo;
            8 leaves its detail to the taps, so that strokes can replace it.
    """

    def __init__(self, blocks: int = 0, photo_pool: int = 1) -> None:
        super().__init__()
        self._photo_pool = photo_pool
        one, two, four, eight = WIDTHS
        self.bases = nn.ModuleList(PCABasis(c, d) for c, d in zip(LEVELS, COMPONENTS, strict=True))
        self.code = nn.Linear(2 * sum(COMPONENTS), CODE)
        self.entries = nn.ParameterList(
            nn.Parameter(torch.randn(outputs, kept) / kept**0.5)
            for outputs, kept in zip((one, two, four), COMPONENTS[1:4], strict=True)
        )
        self.convolutions = nn.ModuleList(
            [
                ModulatedConv(COMPONENTS[4], eight),
                ModulatedConv(eight, eight),
                ModulatedConv(eight, four, gain=1.0),
                ModulatedConv(four, four),
                ModulatedConv(four, two, gain=1.0),
                ModulatedConv(two, two),
                ModulatedConv(two, one, gain=1.0),
                ModulatedConv(one, one),
                ModulatedConv(one, 3, gain=0.05),
            ]
        )
        self.blocks = nn.ModuleList(ModulatedBlock(eight) for _ in range(blocks))

    def modulate(self, photo: StyleStatistics, style: StyleStatistics) -> ModulatedWeights:
        """Compute the weights that stylize a picture with statistics `photo` to statistics `style`."""
        bases = [cast(PCABasis, basis) for basis in self.bases]
        sources = [basis.project(level) for basis, level in zip(bases, photo.levels, strict=True)]
        targets = [basis.project(level) for basis, level in zip(bases, style.levels, strict=True)]
        code = torch.cat(
            [x for level in targets for x in (level.mean, level.covariance.diagonal().clamp(min=0).sqrt())]
        )
        code = functional.relu(self.code(code))
        entries = []
        mixes = [None, *self.entries, None]
        for basis, source, target, min_variance, mix in zip(bases, sources, targets, MIN_VARIANCE, mixes, strict=True):
            with torch.no_grad():
                compute_transport = transport_lightness_first if basis is bases[0] else transport
                matrix, offset = compute_transport(source, target, min_variance)
                offset = offset - matrix @ basis.matrix @ basis.mean
                matrix = matrix @ basis.matrix
            entries.append((matrix, offset) if mix is None else (mix @ matrix, mix @ offset))
        matrix, offset = entries[0]
        to_rgb = torch.linalg.inv(bases[0].matrix)
        colors = (to_rgb @ matrix, to_rgb @ offset + bases[0].mean)
        filters = tuple(cast(ModulatedConv, convolution).filters(code) for convolution in self.convolutions)
        blocks = tuple(
            (block.first.filters(code), block.second.filters(code)) for block in cast(list[ModulatedBlock], self.blocks)
        )
        return ModulatedWeights(colors, tuple(entries[1:]), filters, blocks)

    def forward(self, weights: ModulatedWeights, image: Tensor, taps: Sequence[Tensor]) -> Tensor:
        """Decode the taps of an image to a painting.

        Args:
            weights: Result of `modulate`.
            image: (1, 3, H, W), sRGB in [0, 1], H and W multiples of 8.
            taps: The encoder's taps of `image`.

        Returns:
            The painting, (1, 3, H, W), sRGB in [0, 1].
        """
        f, relu = weights.filters, functional.relu_
        inputs = [_linear(tap, *entry) for tap, entry in zip(taps, weights.entries, strict=True)]
        x = relu(f[0].convolve_padded(inputs[3]))
        x = relu(f[1].convolve_padded(x))
        for first, second in weights.blocks:
            x = x + second.convolve_padded(relu(first.convolve_padded(x)))
        x = relu(upsample_2x(f[2].convolve_padded(x)).add_(inputs[2]))
        x = relu(f[3].convolve_padded(x))
        x = relu(upsample_2x(f[4].convolve_padded(x)).add_(inputs[1]))
        x = relu(f[5](x))
        x = relu(upsample_2x(f[6](x)).add_(inputs[0]))
        x = f[8](relu(f[7](x)))
        if self._photo_pool > 1:
            means = functional.avg_pool2d(image, self._photo_pool)
            image = functional.interpolate(means, image.shape[2:], mode="bilinear", align_corners=False)
        return torch.sigmoid(x.float() + 4 * (weights.recolor(image) - 0.5))


def _linear(x: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Apply a 1x1 convolution."""
    return functional.conv2d(x, matrix[:, :, None, None], offset)


def upsample_2x(x: Tensor) -> Tensor:
    """Upsample `x` (B, C, h, w) by 2, bilinearly."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
