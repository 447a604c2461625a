"""A faint grain on the photo, from which flat areas can go different ways; the same at a place in every tile."""

from __future__ import annotations

import torch
from torch import Tensor

from stylizer.tensors import CPU

GRAIN = 0.01  # standard deviation of what is added to every color; the network is trained with it
SIDE = 1024  # pixels after which it repeats: too far apart to be seen


class Grain:
    """Normal noise over the plane."""

    def __init__(self, seed: int, device: torch.device = CPU) -> None:
        # Drawn on the CPU, so that a seed means the same grain on every device.
        generator = torch.Generator().manual_seed(seed)
        self._plane = GRAIN * torch.randn(1, 1, SIDE, SIDE, generator=generator, dtype=torch.float32).to(device)

    def at(self, top: int, left: int, height: int, width: int) -> Tensor:
        """The grain (1, 1, height, width) of an area that begins at `top` and `left`, which may be below 0."""
        rows = torch.arange(top, top + height, device=self._plane.device) % SIDE
        columns = torch.arange(left, left + width, device=self._plane.device) % SIDE
        return self._plane[:, :, rows][:, :, :, columns]
