"""Muon for convolution filters combined with Adam for all other parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class MuonAndAdam:
    """Muon and Adam stepped together, with a common schedule relative to each peak learning rate.

    Muon (Jordan et al. 2024) orthogonalizes the update of every filter bank: after 150 steps from scratch 0.48 of the
    teachers' variance was unexplained, with Adam 0.59. The first layer, whose input is colors, uses Adam, as usual.
    """

    def __init__(self, module: nn.Module, filters: Iterable[nn.Conv2d], *, rate: float, filters_rate: float) -> None:
        self._rates = (rate, filters_rate)
        self._convolutions = list(filters)
        # Muon needs matrices: views of the channels-last filters with one row per output channel.
        self._matrices = [nn.Parameter(_rows(convolution.weight.data)) for convolution in self._convolutions]
        theirs = {id(convolution.weight) for convolution in self._convolutions}
        rest = [parameter for parameter in module.parameters() if id(parameter) not in theirs]
        self._adam = torch.optim.Adam(rest, lr=rate, betas=(0.9, 0.99), fused=True)
        self._muon = torch.optim.Muon(
            self._matrices, lr=filters_rate, weight_decay=0.0, momentum=0.9, adjust_lr_fn="match_rms_adamw"
        )

    def step(self, share: float) -> None:
        """Take a step with `share` (0-1) of the peak learning rates."""
        for matrix, convolution in zip(self._matrices, self._convolutions, strict=True):
            assert convolution.weight.grad is not None
            matrix.grad = _rows(convolution.weight.grad)
        for optimizer, rate in zip((self._adam, self._muon), self._rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return all state that the next step depends on."""
        return {"adam": self._adam.state_dict(), "muon": self._muon.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        self._adam.load_state_dict(state["adam"])
        self._muon.load_state_dict(state["muon"])


def _rows(filters: Tensor) -> Tensor:
    """View channels-last filters (O, I, 3, 3) as (O, 9 I)."""
    return filters.permute(0, 2, 3, 1).flatten(1)
