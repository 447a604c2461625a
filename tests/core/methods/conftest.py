from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from stylizer import Options, methods
from stylizer.methods import Current, Style, Task
from stylizer.options import MethodName

Paint = Callable[..., Tensor]


def _itself(picture: Tensor) -> Tensor:
    return picture


@pytest.fixture(scope="session")
def paint() -> Paint:
    """Paint by a method alone, at 64 pixels as a draft: paint("texture", photo, (style, share), ..., **options)."""

    def report(step: int, total: int, current: Current) -> None:
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
        weighted = tuple(Style(partial(_itself, picture), share) for picture, share in styles)
        with torch.inference_mode():
            return methods.load(method).paint(Task(photo, weighted, Options(**given), mask, content_mask, report))

    return painted
