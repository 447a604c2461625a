"""Painting methods: one module each, all with the interface `Method`.

Importing this package imports no method; `load` imports one on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from stylizer.options import MethodName, Options

if TYPE_CHECKING:
    from torch import Tensor

    from stylizer.feedforward.style_statistics import StyleStatistics
    from stylizer.regions import Regions
    from stylizer.synthesis.temporal import TemporalHints

PreviewFn = Callable[[], "Tensor"]
"""Return the painting in its current state, (1, 3, h, w), of any size."""

ReportFn = Callable[[int, int, PreviewFn], None]
"""Report progress after a unit of work: (steps done, total steps, preview). May raise to cancel."""


def _unknown(_part: float) -> None:
    """Return no cached statistics: they are computed from the picture."""


class StyleInput:
    """One style of a task: its picture, loaded lazily, its weight in the blend, and cached statistics.

    Attributes:
        share: Weight in the blend; the weights of all styles, or of those of one region, sum to 1.
        statistics: Return the compact encoder's statistics at a fraction of the requested scale, or None if they are
            not cached and must be computed from the picture. (The picture of a built-in style may be synthesized; its
            cached statistics are those of the original work.)
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

    def at_scale(self, scale: float, picture: Callable[[], Tensor]) -> StyleInput:
        """Return this style with its picture replaced by `picture`, at `scale` times the requested scale."""
        return StyleInput(picture, self.share, lambda part: self.statistics(scale * part), lambda: self.colors)

    @cached_property
    def colors(self) -> Tensor:
        """Sample of the colors, (3, h, w), float32, sRGB in [0, 1]: cached, or the pixels of `picture`."""
        return self.picture[0] if self._colors is None else self._colors()

    @cached_property
    def picture(self) -> Tensor:
        """Picture at the requested scale: (1, 3, h, w), float32, sRGB in [0, 1], on the photo's device.

        Loaded on first access.

        Raises:
            ImageError: The picture is unusable.
        """
        return self._load()


@dataclass(frozen=True, slots=True)
class Task:
    """Input of a method.

    Steps that all methods share (resizing, compositing by `mask`, `preserve_color`) are done by the caller.

    Attributes:
        photo: (1, 3, H, W), float32, sRGB in [0, 1], at the output size. Its device is the device of the computation.
        styles: At least one.
        options: The caller's options.
        mask: Opacity of the painting over the photo, (1, 1, H, W) in [0, 1]; None means 1 everywhere. The caller
            composites; a method may use the mask to restrict its statistics.
        content_mask: Where to preserve the photo's structure, (1, 1, H, W) in [0, 1]; None lets the method decide.
        report: Progress callback, called after each unit of work.
        regions: Where which styles paint; None if all of them are blended everywhere.
        hints: For a frame of a clip: the painting before, which a method may use to paint alike.
    """

    photo: Tensor
    styles: tuple[StyleInput, ...]
    options: Options
    mask: Tensor | None
    content_mask: Tensor | None
    report: ReportFn
    regions: Regions | None = None
    hints: TemporalHints | None = None

    def pictures(self) -> list[tuple[Tensor, float]]:
        """Return the style pictures with their weights."""
        return [(style.picture, style.share) for style in self.styles]

    def groups(self) -> list[tuple[StyleInput, ...]]:
        """Return the styles of each region; one group of all styles if there are no regions."""
        if self.regions is None:
            return [self.styles]
        return [tuple(self.styles[style] for style in group) for group in self.regions.groups]


class MemoryPolicy(NamedTuple):
    """When to trade time for memory (`stylizer.compute.trim_large_allocations`).

    Attributes:
        min_pixels: Output pixels above which large blocks are returned to the system.
        block_bytes: Size from which on a block is large.
    """

    min_pixels: int
    block_bytes: int


class Method(Protocol):
    """Interface of a method's module."""

    MAX_STYLE_SIDE: int
    """Styles are resized with the output up to this output size (long side, pixels), and no larger."""
    MAX_UPSCALED_STYLE_SIDE: int
    """Output size (long side, pixels) above which styles are no longer upscaled."""
    MEMORY_POLICY: MemoryPolicy

    def paint(self, task: Task) -> Tensor:
        """Paint `task`: (1, 3, H, W), sRGB in [0, 1]."""
        ...


_MODULES: dict[MethodName, str] = {
    "neighbor": "stylizer.methods.neighbor",
    "feedforward": "stylizer.methods.feedforward",
    "optimization": "stylizer.methods.optimization",
    "texture": "stylizer.methods.texture",
    "color": "stylizer.methods.color",
}


SYNTHESIZES_REGIONS: frozenset[MethodName] = frozenset({"neighbor", "texture"})
"""Methods that paint all regions in one synthesis; for the others each region is painted and then composited."""


def load(name: MethodName) -> Method:
    """Import the module of a method."""
    return cast(Method, import_module(_MODULES[name]))


def paint(name: MethodName, task: Task) -> Tensor:
    """Paint `task` with a method: (1, 3, H, W), sRGB in [0, 1]."""
    method = load(name)
    if task.regions is None or name in SYNTHESIZES_REGIONS:
        return method.paint(task)
    from stylizer.methods.by_region import paint_by_region  # deferred: it needs torch

    # Hints are of the whole painting, and would mix the palettes of the regions.
    return paint_by_region(replace(task, hints=None), method.paint)
