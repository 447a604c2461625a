"""L-BFGS on the pixels of a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import unwrap

import torch
from torch import Tensor

HISTORY = 8  # history size; each entry holds two pictures in memory
PATIENCE = 10  # steps over which convergence is tested
MIN_IMPROVEMENT = 0.005  # relative decrease of the loss over these steps below which it has converged
DIVERGENCE_RATIO = 1.5  # multiple of the best loss above which the last steps are reverted


class _LBFGS(torch.optim.LBFGS):
    """torch's L-BFGS without its compiler wrappers.

    torch wraps some optimizer methods to exclude them from compilation, and imports `torch._dynamo` on their first
    call: 800 modules and a second of CPU time in a process that compiles nothing. These are the unwrapped methods.
    """

    add_param_group = unwrap(torch.optim.LBFGS.add_param_group)
    zero_grad = unwrap(torch.optim.LBFGS.zero_grad)
    _cuda_graph_capture_health_check = unwrap(torch.optim.LBFGS._cuda_graph_capture_health_check)


class LBFGS:
    """Minimizer of a loss of one picture.

    L-BFGS as in Gatys et al. 2016, with a step length of 1: at 256 pixels it reached the same loss as Adam with
    averaged iterates in half as many evaluations, and a line search did not pay for its evaluations. Without one a step
    can diverge; it is then reverted to the best picture, and the step length is halved.
    """

    def __init__(self, image: Tensor) -> None:
        """Start at `image` (1, 3, H, W), in [0, 1]."""
        self._image = image.clone(memory_format=torch.contiguous_format).requires_grad_()
        self._best = self._image.detach().clone()
        self._losses: list[float] = []
        self._length = 1.0
        self._lbfgs = self._new_optimizer()

    def _new_optimizer(self) -> _LBFGS:
        # One evaluation per step, and no convergence test but `converged`.
        return _LBFGS(
            [self._image], lr=self._length, max_iter=1, history_size=HISTORY, tolerance_grad=0, tolerance_change=0
        )

    def step(self, loss: Callable[[Tensor], Tensor]) -> None:
        """Take one step to decrease `loss` of the picture."""
        previous = self._image.detach().clone()

        def evaluate() -> Tensor:
            self._lbfgs.zero_grad()
            value = loss(self._image)
            value.backward()  # type: ignore[no-untyped-call]
            return value

        value = self._lbfgs.step(evaluate).item()  # type: ignore[no-untyped-call]
        best = min(self._losses, default=math.inf)
        if value < best:
            self._best = previous
        elif not value < DIVERGENCE_RATIO * best:
            self._length /= 2
            with torch.no_grad():
                self._image.copy_(self._best)
            self._lbfgs = self._new_optimizer()
            value = best
        self._losses.append(value)

    @property
    def image(self) -> Tensor:
        """Best picture so far, (1, 3, H, W), clamped to [0, 1]."""
        return self._best.clamp(0, 1)

    @property
    def converged(self) -> bool:
        """Whether the last `PATIENCE` steps improved the best loss by less than `MIN_IMPROVEMENT`."""
        if len(self._losses) <= PATIENCE:
            return False
        return min(self._losses[-PATIENCE:]) > (1 - MIN_IMPROVEMENT) * min(self._losses[:-PATIENCE])
