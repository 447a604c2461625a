"""The painting methods, one module each, all of one shape.

Importing this package imports no method: each is loaded when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from stylizer.options import MethodName, Options

if TYPE_CHECKING:
    from torch import Tensor

    from stylizer.feedforward.style_statistics import StyleStatistics

Current = Callable[[], "Tensor"]
"""Gives the present state of a painting as (1, 3, h, w), of any size."""

Report = Callable[[int, int, Current], None]
"""What a method calls after each unit of work: steps done, steps in all, the present state. May raise to cancel."""


def _unknown(_part: float) -> None:
    """No cached statistics: compute them from the picture."""


class Style:
    """A style to paint in.

    Attributes:
        share: Of the blend; the shares of all styles sum to 1.
        statistics: Statistics of the compact encoder's features at a given fraction of the scale asked for; None where
            they are not cached and must be computed from the picture. (The picture of a built-in style may only be a
            likeness of the work it is named after; the statistics are of the work itself.)
    """

    def __init__(
        self,
        picture: Callable[[], Tensor],
        share: float = 1.0,
        statistics: Callable[[float], StyleStatistics | None] = _unknown,
        colors: Callable[[], Tensor] | None = None,
    ) -> None:
        self._load = picture
        self.share = share
        self.statistics = statistics
        self._colors = colors

    def at_scale(self, scale: float, picture: Callable[[], Tensor]) -> Style:
        """Return the same style with `picture` in place of its own, shown at `scale` times the scale asked for."""
        return Style(picture, self.share, lambda part: self.statistics(scale * part), lambda: self.colors)

    @cached_property
    def colors(self) -> Tensor:
        """A sample of its colors, (3, h, w), float32, sRGB in [0, 1]: as stored, or those of `picture`."""
        return self.picture[0] if self._colors is None else self._colors()

    @cached_property
    def picture(self) -> Tensor:
        """(1, 3, h, w), float32, sRGB in [0, 1], at the scale asked for; loaded when first asked for.

        On the photo's device.

        Raises:
            ImageError: It cannot be used.
        """
        return self._load()


@dataclass(frozen=True, slots=True)
class Task:
    """What a method is given. What all methods share (size, laying over, the photo's colors) is already seen to.

    Attributes:
        photo: (1, 3, H, W), float32, sRGB in [0, 1], at the size of the output. Everything is computed on its device.
        styles: At least one.
        options: The caller's options.
        mask: Where the painting will be laid over the photo, (1, 1, H, W) in [0, 1]; None is everywhere. That is done
            for every method; a method may look at this part alone.
        content_mask: Where to keep the photo's structure, (1, 1, H, W) in [0, 1]; None leaves it to the method.
        report: To be called after each unit of work.
    """

    photo: Tensor
    styles: tuple[Style, ...]
    options: Options
    mask: Tensor | None
    content_mask: Tensor | None
    report: Report

    def pictures(self) -> list[tuple[Tensor, float]]:
        """The style pictures with their shares."""
        return [(style.picture, style.share) for style in self.styles]


class MemoryPolicy(NamedTuple):
    """When memory is spared at the price of time (`stylizer.compute.trim_large_allocations`).

    Attributes:
        pixels: Above so many of the output.
        piece: From how many bytes on a piece of memory is a large one.
    """

    pixels: int
    piece: int


class Method(Protocol):
    """What the module of a method has."""

    MAX_STYLE_SIDE: int
    """Styles are shown at the scale of the output, but of no larger one than this (long side, pixels)."""
    MAX_UPSCALED_STYLE_SIDE: int
    """Size of the output (long side, pixels) above which styles are shown at no more pixels than they have."""
    MEMORY_POLICY: MemoryPolicy

    def paint(self, task: Task) -> Tensor:
        """The painting, (1, 3, H, W), sRGB in [0, 1]."""
        ...


METHODS: dict[MethodName, str] = {
    "neighbor": "stylizer.methods.neighbor",
    "feedforward": "stylizer.methods.feedforward",
    "optimization": "stylizer.methods.optimization",
    "texture": "stylizer.methods.texture",
}


def load(name: MethodName) -> Method:
    """Import a method."""
    return cast(Method, import_module(METHODS[name]))
