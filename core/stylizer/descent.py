"""Painting as a walk downhill: Adam on the pixels, with the last iterates averaged."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

RATE = 0.03  # of Adam, in units of the pixel range
MEMORY = 0.9  # of the average: the last ten iterates or so
PATIENCE = 10  # steps over which the loss is averaged before it is compared
LEAST_GAIN = 0.002  # relative improvement over as many steps, below which a walk has arrived


class Descent:
    """Changes one picture so that a loss falls.

    The average of the iterates is the painting: Adam keeps each pixel in motion by about its rate, and the average
    takes that noise away, as crowsonkb/style-transfer-pytorch found. It replaces a falling rate, which would have to
    know beforehand when the walk ends.
    """

    def __init__(self, image: Tensor, rate: float = RATE) -> None:
        """Begin at `image` (1, 3, H, W), in [0, 1]; no step changes a pixel by much more than `rate`."""
        self._image = image.clone(memory_format=torch.channels_last).requires_grad_()
        self._average = torch.zeros_like(self._image, requires_grad=False)
        self._bias = 1.0
        self._adam = torch.optim.Adam([self._image], lr=rate, betas=(0.9, 0.99), fused=True)
        self._losses: list[float] = []

    def step(self, loss: Callable[[Tensor], Tensor]) -> None:
        """Take one step down the gradient of `loss` of the picture."""
        self._adam.zero_grad()
        value = loss(self._image)
        value.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        with torch.no_grad():
            self._image.clamp_(0, 1)
            self._average.mul_(MEMORY).add_(self._image, alpha=1 - MEMORY)
        self._bias *= MEMORY
        self._losses.append(value.item())

    @property
    def image(self) -> Tensor:
        """The average of the last iterates, (1, 3, H, W)."""
        return (self._average / (1 - self._bias)).clamp(0, 1) if self._losses else self._image.detach()

    @property
    def has_arrived(self) -> bool:
        """Whether the last steps brought next to nothing."""
        if len(self._losses) < 2 * PATIENCE:
            return False
        before, now = (sum(part) for part in (self._losses[-2 * PATIENCE : -PATIENCE], self._losses[-PATIENCE:]))
        return now > (1 - LEAST_GAIN) * before
