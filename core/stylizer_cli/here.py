"""Painting on this machine, one errand after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache

from stylizer.compute import configure_process
from stylizer.errors import StylizerError
from stylizer_cli.errands import Errand, OnEnd, Painted
from stylizer_cli.screen import Bars, Show
from stylizer_cli.targets import STANDARD_STREAM, write

_configure_once = cache(configure_process)


def paint(errands: Iterable[Errand], bars: Bars, on_end: OnEnd) -> None:
    """Paint all, and write each as soon as it is done."""
    for errand in errands:
        end: Painted | StylizerError
        with bars.bar(errand.name) as show:
            try:
                end = _paint_one(errand, show)
            except StylizerError as error:
                end = error
        on_end(errand, end)


def _paint_one(errand: Errand, show: Show) -> Painted:
    _configure_once()
    from stylizer import stylize  # brings torch, which takes seconds: after all that can be said without

    wish = errand.wish
    painting = stylize(
        sys.stdin.buffer if errand.photo == STANDARD_STREAM else errand.photo,
        wish.styles,
        method=wish.method,
        options=wish.options,
        mask=wish.mask,
        content_mask=wish.content_mask,
        on_progress=lambda progress: show(progress.step, progress.total),
    )
    write(errand.target, painting.encode(errand.target.format, quality=errand.quality))
    return Painted(*painting.image.size, painting.seconds, painting.features)
