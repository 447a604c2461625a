"""What every painting method owes its caller."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import torch
from numerics import noise
from torch import Tensor

from stylizer import METHOD_NAMES
from stylizer.capabilities import METHODS
from stylizer.methods import optimization
from stylizer.options import MethodName

Paint = Callable[..., Tensor]


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_painting_keeps_shape_and_inputs_and_is_offline(
    name: MethodName, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was touched"))
    monkeypatch.setitem(optimization.STEPS, "draft", (6,))
    photo, mask = noise(1, 3, 50, 64), noise(1, 1, 50, 64)
    content_mask = mask.flip(3) if METHODS[name].takes_content_mask else None
    styles = ((noise(1, 3, 40, 60, seed=1), 0.7), (noise(1, 3, 64, 33, seed=2), 0.3))
    given = [photo, mask, styles[0][0], styles[1][0]]
    before = [tensor.clone() for tensor in given]
    painted = paint(name, photo, *styles, mask=mask, content_mask=content_mask)
    assert painted.shape == photo.shape
    assert painted.dtype == torch.float32
    assert painted.min() >= 0
    assert painted.max() <= 1
    for tensor, copy in zip(given, before, strict=True):
        assert torch.equal(tensor, copy)
