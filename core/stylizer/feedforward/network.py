"""The compact encoder and the decoder trained on it, together."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from stylizer.compute import autocast_dtype
from stylizer.features.compact import CompactEncoder, load_encoder
from stylizer.feedforward.decoder import Decoder, Recipe
from stylizer.feedforward.grain import Grain
from stylizer.feedforward.looks import Look
from stylizer.feedforward.tiles import STRIDE, Tile

WEIGHTS = Path(__file__).parents[1] / "weights" / "feedforward_decoder.safetensors"


class Network:
    """Frozen. Computes in the precision given; statistics are float32."""

    def __init__(self, encoder: CompactEncoder, decoder: Decoder, precision: torch.dtype) -> None:
        self.encoder, self.decoder = encoder, decoder
        self._precision = precision

    def look(self, image: Tensor, weight: Tensor | None = None) -> Look:
        """What `image` (1, 3, H, W) looks like; `weight` (1, 1, H, W) >= 0 says where it counts."""
        below, right = (max(0, STRIDE - side) for side in image.shape[2:])
        if below or right:  # smaller than the coarsest feature
            image = functional.pad(image, (0, right, 0, below), mode="replicate")
        with self._fast():
            taps = self.encoder(image)
        return Look.of(image, taps, weight)

    def paint(self, image: Tensor, recipe: Recipe) -> Tensor:
        """The painting of `image` (1, 3, H, W), H and W multiples of 8, channels last: float32, like it."""
        with self._fast():
            painted: Tensor = self.decoder(recipe, image, self.encoder(image, continued=True))
        return painted.float()

    def paint_tile(self, photo: Tensor, tile: Tile, recipe: Recipe, grain: Grain) -> Tensor:
        """One tile of the painting of `photo`."""
        top, left, bottom, right = tile.seen
        return tile.own(self.paint(tile.cut(photo) + grain.at(top, left, bottom - top, right - left), recipe))

    def _fast(self) -> torch.autocast:
        return torch.autocast("cpu", self._precision, enabled=self._precision != torch.float32)


@cache
def load(path: Path = WEIGHTS) -> Network:
    """The shipped network; loaded once."""
    with torch.random.fork_rng(devices=[]):  # whose first weights, drawn by chance, are nothing to the caller
        decoder = Decoder()
    decoder.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    decoder = decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Network(load_encoder(), decoder.requires_grad_(False).eval(), autocast_dtype())
