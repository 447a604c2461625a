"""Painting as a walk downhill: L-BFGS on the pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import unwrap

import torch
from torch import Tensor

HISTORY = 8  # steps that a direction is made from; each keeps two pictures in memory
PATIENCE = 10  # steps after which the loss is compared with what it was
LEAST_GAIN = 0.005  # relative improvement over as many steps, below which a walk has arrived
WORSE = 1.5  # times the best loss: from there the walk is taken back


class _LBFGS(torch.optim.LBFGS):
    """L-BFGS without torch's compiler.

    torch keeps some methods of its optimizers from being compiled, and imports `torch._dynamo` for that on their first
    call: 800 modules, which take a second of a processor, in a process that compiles nothing. These are the same
    methods without that wrapper.
    """

    add_param_group = unwrap(torch.optim.LBFGS.add_param_group)
    zero_grad = unwrap(torch.optim.LBFGS.zero_grad)
    _cuda_graph_capture_health_check = unwrap(torch.optim.LBFGS._cuda_graph_capture_health_check)


class LBFGS:
    """Changes one picture so that a loss falls.

    L-BFGS as in Gatys et al. 2016, with steps of full length: on paintings of 256 pixels it took half as many
    evaluations as Adam with averaged iterates to get equally far, and a line search, which costs evaluations, brought
    nothing. Without one a step can lead astray; it is then taken back, and the next ones are shorter.
    """

    def __init__(self, image: Tensor) -> None:
        """Begin at `image` (1, 3, H, W), in [0, 1]."""
        self._image = image.clone(memory_format=torch.contiguous_format).requires_grad_()
        self._best = self._image.detach().clone()
        self._losses: list[float] = []
        self._length = 1.0
        self._lbfgs = self._fresh()

    def _fresh(self) -> _LBFGS:
        # One evaluation a step, and no end but ours.
        return _LBFGS(
            [self._image], lr=self._length, max_iter=1, history_size=HISTORY, tolerance_grad=0, tolerance_change=0
        )

    def step(self, loss: Callable[[Tensor], Tensor]) -> None:
        """Take one step down the gradient of `loss` of the picture."""
        before = self._image.detach().clone()

        def evaluate() -> Tensor:
            self._lbfgs.zero_grad()
            value = loss(self._image)
            value.backward()  # type: ignore[no-untyped-call]
            return value

        value = self._lbfgs.step(evaluate).item()  # type: ignore[no-untyped-call]
        best = min(self._losses, default=math.inf)
        if value < best:
            self._best = before
        elif not value < WORSE * best:
            self._length /= 2
            with torch.no_grad():
                self._image.copy_(self._best)
            self._lbfgs = self._fresh()
            value = best
        self._losses.append(value)

    @property
    def image(self) -> Tensor:
        """Where the walk has come to, (1, 3, H, W), in [0, 1]."""
        return self._best.clamp(0, 1)

    @property
    def converged(self) -> bool:
        """Whether the last steps brought next to nothing."""
        if len(self._losses) <= PATIENCE:
            return False
        return min(self._losses[-PATIENCE:]) > (1 - LEAST_GAIN) * min(self._losses[:-PATIENCE])
