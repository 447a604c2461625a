"""Fixtures of every numerical test: on the CPU, from the same seed."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute on the CPU even where there is a GPU; `tests/core/test_device.py` covers those."""
    monkeypatch.setenv("STYLIZER_DEVICE", "cpu")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Seed torch, so that no test depends on the random draws of those before it."""
    import torch

    torch.manual_seed(0)
