"""The painting methods, one module each, all of one shape.

Importing this package imports no method: each is loaded when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from stylizer.options import FeaturesName, MethodName, Options

if TYPE_CHECKING:
    from torch import Tensor

Current = Callable[[], "Tensor"]
"""Gives the present state of a painting as (1, 3, h, w), of any size."""

Report = Callable[[int, int, Current], None]
"""What a method calls after each unit of work: steps done, steps in all, the present state. May raise to cancel."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a method is given. What all methods share (size, laying over, the photo's colors) is already seen to.

    Attributes:
        photo: (1, 3, H, W), float32, sRGB in [0, 1], at the size of the output.
        styles: Style pictures (1, 3, h, w) like the photo, at the scale asked for, with shares that sum to 1.
        options: The caller's options.
        mask: Where the painting will be laid over the photo, (1, 1, H, W) in [0, 1]; None is everywhere. That is done
            for every method; a method may look at this part alone.
        content_mask: Where to keep the photo's structure, (1, 1, H, W) in [0, 1]; None leaves it to the method.
        report: To be called after each unit of work.
    """

    photo: Tensor
    styles: tuple[tuple[Tensor, float], ...]
    options: Options
    mask: Tensor | None
    content_mask: Tensor | None
    report: Report


class Largest(NamedTuple):
    """The largest long sides a method can take, in pixels: of the output, and of a style at the scale asked for."""

    size: int
    style_size: int


class Method(Protocol):
    """What the module of a method has."""

    LARGEST: dict[FeaturesName | None, Largest]
    """By the perceptual features it can paint with, its default first; None alone where it uses none."""
    TAKES_CONTENT_MASK: bool

    def paint(self, task: Task) -> Tensor:
        """The painting, (1, 3, H, W), sRGB in [0, 1]."""
        ...


METHODS: dict[MethodName, str] = {
    "texture": "stylizer.methods.texture",
    "optimization": "stylizer.methods.optimization",
}


def load(name: MethodName) -> Method:
    """Import a method."""
    return cast(Method, import_module(METHODS[name]))
