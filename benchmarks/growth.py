"""Scaling of cost: with pixels, by a power law fitted to measurements, and with jobs, by calculation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class PowerLaw(NamedTuple):
    """y = factor * x ** exponent."""

    factor: float
    exponent: float

    def at(self, x: float) -> float:
        """Return y at an x > 0."""
        return self.factor * float(x**self.exponent)


def fit(points: Sequence[tuple[float, float]]) -> PowerLaw:
    """Fit a power law to points (x, y), all > 0, by least squares on the logarithms.

    Raises:
        ValueError: There are fewer than two distinct x.
    """
    if len({x for x, _ in points}) < 2:
        raise ValueError(f"a power law takes points at two different places, not {list(points)}")
    logarithms = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*logarithms, strict=True))
    exponent = sum((x - mean_x) * (y - mean_y) for x, y in logarithms) / sum((x - mean_x) ** 2 for x, _ in logarithms)
    return PowerLaw(math.exp(mean_y - exponent * mean_x), exponent)


def seconds_until_done(jobs: int, painters: int, *, start: float, each: float) -> float:
    """Return the seconds until the last of `jobs` that arrived at once is painted.

    Args:
        jobs: Number of jobs.
        painters: Number of concurrent painters, each painting one job at a time; all start cold.
        start: Cold start of a painter in seconds.
        each: Seconds per painting.
    """
    return start + math.ceil(jobs / painters) * each if jobs else 0.0
