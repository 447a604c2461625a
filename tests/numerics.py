"""What numerical tests share: computation on the CPU from the same seed, and pictures as tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

CAT = Path(__file__).parents[1] / "docs" / "pictures" / "cat.jpg"


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute on the CPU even where there is a GPU; `tests/core/test_device.py` covers those."""
    monkeypatch.setenv("STYLIZER_DEVICE", "cpu")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Seed torch, so that no test depends on the random draws of those before it."""
    import torch

    torch.manual_seed(0)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Uniform random float32 values in [0, 1), the same for each seed."""
    import torch

    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def read_tensor(path: Path, side: int) -> Tensor:
    """Read a picture, reduced to `side` pixels at most, as float32 (1, 3, H, W) in [0, 1]."""
    from stylizer.tensors import to_tensor

    with Image.open(path) as file:
        file.thumbnail((side, side))
        return to_tensor(file.convert("RGB"))
