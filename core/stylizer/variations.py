"""Variants of a painting: the options of several paintings of one photo to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice, repeat

from stylizer.capabilities import METHODS, size_limits
from stylizer.options import (
    DEFAULT_METHOD,
    ORIGINAL,
    SEED_RANGE,
    STYLE_SCALE_RANGE,
    MethodName,
    Options,
    check_variants,
)

STEP = 1.5
"""Ratio of neighboring style scales: below about 1.3 paintings of the same photo are hard to tell apart."""


def variants(options: Options, n: int, *, method: MethodName = DEFAULT_METHOD) -> list[Options]:
    """Return the options of `n` variants of a painting, which differ in seed and style scale.

    Deterministic. The first variant has the given options; the others have the next seeds, and style scales in steps of
    `STEP` from the given one, nearest first, within what the method supports at that size. Those of method color differ
    in the seed only, and so hardly at all.

    Args:
        options: Options of the first variant.
        n: Number of variants, 1-4.
        method: Method to paint by.

    Raises:
        OptionError: `n` is out of range.
    """
    check_variants(n)
    seeds = ((options.seed + index) % (SEED_RANGE[1] + 1) for index in range(n))
    return [
        replace(options, seed=seed, style_scale=scale)
        for seed, scale in zip(
            seeds, islice(chain(_style_scales(options, method), repeat(options.style_scale)), n), strict=True
        )
    ]


def _style_scales(options: Options, method: MethodName) -> Iterator[float]:
    """Yield the given scale, then smaller and larger ones by turns: at least four; one for a method without strokes."""
    yield options.style_scale
    if not METHODS[method].has_strokes:
        return
    smallest, largest = STYLE_SCALE_RANGE
    limits = size_limits(method, options.features)
    largest = min(largest, limits.style_size / (limits.size if options.size == ORIGINAL else options.size))
    for power in range(1, 8):  # 1.5^7 exceeds the ratio of the range
        for scale in (options.style_scale / STEP**power, options.style_scale * STEP**power):
            if smallest <= round(scale, 3) <= largest:
                yield round(scale, 3)
