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
        self._network, self._photo, self._mask, self._strength = network, photo, mask, strength
        self._style_taps, self._weights = list(network.style_taps), list(network.style_taps.values())
        with torch.no_grad():
            taps = self._see(photo)
            self._masks = [
                None if mask is None else functional.adaptive_avg_pool2d(mask, (tap.shape[2], tap.shape[3]))
                for tap in taps
            ]
            of_photo = self._statistics(taps)
            self._structure = [normalized(taps[tap], of_photo[tap]) for tap in network.content_taps]
            del taps  # before the styles need as much memory
            of_style = self._blend(styles)
        self._wanted = [of_photo[tap].toward(of_style[tap], strength) for tap in self._style_taps]
        self._scales = [style_scales(of_style[tap]) for tap in self._style_taps]

    def __call__(self, image: Tensor) -> Tensor:
        """The loss of `image` (1, 3, H, W), about 1 for an unpainted photo."""
        if self._mask is not None:
            # As it will be seen: with the photo around it, so that the painting goes well with its surroundings.
            image = torch.lerp(self._photo, image, self._mask)
        taps = self._see(image)
        own = self._statistics(taps)
        style = style_loss([own[tap] for tap in self._style_taps], self._wanted, self._scales, self._weights)
        content = content_loss(
            [normalized(taps[tap], own[tap]) for tap in self._network.content_taps],
            self._structure,
            [self._masks[tap] for tap in self._network.content_taps],
        )
        return style + CONTENT_WEIGHT * content + self._strength * SMOOTHNESS_WEIGHT * total_variation(image)

    def _see(self, image: Tensor) -> list[Tensor]:
        """The features, in the precision that is fast here; what is made of them is made in full precision."""
        with torch.autocast("cpu", self._precision, enabled=self._precision != torch.float32):
            return self._network(image)

    def _statistics(self, taps: Sequence[Tensor]) -> dict[int, Statistics]:
        """Those of the painted part, for every tap that is used."""
        used = sorted({*self._style_taps, *self._network.content_taps})
        return {tap: Statistics.of(taps[tap], self._masks[tap]) for tap in used}

    def _blend(self, styles: Iterable[tuple[Tensor, float]]) -> dict[int, Statistics]:
        """The statistics of a blend, tap by tap."""
        parts: dict[int, list[tuple[Statistics, float]]] = {tap: [] for tap in self._style_taps}
        for style, share in styles:
            taps = self._see(style)
            for tap, found in parts.items():
                found.append((Statistics.of(taps[tap]), share))
        return {tap: Statistics.mix(found) for tap, found in parts.items()}
