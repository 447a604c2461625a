from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from numerics import CAT, read_tensor
from torch import Tensor

from stylizer import Options, methods
from stylizer.methods import PreviewFn, StyleInput, Task
from stylizer.options import MethodName
from stylizer.styles import catalog

Paint = Callable[..., Tensor]
SIDE = 128


def _itself(picture: Tensor) -> Tensor:
    return picture


@pytest.fixture(scope="session")
def paint() -> Paint:
    """Paint by a method alone, at 64 pixels as a draft: paint("texture", photo, (style, share), ..., **options)."""

    def report(step: int, total: int, current: PreviewFn) -> None:
        assert 0 < step <= total
        assert current().isfinite().all()

    def painted(
        method: MethodName,
        photo: Tensor,
        *styles: tuple[Tensor, float],
        mask: Tensor | None = None,
        content_mask: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        given: dict[str, Any] = {"quality": "draft", "size": 64} | options
        weighted = tuple(StyleInput(partial(_itself, picture), share) for picture, share in styles)
        with torch.inference_mode():
            return methods.load(method).paint(Task(photo, weighted, Options(**given), mask, content_mask, report))

    return painted


@pytest.fixture(scope="session")
def cat() -> Tensor:
    """A photo with a long side of 128 pixels."""
    return read_tensor(CAT, SIDE)


@pytest.fixture(scope="session")
def swirls() -> Tensor:
    """A style of the same size."""
    return read_tensor(catalog()["impasto-swirls"].swatch, SIDE)


@pytest.fixture(scope="session")
def painted(paint: Paint) -> Paint:
    """Paint by this method at standard quality: painted(photo, (style, share), ..., **options)."""

    def by_neighbor(photo: Tensor, *styles: tuple[Tensor, float], **options: object) -> Tensor:
        return paint("neighbor", photo, *styles, **({"quality": "standard"} | options))

    return by_neighbor


@pytest.fixture(scope="session")
def woodcut() -> Tensor:
    """Another style of that size."""
    return read_tensor(catalog()["woodcut"].swatch, SIDE)
