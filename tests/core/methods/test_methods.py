"""What every painting method owes its caller."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stylizer import METHOD_NAMES
from stylizer.capabilities import METHODS
from stylizer.options import MethodName

Paint = Callable[..., Tensor]


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_method_says_how_large_it_can_paint(name: MethodName) -> None:
    largest = METHODS[name].sizes
    assert largest
    for size, style_size in largest.values():
        assert 64 <= size <= style_size


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_painting_has_the_photos_shape_and_changes_no_input(name: MethodName, paint: Paint) -> None:
    photo, mask = _noise(1, 3, 50, 64), _noise(1, 1, 50, 64)
    content_mask = mask.flip(3) if METHODS[name].takes_content_mask else None
    styles = ((_noise(1, 3, 40, 60, seed=1), 0.7), (_noise(1, 3, 64, 33, seed=2), 0.3))
    given = [photo, mask, styles[0][0], styles[1][0]]
    before = [tensor.clone() for tensor in given]
    painted = paint(name, photo, *styles, mask=mask, content_mask=content_mask)
    assert painted.shape == photo.shape
    assert painted.dtype == torch.float32
    assert painted.min() >= 0
    assert painted.max() <= 1
    for tensor, copy in zip(given, before, strict=True):
        assert torch.equal(tensor, copy)
