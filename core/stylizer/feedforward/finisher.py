"""Finishing network: blends the patches of which a draft was assembled."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from stylizer.compute import autocast, autocast_dtype
from stylizer.feedforward.decoder import upsample_2x
from stylizer.tensors import CPU, as_floats, float_copy
from stylizer.tiles import Tile, tiles

WEIGHTS = Path(__file__).parents[1] / "weights" / "finisher.safetensors"
INPUTS = 7  # channels: draft, recolored photo, content mask
WIDTHS = (32, 64, 128)  # channels at strides 2, 4 and 8
DEPTH = 3  # residual blocks at stride 8
TILE = 1024  # side of a tile in pixels
REACH = 96  # receptive-field radius in pixels

Guide = Callable[[Tile], tuple[Tensor, Tensor]]
"""Return the recolored photo (1, 3, h, w) and the content mask (1, 1, h, w) over the context of a tile."""


class Block(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.normal_(self.second.weight, std=0.3 * (2 / (9 * channels)) ** 0.5)
        for bias in (self.first.bias, self.second.bias):
            nn.init.zeros_(cast(Tensor, bias))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to `x` (B, C, h, w)."""
        return cast(Tensor, self.second(functional.relu_(self.first(x))) + x)


class Finisher(nn.Module):
    """Residual U-Net (Ronneberger et al. 2015) at strides 2, 4 and 8.

    Its only information on the style is the draft, which consists of the style's pixels. It uses no global statistics,
    so tiles are finished exactly as in the whole picture.
    """

    def __init__(self) -> None:
        super().__init__()
        two, four, eight = WIDTHS
        self.enter = nn.Conv2d(4 * INPUTS, two, 3, padding=1)
        self.fine = Block(two)
        self.to_four = nn.Conv2d(4 * two, four, 1)
        self.middle = Block(four)
        self.to_eight = nn.Conv2d(4 * four, eight, 1)
        self.coarse = nn.ModuleList(Block(eight) for _ in range(DEPTH))
        self.from_eight = nn.Conv2d(eight, four, 1)
        self.middle_again = Block(four)
        self.from_four = nn.Conv2d(four, two, 1)
        self.fine_again = Block(two)
        self.leave = nn.Conv2d(two, 12, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(cast(Tensor, self.leave.bias))

    def forward(self, draft: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
        """Predict the correction (B, 3, H, W) to be added to a draft.

        Args:
            draft: (B, 3, H, W), sRGB in [0, 1], H and W multiples of 8.
            photo: The photo in the style's palette, likewise.
            mask: Content mask, (B, 1, H, W), 0-1.
        """
        x = functional.pixel_unshuffle(torch.cat([draft - 0.5, photo - 0.5, mask], 1), 2)
        fine = self.fine(functional.relu(self.enter(x)))
        middle = self.middle(self.to_four(functional.pixel_unshuffle(fine, 2)))
        x = self.to_eight(functional.pixel_unshuffle(middle, 2))
        for block in self.coarse:
            x = block(x)
        x = self.middle_again(middle + upsample_2x(self.from_eight(x)))
        x = self.fine_again(fine + upsample_2x(self.from_four(x)))
        return functional.pixel_shuffle(self.leave(functional.relu(x)), 2)


def finish(
    draft: Tensor, guide: Guide, strength: float = 1.0, *, on_tile: Callable[[Tensor], None] | None = None
) -> Tensor:
    """Finish `draft` (1, 3, H, W), tile by tile, without seams.

    Args:
        draft: Float in [0, 1] or uint8, of any size.
        guide: Source of the recolored photo and the content mask of a tile.
        strength: Share of the correction that is added; 0 returns the draft.
        on_tile: Called after each tile with the partly finished painting; may raise to cancel.

    Returns:
        The painting, float32, (1, 3, H, W) in [0, 1].
    """
    network, device = load(device=draft.device), draft.device.type
    finished = float_copy(draft)
    for tile in tiles((draft.shape[2], draft.shape[3]), TILE, reach=REACH):
        inputs = as_floats(tile.extract(draft))
        with torch.inference_mode(), autocast(autocast_dtype(device), device):
            correction = network(inputs, *guide(tile)).float()
        tile.view(finished).copy_(tile.crop(inputs + strength * correction).clamp_(0, 1))
        if on_tile is not None:
            on_tile(finished)
    return finished


@cache
def load(path: Path = WEIGHTS, device: torch.device = CPU) -> Finisher:
    """Load the shipped network onto `device`, frozen; cached."""
    with torch.random.fork_rng(devices=[]):  # initial weights must not advance the caller's generator
        network = Finisher().float()
    network.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.to(device).requires_grad_(False).eval()
