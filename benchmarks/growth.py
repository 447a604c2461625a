"""How cost grows: with pixels, by a power fitted to what was measured, and with jobs, by counting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class PowerLaw(NamedTuple):
    """y = factor * x ** exponent."""

    factor: float
    exponent: float

    def at(self, x: float) -> float:
        """Its y at an x > 0."""
        return self.factor * float(x**self.exponent)


def fit(points: Sequence[tuple[float, float]]) -> PowerLaw:
    """The power law through points (x, y), all > 0: least squares of the logarithms.

    Raises:
        ValueError: There are not two different x.
    """
    if len({x for x, _ in points}) < 2:
        raise ValueError(f"a power law takes points at two different places, not {list(points)}")
    logarithms = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*logarithms, strict=True))
    exponent = sum((x - mean_x) * (y - mean_y) for x, y in logarithms) / sum((x - mean_x) ** 2 for x, _ in logarithms)
    return PowerLaw(math.exp(mean_y - exponent * mean_x), exponent)


def seconds_until_done(jobs: int, painters: int, *, start: float, each: float) -> float:
    """Until the last of `jobs` that came at once is painted.

    Args:
        jobs: Their number.
        painters: How many paint at a time, one job after another; all begin cold.
        start: Seconds that a painter takes before it can paint.
        each: Seconds a painting.
    """
    return start + math.ceil(jobs / painters) * each if jobs else 0.0
