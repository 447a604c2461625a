"""On-policy training samples: paintings that the student itself optimizes during distillation.

Optimizing pixels for the student's loss exploits its errors. So some crops of every batch are such paintings in
progress, for which the teachers provide the targets.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

RATE = 0.03
DECAYS = (0.9, 0.99)


class Canvases:
    """Paintings in progress from a photo to a style, restarted round-robin after `lifetime` steps each."""

    def __init__(self, count: int, side: int, lifetime: int = 128) -> None:
        self.lifetime = lifetime
        self.image = torch.rand(count, 3, side, side)
        self.photo, self.style = torch.rand(2, count, 3, side, side)
        self.first = torch.zeros_like(self.image)
        self.second = torch.zeros_like(self.image)
        self.ages = torch.zeros(count, dtype=torch.long)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        return {name: getattr(self, name) for name in ("image", "photo", "style", "first", "second", "ages")}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` answered."""
        for name, value in state.items():
            getattr(self, name).copy_(value)

    def renew(self, step: int, batch: Tensor) -> None:
        """Restart the canvas that is due: the batch's first crop is its photo, the last one its style."""
        count = len(self.image)
        for i in range(count):
            if step % self.lifetime == i * self.lifetime // count:
                self.image[i] = self.photo[i] = batch[0]
                self.style[i] = batch[-1]
                self.first[i], self.second[i], self.ages[i] = 0, 0, 0

    def paint(self, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        """Take one Adam step on `loss(image, style, photo)` for every canvas; return the images (B, 3, H, W)."""
        image = self.image.clone().contiguous(memory_format=torch.channels_last).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(image, self.style, self.photo), image)
        self.ages += 1
        age = self.ages.view(-1, 1, 1, 1)
        self.first.lerp_(gradient, 1 - DECAYS[0])
        self.second.lerp_(gradient.square(), 1 - DECAYS[1])
        scale = (self.second / (1 - DECAYS[1] ** age)).sqrt() + 1e-12
        self.image.sub_(RATE * self.first / (1 - DECAYS[0] ** age) / scale).clamp_(0, 1)
        return self.image
