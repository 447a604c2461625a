"""The objective of optimization: style loss + content loss + total variation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import Function, FunctionCtx
from torch.nn import functional

from stylizer.compute import autocast, autocast_dtype
from stylizer.features import Features
from stylizer.features.content_statistics import ContentStatistics
from stylizer.features.statistics import Statistics
from stylizer.losses import style_loss, style_scales, total_variation
from stylizer.strips import Strip, strips
from stylizer.tensors import reflect_pad

CONTENT_WEIGHT = 0.1  # relative to 1 for the style loss
SMOOTHNESS_WEIGHT = 0.1  # weight of the total variation
MARGIN = 16  # reflection padding in pixels


class StripStatistics(NamedTuple):
    """Feature statistics of one strip of a picture.

    Attributes:
        style: One for each style tap.
        content: One for each content feature map.
    """

    style: list[Statistics]
    content: list[ContentStatistics]

    def tensors(self) -> list[Tensor]:
        """Return all tensors, in a fixed order."""
        parts: list[Statistics | ContentStatistics] = [*self.style, *self.content]
        return [tensor for part in parts for tensor in part.tensors()]

    def with_tensors(self, tensors: Iterator[Tensor]) -> StripStatistics:
        """Rebuild the statistics from tensors in the order of `tensors`."""
        return StripStatistics(
            [Statistics(next(tensors), next(tensors)) for _ in self.style],
            [ContentStatistics(next(tensors), next(tensors), next(tensors), part.target_mean) for part in self.content],
        )


class StyleTransferLoss:
    """Loss of pictures of one size for a given photo and styles."""

    def __init__(
        self,
        network: Features,
        photo: Tensor,
        styles: Iterable[tuple[Tensor | Sequence[Statistics], float]],
        *,
        strength: float,
        mask: Tensor | None,
        content_weight: float = CONTENT_WEIGHT,
    ) -> None:
        """Compute the target statistics and the photo's content features.

        Args:
            network: Perceptual features.
            photo: (1, 3, H, W), of the size of the pictures to be compared.
            styles: Pictures (1, 3, h, w) or cached statistics of the network's style taps, with weights that sum to 1.
            strength: Interpolates the target statistics: 0 the photo's, 1 the styles'.
            mask: Opacity of the picture over the photo, (1, 1, H, W), not 0 everywhere; weights both losses.
            content_weight: Weight of the content loss, relative to 1 for the style loss.
        """
        self._network, self._strength, self._content_weight = network, strength, content_weight
        self._device = photo.device.type
        self._precision = autocast_dtype(self._device)
        self._photo, self._mask = add_margin(photo), None if mask is None else add_margin(mask)
        # Strips without painted pixels have no statistics.
        weighted = [(strip, self._weight(strip)) for strip in self._split(self._photo)]
        total = sum(weight for _, weight in weighted)
        self._strips = [(strip, weight / total) for strip, weight in weighted if weight > 0]
        self._weights = list(network.style_taps.values())
        with torch.no_grad():
            photo_statistics = self._prepare_photo()
            style_statistics = [
                Statistics.mix(tap_statistics)
                for tap_statistics in zip(*self._all_style_statistics(styles), strict=True)
            ]
        self._target = [
            photo_level.lerp(target, strength)
            for photo_level, target in zip(photo_statistics, style_statistics, strict=True)
        ]
        self._scales = [style_scales(target) for target in style_statistics]

    def __call__(self, image: Tensor) -> Tensor:
        """Return the loss of `image` (1, 3, H, W): about 1 for the unchanged photo."""
        padded = add_margin(image)
        if self._mask is not None:
            # Composite over the photo, as the result will be, so that the painting fits its surroundings.
            padded = torch.lerp(self._photo, padded, self._mask)
        is_single = len(self._strips) == 1
        loss = self._loss([self._strip_statistics(padded, 0)]) if is_single else _StripwiseLoss.apply(padded, self)  # type: ignore[no-untyped-call]
        return loss + self._strength * SMOOTHNESS_WEIGHT * total_variation(image)

    def loss_and_gradient(self, padded: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of a padded picture, without total variation, and its gradient, strip by strip.

        The loss is a function of means over the picture. A first pass computes them without autograd, and the loss and
        its gradient with respect to them; a second one backpropagates that gradient through each strip. Memory is
        bounded by one strip, and the gradient equals that of the whole.
        """
        parts = range(len(self._strips))
        with torch.no_grad():
            measured = [self._strip_statistics(padded, part) for part in parts]
        with torch.enable_grad():
            leaves = [[tensor.requires_grad_() for tensor in statistics.tensors()] for statistics in measured]
            loss = self._loss(
                [strip.with_tensors(iter(strip_leaves)) for strip, strip_leaves in zip(measured, leaves, strict=True)]
            )
            upstream_grads = [
                list(torch.autograd.grad(loss, strip_leaves, retain_graph=True)) for strip_leaves in leaves
            ]
            picture = padded.detach().requires_grad_()
            for part in parts:
                torch.autograd.backward(self._strip_statistics(picture, part).tensors(), upstream_grads[part])
        assert picture.grad is not None
        return loss.detach(), picture.grad

    def _strip_statistics(self, padded: Tensor, part: int) -> StripStatistics:
        """Compute the statistics of one strip of a padded picture."""
        strip, _ = self._strips[part]
        taps = self._taps(padded, strip)
        content = self._content(taps)
        return StripStatistics(
            [Statistics.from_features(tap, self._mask_for(tap, strip)) for tap in self._select_style_taps(taps)],
            [
                ContentStatistics.from_features(features, target, self._mask_for(features, strip))
                for features, target in zip(content, self._photo_content[part], strict=True)
            ],
        )

    def _loss(self, strip_statistics: list[StripStatistics]) -> Tensor:
        """Return the style and content loss from the statistics of all strips."""
        shares = [share for _, share in self._strips]
        styles = zip(*(statistics.style for statistics in strip_statistics), strict=True)
        contents = zip(*(statistics.content for statistics in strip_statistics), strict=True)
        statistics = [Statistics.pool(list(zip(parts, shares, strict=True))) for parts in styles]
        content = [ContentStatistics.pool(list(zip(parts, shares, strict=True))) for parts in contents]
        style = style_loss(statistics, self._target, self._scales, self._weights)
        return style + self._content_weight * torch.stack([level.distance for level in content]).mean()

    def _prepare_photo(self) -> list[Statistics]:
        """Store the photo's normalized content features, strip by strip, and return its style statistics."""
        statistics, features, content_statistics = [], [], []
        for strip, share in self._strips:
            taps = self._taps(self._photo, strip)
            content = self._content(taps)
            style = self._select_style_taps(taps)
            statistics.append([(Statistics.from_features(tap, self._mask_for(tap, strip)), share) for tap in style])
            content_statistics.append(
                [(ContentStatistics.from_features(x, x, self._mask_for(x, strip)), share) for x in content]
            )
            features.append(content)
        pooled = [ContentStatistics.pool(parts) for parts in zip(*content_statistics, strict=True)]
        self._photo_content = [
            [level.normalize(x) for level, x in zip(pooled, content, strict=True)] for content in features
        ]
        return [Statistics.pool(tap_statistics) for tap_statistics in zip(*statistics, strict=True)]

    def _all_style_statistics(
        self, styles: Iterable[tuple[Tensor | Sequence[Statistics], float]]
    ) -> Iterator[list[tuple[Statistics, float]]]:
        """Yield the statistics of each style, tap by tap, with its weight."""
        for style, share in styles:
            statistics = self._style_statistics(style) if isinstance(style, Tensor) else style
            yield [(tap_statistics, share) for tap_statistics in statistics]

    def _style_statistics(self, style: Tensor) -> list[Statistics]:
        padded = add_margin(style)
        rows = padded.shape[2]
        measured = []
        for strip in self._split(padded):
            taps = self._select_style_taps(self._taps(padded, strip))
            measured.append([(Statistics.from_features(tap), (strip.end - strip.begin) / rows) for tap in taps])
        return [Statistics.pool(tap_statistics) for tap_statistics in zip(*measured, strict=True)]

    def _taps(self, padded: Tensor, strip: Strip) -> list[Tensor]:
        """Return all taps of the network in one strip, computed in the autocast precision."""
        with autocast(self._precision, self._device):
            taps = self._network(strip.extract(padded))
        return [strip.crop(tap, stride) for tap, stride in zip(taps, self._network.strides, strict=True)]

    def _select_style_taps(self, taps: list[Tensor]) -> list[Tensor]:
        return [taps[tap] for tap in self._network.style_taps]

    def _content(self, taps: list[Tensor]) -> list[Tensor]:
        with autocast(self._precision, self._device):
            return self._network.content(taps)

    def _split(self, padded: Tensor) -> list[Strip]:
        return strips(padded.shape[2], padded.shape[3], reach=self._network.reach)

    def _weight(self, strip: Strip) -> float:
        """Return the weight of a strip: its painted rows or pixels."""
        return float(strip.end - strip.begin if self._mask is None else strip.view(self._mask).sum())

    def _mask_for(self, features: Tensor, strip: Strip) -> Tensor | None:
        """Return the mask in a strip, at the resolution of `features`."""
        if self._mask is None:
            return None
        return functional.adaptive_avg_pool2d(strip.view(self._mask), (features.shape[2], features.shape[3]))


class _StripwiseLoss(Function):
    """Autograd function of `StyleTransferLoss.loss_and_gradient`, whose gradient is computed in the forward pass."""

    @staticmethod
    def forward(ctx: FunctionCtx, padded: Tensor, owner: StyleTransferLoss) -> Tensor:
        loss, gradient = owner.loss_and_gradient(padded)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.saved_tensors[0] * gradients[0], None


def add_margin(image: Tensor) -> Tensor:
    """Pad `image` (1, C, H, W) by `MARGIN` reflected pixels.

    The encoders pad with zeros, which would make the optimization grow a frame at the border. Padding the picture once
    is cheap; reflection padding in every layer would double the cost of a step.
    """
    return reflect_pad(image, MARGIN).contiguous(memory_format=torch.channels_last)
