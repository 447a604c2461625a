"""The compact encoder and the decoder trained on it, together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from stylizer.compute import autocast, autocast_dtype
from stylizer.features.compact import CompactEncoder, encoder_on
from stylizer.feedforward.decoder import Decoder, Recipe
from stylizer.feedforward.grain import Grain
from stylizer.feedforward.looks import Look
from stylizer.tensors import CPU, as_floats
from stylizer.tiles import STRIDE, Tile

WEIGHTS = Path(__file__).parents[1] / "weights" / "feedforward_decoder.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What the network sees of a tile: the pixels, with what is around them, and the encoder's taps."""

    tile: Tile
    image: Tensor
    taps: list[Tensor]


class Network:
    """Frozen. Computes in the precision given; statistics are float32."""

    def __init__(self, encoder: CompactEncoder, decoder: Decoder, precision: torch.dtype) -> None:
        self.encoder, self.decoder = encoder, decoder
        self._precision = precision

    def style_look(self, image: Tensor) -> Look:
        """What a style `image` (1, 3, H, W) looks like."""
        below, right = (max(0, STRIDE - side) for side in image.shape[2:])
        if below or right:  # smaller than the coarsest feature
            image = functional.pad(image, (0, right, 0, below), mode="replicate")
        with autocast(self._precision, image.device.type):
            return Look.of(image, self.encoder(image))

    def see(self, photo: Tensor, tile: Tile, grain: Grain) -> Sight:
        """Look at one tile of `photo` (1, 3, H, W), in [0, 1] or in bytes."""
        top, left, bottom, right = tile.seen
        image = as_floats(tile.cut(photo)) + grain.at(top, left, bottom - top, right - left)
        with autocast(self._precision, photo.device.type):
            return Sight(tile, image, self.encoder(image, continued=True))

    def photo_look(self, sight: Sight, mask: Tensor | None = None) -> Look:
        """What was seen looks like; `mask` (1, 1, H, W) >= 0, of the whole photo, says where it counts."""
        return Look.of(sight.image, sight.taps, None if mask is None else sight.tile.cut(mask))

    def paint(self, sight: Sight, recipe: Recipe) -> Tensor:
        """The painting of the tile: float32, (1, 3, h, w)."""
        with autocast(self._precision, sight.image.device.type):
            painted: Tensor = self.decoder(recipe, sight.image, sight.taps)
        return sight.tile.own(painted)


@cache
def load(path: Path = WEIGHTS, device: torch.device = CPU) -> Network:
    """The shipped network on `device`; loaded once for each, and kept."""
    with torch.random.fork_rng(devices=[]):  # whose first weights, drawn by chance, are nothing to the caller
        decoder = Decoder().float()
    decoder.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    decoder = decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    decoder = decoder.to(device).requires_grad_(False).eval()
    return Network(encoder_on(device), decoder, autocast_dtype(device.type))
