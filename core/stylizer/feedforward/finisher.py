"""A network that finishes drafts: it joins the pieces of a style that a painting was assembled from."""

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
from stylizer.tensors import CPU, as_floats, float_copy
from stylizer.tiles import Tile, tiles

WEIGHTS = Path(__file__).parents[1] / "weights" / "finisher.safetensors"
INPUTS = 7  # draft and recolored photo, three colors each, and the content mask
WIDTHS = (32, 64, 128)  # channels at strides 2, 4 and 8
DEPTH = 3  # residual blocks at stride 8
TILE = 1024  # pixels a side that are finished at once
REACH = 96  # pixels around one that it depends on

Guide = Callable[[Tile], tuple[Tensor, Tensor]]


class Block(nn.Module):
    """A residual block of two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.normal_(self.second.weight, std=0.3 * (2 / (9 * channels)) ** 0.5)
        for bias in (self.first.bias, self.second.bias):
            nn.init.zeros_(cast(Tensor, bias))

    def forward(self, x: Tensor) -> Tensor:
        """Transform `x` (B, C, h, w)."""
        return cast(Tensor, self.second(functional.relu_(self.first(x))) + x)


class Finisher(nn.Module):
    """A residual U-Net (Ronneberger et al. 2015) at strides 2, 4 and 8.

    It sees no style but in the draft, which is made of the style's own pixels, and holds no statistics of the picture,
    so that any part of a picture is finished as in the whole.
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
        """Predict the correction (B, 3, H, W) that added to a draft makes a finished painting.

        Args:
            draft: (B, 3, H, W), sRGB in [0, 1], H and W multiples of 8.
            photo: The same of the photo in the colors of the style.
            mask: (B, 1, H, W), 0-1, where the photo must stay recognizable.
        """
        x = functional.pixel_unshuffle(torch.cat([draft - 0.5, photo - 0.5, mask], 1), 2)
        fine = self.fine(functional.relu(self.enter(x)))
        middle = self.middle(self.to_four(functional.pixel_unshuffle(fine, 2)))
        x = self.to_eight(functional.pixel_unshuffle(middle, 2))
        for block in self.coarse:
            x = block(x)
        x = self.middle_again(middle + _enlarged(self.from_eight(x)))
        x = self.fine_again(fine + _enlarged(self.from_four(x)))
        return functional.pixel_shuffle(self.leave(functional.relu(x)), 2)


def _enlarged(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def finish(
    draft: Tensor, guide: Guide, strength: float = 1.0, *, on_tile: Callable[[Tensor], None] | None = None
) -> Tensor:
    """Finish `draft` (1, 3, H, W), in [0, 1] or in bytes: float32, (1, 3, H, W) in [0, 1].

    Works tile by tile; tiles match exactly, since no pixel depends on more than `REACH` pixels around it.

    Args:
        draft: Of any size.
        guide: For a tile the recolored photo (1, 3, h, w) and the content mask (1, 1, h, w) over all that it sees.
        strength: Share of the correction that is added; 0 is the draft.
        on_tile: Called after each tile with the draft, in which tiles so far are finished; may raise to cancel.
    """
    network, device = load(device=draft.device), draft.device.type
    finished = float_copy(draft)
    for tile in tiles((draft.shape[2], draft.shape[3]), TILE, reach=REACH):
        seen = as_floats(tile.cut(draft))
        with torch.inference_mode(), autocast(autocast_dtype(device), device):
            correction = network(seen, *guide(tile)).float()
        tile.of(finished).copy_(tile.own(seen + strength * correction).clamp_(0, 1))
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
