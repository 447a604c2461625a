"""What a painting shall be: like the style in its statistics, like the photo in its structure, and not rough."""

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

CONTENT_WEIGHT = 0.1  # against 1 for the style
SMOOTHNESS_WEIGHT = 0.1  # of the total variation
MARGIN = 16  # pixels around a picture


class StripStatistics(NamedTuple):
    """What is seen in one strip of a picture.

    Attributes:
        style: Of each tap that style is compared by.
        content: Of each of the features that structure is compared by.
    """

    style: list[Statistics]
    content: list[ContentStatistics]

    def tensors(self) -> list[Tensor]:
        """All that it consists of."""
        parts: list[Statistics | ContentStatistics] = [*self.style, *self.content]
        return [tensor for part in parts for tensor in part.tensors()]

    def with_tensors(self, tensors: Iterator[Tensor]) -> StripStatistics:
        """One that consists of others."""
        return StripStatistics(
            [Statistics(next(tensors), next(tensors)) for _ in self.style],
            [ContentStatistics(next(tensors), next(tensors), next(tensors), part.wanted_mean) for part in self.content],
        )


class StyleTransferLoss:
    """A loss of pictures of one size, made from a photo and styles."""

    def __init__(
        self,
        network: Features,
        photo: Tensor,
        styles: Iterable[tuple[Tensor | Sequence[Statistics], float]],
        *,
        strength: float,
        mask: Tensor | None,
    ) -> None:
        """See the photo and the styles once.

        Args:
            network: Whose features pictures are compared by.
            photo: (1, 3, H, W), of the size of the pictures to come.
            styles: Pictures (1, 3, h, w), or what is known of the network's style taps there; with shares that sum
                to 1.
            strength: 0 asks for the photo's own statistics, 1 for the styles'.
            mask: Where the picture is laid over the photo, (1, 1, H, W), not 0 everywhere; statistics and structure
                count there alone.
        """
        self._network, self._strength = network, strength
        self._device = photo.device.type
        self._precision = autocast_dtype(self._device)
        self._photo, self._mask = reflect_pad(photo), None if mask is None else reflect_pad(mask)
        # A strip that the mask leaves out has no statistics.
        cut = [(strip, self._weight(strip)) for strip in self._cut(self._photo)]
        total = sum(weight for _, weight in cut)
        self._strips = [(strip, weight / total) for strip, weight in cut if weight > 0]
        self._weights = list(network.style_taps.values())
        with torch.no_grad():
            of_photo = self._photo_statistics()
            of_style = [Statistics.mix(of_tap) for of_tap in zip(*self._all_style_statistics(styles), strict=True)]
        self._wanted = [own.toward(want, strength) for own, want in zip(of_photo, of_style, strict=True)]
        self._scales = [style_scales(want) for want in of_style]

    def __call__(self, image: Tensor) -> Tensor:
        """The loss of `image` (1, 3, H, W), about 1 for an unpainted photo."""
        whole = reflect_pad(image)
        if self._mask is not None:
            # As it will be seen: with the photo around it, so that the painting goes well with its surroundings.
            whole = torch.lerp(self._photo, whole, self._mask)
        one = len(self._strips) == 1
        loss = self._loss([self._strip_statistics(whole, 0)]) if one else _StripByStrip.apply(whole, self)  # type: ignore[no-untyped-call]
        return loss + self._strength * SMOOTHNESS_WEIGHT * total_variation(image)

    def loss_and_gradient(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """The same but for roughness, of a reflect_pad picture, and its gradient, with one strip in memory at a time.

        The loss is one of means over the whole picture. So they are taken first, without a gradient; what the loss
        wants of them is known then, and every strip can be told its part.
        """
        parts = range(len(self._strips))
        with torch.no_grad():
            seen = [self._strip_statistics(whole, part) for part in parts]
        with torch.enable_grad():
            leaves = [[tensor.requires_grad_() for tensor in statistics.tensors()] for statistics in seen]
            loss = self._loss([g.with_tensors(iter(own)) for g, own in zip(seen, leaves, strict=True)])
            upstream_grads = [list(torch.autograd.grad(loss, own, retain_graph=True)) for own in leaves]
            picture = whole.detach().requires_grad_()
            for part in parts:
                torch.autograd.backward(self._strip_statistics(picture, part).tensors(), upstream_grads[part])
        assert picture.grad is not None
        return loss.detach(), picture.grad

    def _strip_statistics(self, whole: Tensor, part: int) -> StripStatistics:
        """What is seen in one strip of a reflect_pad picture."""
        strip, _ = self._strips[part]
        taps = self._taps(whole, strip)
        content = self._content(taps)
        return StripStatistics(
            [Statistics.of(tap, self._mask_for(tap, strip)) for tap in self._for_style(taps)],
            [
                ContentStatistics.of(features, wanted, self._mask_for(features, strip))
                for features, wanted in zip(content, self._structure[part], strict=True)
            ],
        )

    def _loss(self, strip_statistics: list[StripStatistics]) -> Tensor:
        """The loss of a picture in whose strips this is seen."""
        shares = [share for _, share in self._strips]
        styles = zip(*(statistics.style for statistics in strip_statistics), strict=True)
        contents = zip(*(statistics.content for statistics in strip_statistics), strict=True)
        statistics = [Statistics.pool(list(zip(parts, shares, strict=True))) for parts in styles]
        structures = [ContentStatistics.pool(list(zip(parts, shares, strict=True))) for parts in contents]
        style = style_loss(statistics, self._wanted, self._scales, self._weights)
        return style + CONTENT_WEIGHT * torch.stack([structure.distance for structure in structures]).mean()

    def _photo_statistics(self) -> list[Statistics]:
        """Keep the photo's normalized features, strip by strip; answer its statistics."""
        statistics, kept, structures = [], [], []
        for strip, share in self._strips:
            taps = self._taps(self._photo, strip)
            content = self._content(taps)
            style = self._for_style(taps)
            statistics.append([(Statistics.of(tap, self._mask_for(tap, strip)), share) for tap in style])
            structures.append([(ContentStatistics.of(x, x, self._mask_for(x, strip)), share) for x in content])
            kept.append(content)
        pooled = [ContentStatistics.pool(parts) for parts in zip(*structures, strict=True)]
        self._structure = [[own.normalized(x) for own, x in zip(pooled, content, strict=True)] for content in kept]
        return [Statistics.pool(of_tap) for of_tap in zip(*statistics, strict=True)]

    def _all_style_statistics(
        self, styles: Iterable[tuple[Tensor | Sequence[Statistics], float]]
    ) -> Iterator[list[tuple[Statistics, float]]]:
        """Of every style its statistics, tap by tap, with its share."""
        for style, share in styles:
            known = self._style_statistics(style) if isinstance(style, Tensor) else style
            yield [(of_tap, share) for of_tap in known]

    def _style_statistics(self, style: Tensor) -> list[Statistics]:
        whole = reflect_pad(style)
        rows = whole.shape[2]
        seen = []
        for strip in self._cut(whole):
            taps = self._for_style(self._taps(whole, strip))
            seen.append([(Statistics.of(tap), (strip.end - strip.begin) / rows) for tap in taps])
        return [Statistics.pool(of_tap) for of_tap in zip(*seen, strict=True)]

    def _taps(self, whole: Tensor, strip: Strip) -> list[Tensor]:
        """All of the network's in one strip, in the precision that is fast here."""
        with autocast(self._precision, self._device):
            taps = self._network(strip.seen(whole))
        return [strip.own(tap, stride) for tap, stride in zip(taps, self._network.strides, strict=True)]

    def _for_style(self, taps: list[Tensor]) -> list[Tensor]:
        return [taps[tap] for tap in self._network.style_taps]

    def _content(self, taps: list[Tensor]) -> list[Tensor]:
        with autocast(self._precision, self._device):
            return self._network.content(taps)

    def _cut(self, whole: Tensor) -> list[Strip]:
        return strips(whole.shape[2], whole.shape[3], reach=self._network.reach)

    def _weight(self, strip: Strip) -> float:
        """How much of the picture is to be painted in a strip."""
        return float(strip.end - strip.begin if self._mask is None else strip.of(self._mask).sum())

    def _mask_for(self, features: Tensor, strip: Strip) -> Tensor | None:
        """The mask at the resolution of features in a strip."""
        if self._mask is None:
            return None
        return functional.adaptive_avg_pool2d(strip.of(self._mask), (features.shape[2], features.shape[3]))


class _StripByStrip(Function):
    """The loss of an objective, with its gradient made at once rather than recorded."""

    @staticmethod
    def forward(ctx: FunctionCtx, whole: Tensor, objective: StyleTransferLoss) -> Tensor:
        loss, gradient = objective.loss_and_gradient(whole)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.saved_tensors[0] * gradients[0], None


def reflect_pad(image: Tensor) -> Tensor:
    """`image` (1, C, H, W) with its mirror image around it.

    Beyond the border a convolution sees zeros, and a painting that is compared there grows a frame. One mirror around
    the picture costs little, where padding by reflection in every layer would double the price of a step.
    """
    mode = "reflect" if min(image.shape[2:]) > MARGIN else "replicate"
    return functional.pad(image, (MARGIN,) * 4, mode=mode).contiguous(memory_format=torch.channels_last)
