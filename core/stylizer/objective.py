"""What a painting shall be: like the style in its statistics, like the photo in its structure, and not rough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.compute import autocast_dtype
from stylizer.features import Features
from stylizer.features.statistics import Statistics
from stylizer.losses import content_loss, normalized, style_loss, style_scales, total_variation

CONTENT_WEIGHT = 0.1  # against 1 for the style
SMOOTHNESS_WEIGHT = 0.1  # of the total variation
MARGIN = 16  # pixels around a picture


class Objective:
    """A loss of pictures of one size, made from a photo and styles."""

    def __init__(
        self,
        network: Features,
        photo: Tensor,
        styles: Iterable[tuple[Tensor, float]],
        *,
        strength: float,
        mask: Tensor | None,
    ) -> None:
        """See the photo and the styles once.

        Args:
            network: Whose features pictures are compared by.
            photo: (1, 3, H, W), of the size of the pictures to come.
            styles: Pictures (1, 3, h, w) with shares that sum to 1.
            strength: 0 asks for the photo's own statistics, 1 for the styles'.
            mask: Where the picture is laid over the photo, (1, 1, H, W); statistics and structure count there alone.
        """
        self._precision = autocast_dtype()
        self._network, self._strength = network, strength
        self._photo = photo = _surrounded(photo)
        self._mask = None if mask is None else _surrounded(mask)
        self._weights = list(network.style_taps.values())
        with torch.no_grad():
            taps = self._see(photo)
            of_photo = self._statistics(taps)
            self._structure = [normalized(features, self._mask_for(features)) for features in self._content(taps)]
            del taps  # before the styles need as much memory
            of_style = self._blend(styles)
        self._wanted = [own.toward(want, strength) for own, want in zip(of_photo, of_style, strict=True)]
        self._scales = [style_scales(want) for want in of_style]

    def __call__(self, image: Tensor) -> Tensor:
        """The loss of `image` (1, 3, H, W), about 1 for an unpainted photo."""
        image = _surrounded(image)
        if self._mask is not None:
            # As it will be seen: with the photo around it, so that the painting goes well with its surroundings.
            image = torch.lerp(self._photo, image, self._mask)
        taps = self._see(image)
        content = self._content(taps)
        masks = [self._mask_for(features) for features in content]
        shown = [normalized(features, mask) for features, mask in zip(content, masks, strict=True)]
        return (
            style_loss(self._statistics(taps), self._wanted, self._scales, self._weights)
            + CONTENT_WEIGHT * content_loss(shown, self._structure, masks)
            + self._strength * SMOOTHNESS_WEIGHT * total_variation(image)
        )

    def _see(self, image: Tensor) -> list[Tensor]:
        """The taps, in the precision that is fast here."""
        with torch.autocast("cpu", self._precision, enabled=self._precision != torch.float32):
            return self._network(image)

    def _content(self, taps: list[Tensor]) -> list[Tensor]:
        with torch.autocast("cpu", self._precision, enabled=self._precision != torch.float32):
            return self._network.content(taps)

    def _statistics(self, taps: Sequence[Tensor]) -> list[Statistics]:
        """Those of the painted part, for the taps that style is compared by."""
        chosen = [taps[tap] for tap in self._network.style_taps]
        return [Statistics.of(tap, self._mask_for(tap)) for tap in chosen]

    def _mask_for(self, features: Tensor) -> Tensor | None:
        """The mask at the resolution of `features`."""
        size = (features.shape[2], features.shape[3])
        return None if self._mask is None else functional.adaptive_avg_pool2d(self._mask, size)

    def _blend(self, styles: Iterable[tuple[Tensor, float]]) -> list[Statistics]:
        """The statistics of a blend, tap by tap."""
        seen = []
        for style, share in styles:
            taps = self._see(_surrounded(style))
            seen.append([(Statistics.of(taps[tap]), share) for tap in self._network.style_taps])
        return [Statistics.mix(of_tap) for of_tap in zip(*seen, strict=True)]


def _surrounded(image: Tensor) -> Tensor:
    """`image` (1, C, H, W) with its mirror image around it.

    Beyond the border a convolution sees zeros, and a painting that is compared there grows a frame. One mirror around
    the picture costs little, where padding by reflection in every layer would double the price of a step.
    """
    mode = "reflect" if min(image.shape[2:]) > MARGIN else "replicate"
    return functional.pad(image, (MARGIN,) * 4, mode=mode).contiguous(memory_format=torch.channels_last)
