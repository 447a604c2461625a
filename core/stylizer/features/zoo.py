"""torchvision's models and the addresses of their weights: for fetching and training; painting does without."""

from __future__ import annotations

from types import ModuleType
from typing import cast

import torch


def torchvision_models() -> ModuleType:
    """`torchvision.models`, also where torchvision's compiled half does not load.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
    """
    try:
        import torchvision
    except RuntimeError:
        # The only wheel is linked against CUDA: beside a CPU build of torch its extension does not load, and its Python
        # code then looks for operators nobody declared. Declaring their schemas is all that the models need.
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float threshold) -> Tensor")
        import torchvision
    return cast(ModuleType, torchvision.models)
