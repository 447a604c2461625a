"""Steps that the training runs of decoders share: painting a batch, and the random numbers of a step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylizer.features.compact import CompactEncoder
from stylizer.feedforward.decoder import ModulatedWeights, StyleDecoder
from stylizer.feedforward.style_statistics import StyleStatistics


def paint_batch(
    decoder: StyleDecoder,
    encoder: CompactEncoder,
    pictures: Tensor,
    styles: Sequence[StyleStatistics],
    strengths: Sequence[float] | None = None,
) -> tuple[Tensor, list[ModulatedWeights]]:
    """Paint each picture in its style by a decoder in training.

    Args:
        decoder: The decoder.
        encoder: Its encoder, which is not trained.
        pictures: (B, 3, H, W) in [0, 1].
        styles: Statistics of the style of each picture.
        strengths: Interpolation from the statistics of each picture (0) to those of its style (1); by default 1.

    Returns:
        The paintings, float32 (B, 3, H, W), and the modulated weights of each.
    """
    with torch.no_grad():
        taps = encoder(pictures, replicate_pad=True)
    paintings, weights = [], []
    for i, style in enumerate(styles):
        picture, own = pictures[i : i + 1], [tap[i : i + 1] for tap in taps]
        with torch.autocast(pictures.device.type, enabled=False):
            statistics = StyleStatistics.from_features(picture, own)
            target = style if strengths is None else statistics.lerp(style, strengths[i])
            weights.append(decoder.modulate(statistics, target))
        paintings.append(decoder(weights[-1], picture, own))
    return torch.cat(paintings).float(), weights


def step_generator(seed: int, step: int) -> torch.Generator:
    """Return the random number generator of a step, from seed and step alone, so that runs resume exactly."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)
