"""Faint noise on the photo, which breaks the symmetry of flat areas; consistent across tiles."""

from __future__ import annotations

import torch
from torch import Tensor

from stylizer.tensors import CPU

GRAIN = 0.01  # standard deviation of the noise, equal in all channels; the network is trained with it
SIDE = 1024  # period in pixels, too long to be visible


class Grain:
    """Periodic Gaussian noise over the plane."""

    def __init__(self, seed: int, device: torch.device = CPU) -> None:
        # Drawn on the CPU, so that a seed gives the same grain on every device.
        generator = torch.Generator().manual_seed(seed)
        self._plane = GRAIN * torch.randn(1, 1, SIDE, SIDE, generator=generator, dtype=torch.float32).to(device)

    def at(self, top: int, left: int, height: int, width: int) -> Tensor:
        """Return the grain (1, 1, height, width) of the area at `top` and `left`, which may be negative."""
        rows = torch.arange(top, top + height, device=self._plane.device) % SIDE
        columns = torch.arange(left, left + width, device=self._plane.device) % SIDE
        return self._plane[:, :, rows][:, :, :, columns]
