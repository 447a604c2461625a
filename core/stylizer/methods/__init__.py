"""The painting methods, one module each, all of one shape.

Importing this package imports no method: each is loaded when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from stylizer.options import MethodName, Options

if TYPE_CHECKING:
    from torch import Tensor

Current = Callable[[], "Tensor"]
"""Gives the present state of a painting as (1, 3, h, w), of any size."""

Report = Callable[[int, int, Current], None]
"""What a method calls after each unit of work: steps done, steps in all, the present state. May raise to cancel."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a method is given. What all methods share (size, mask, color preservation) is already seen to.

    Attributes:
        photo: (1, 3, H, W), float32, sRGB in [0, 1], at the size of the output.
        styles: Style pictures (1, 3, h, w) like the photo, at the scale asked for, with shares that sum to 1.
        options: The caller's options.
        content_mask: Where to keep the photo's structure, (1, 1, H, W) in [0, 1]; None leaves it to the method.
        report: To be called after each unit of work.
    """

    photo: Tensor
    styles: tuple[tuple[Tensor, float], ...]
    options: Options
    content_mask: Tensor | None
    report: Report


class Method(Protocol):
    """What the module of a method has."""

    MAX_SIZE: int
    """Largest long side of the output, in pixels."""
    MAX_STYLE_SIZE: int
    """Largest long side of a style at the scale asked for, in pixels."""
    TAKES_CONTENT_MASK: bool
    FEATURES: str | None
    """The perceptual features it uses, to be told with the result."""

    def paint(self, task: Task) -> Tensor:
        """The painting, (1, 3, H, W), sRGB in [0, 1]."""
        ...


METHODS: dict[MethodName, str] = {"texture": "stylizer.methods.texture"}


def load(name: MethodName) -> Method:
    """Import a method."""
    return cast(Method, import_module(METHODS[name]))
