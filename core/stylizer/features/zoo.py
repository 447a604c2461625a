"""Access to torchvision's models and the URLs of their weights, for fetching and training only."""

from __future__ import annotations

from types import ModuleType
from typing import cast

import torch


def torchvision_models() -> ModuleType:
    """Import `torchvision.models`, even if torchvision's compiled extension does not load.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
    """
    try:
        import torchvision
    except RuntimeError:
        # The only wheel is linked against CUDA. With a CPU build of torch its extension does not load, and its Python
        # code then looks up undeclared operators. The models need only their schemas.
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float threshold) -> Tensor")
        import torchvision
    return cast(ModuleType, torchvision.models)
