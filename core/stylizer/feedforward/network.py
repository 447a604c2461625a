"""The feed-forward stylization network: the compact encoder and the decoder trained on it."""

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
from stylizer.feedforward.decoder import ModulatedWeights, StyleDecoder
from stylizer.feedforward.grain import Grain
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.tensors import CPU, as_floats
from stylizer.tiles import STRIDE, Tile

WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class DecoderConfig:
    """A trained decoder: its weights, and the arguments of `StyleDecoder`."""

    path: Path
    blocks: int = 0
    photo_pool: int = 1

    def create(self) -> StyleDecoder:
        """Return an untrained decoder."""
        return StyleDecoder(self.blocks, self.photo_pool)


FEEDFORWARD = DecoderConfig(WEIGHTS_FOLDER / "feedforward_decoder.safetensors")
# For pictures of 128 to 512 pixels, in which the photo's detail need not be preserved.
COARSE = DecoderConfig(WEIGHTS_FOLDER / "coarse_decoder.safetensors", blocks=4, photo_pool=8)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedTile:
    """A tile with its context, encoded.

    Attributes:
        tile: The tile.
        image: Pixels of the context with grain, (1, 3, h, w).
        taps: The encoder's taps of `image`.
    """

    tile: Tile
    image: Tensor
    taps: list[Tensor]


class Network:
    """Frozen encoder and decoder, run in the given precision; statistics are float32."""

    def __init__(self, encoder: CompactEncoder, decoder: StyleDecoder, precision: torch.dtype) -> None:
        self.encoder, self.decoder = encoder, decoder
        self._precision = precision

    def style_statistics(self, image: Tensor) -> StyleStatistics:
        """Compute the statistics of a style `image` (1, 3, H, W)."""
        below, right = (max(0, STRIDE - side) for side in image.shape[2:])
        if below or right:  # smaller than the coarsest stride
            image = functional.pad(image, (0, right, 0, below), mode="replicate")
        with autocast(self._precision, image.device.type):
            return StyleStatistics.from_features(image, self.encoder(image))

    def encode(self, photo: Tensor, tile: Tile, grain: Grain) -> EncodedTile:
        """Encode one tile of `photo` (1, 3, H, W), float in [0, 1] or uint8."""
        top, left, bottom, right = tile.context
        image = as_floats(tile.extract(photo)) + grain.at(top, left, bottom - top, right - left)
        with autocast(self._precision, photo.device.type):
            return EncodedTile(tile, image, self.encoder(image, replicate_pad=True))

    def photo_statistics(self, encoded: EncodedTile, mask: Tensor | None = None) -> StyleStatistics:
        """Compute the statistics of an encoded tile, weighted by `mask` (1, 1, H, W) >= 0 of the whole photo."""
        return StyleStatistics.from_features(
            encoded.image, encoded.taps, None if mask is None else encoded.tile.extract(mask)
        )

    def decode(self, encoded: EncodedTile, weights: ModulatedWeights) -> Tensor:
        """Decode the tile to pixels: float32, (1, 3, h, w), in [0, 1]."""
        with autocast(self._precision, encoded.image.device.type):
            painted: Tensor = self.decoder(weights, encoded.image, encoded.taps)
        return encoded.tile.crop(painted)


@cache
def load(config: DecoderConfig = FEEDFORWARD, device: torch.device = CPU) -> Network:
    """Load a decoder and the shipped encoder onto `device`; cached."""
    with torch.random.fork_rng(devices=[]):  # initial weights must not advance the caller's generator
        decoder = config.create().float()
    decoder.load_state_dict({key: value.float() for key, value in load_file(config.path).items()})
    decoder = decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    decoder = decoder.to(device).requires_grad_(False).eval()
    return Network(encoder_on(device), decoder, autocast_dtype(device.type))
