"""Who may ask how often: token buckets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_MOST = 10_000
"""Buckets remembered at a time. Who is forgotten begins anew with a full one."""
_DUST = 1e-6  # of a token: what sums of fractions may lack


@dataclass(frozen=True, slots=True)
class Grant:
    """What became of a request for a token.

    Attributes:
        is_given: Whether there was one.
        left: How many whole tokens there are now.
        wait: Seconds until there is one.
        full: Seconds until the bucket is full.
    """

    is_given: bool
    left: int
    wait: float
    full: float


class Buckets:
    """One bucket for each name: it holds `burst` tokens, and one more comes `rate` times a second.

    For one thread, such as that of an event loop.

    Args:
        rate: Tokens a second.
        burst: Most tokens at a time.
        clock: Tells the time in seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic):
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._kept: dict[str, tuple[float, float]] = {}  # tokens, and when there were so many; the others are full

    def take(self, name: str) -> Grant:
        """Take one token, if there is one."""
        now = self._clock()
        tokens = self._tokens(name, now)
        is_given = tokens >= 1 - _DUST
        tokens -= is_given
        self._kept.pop(name, None)
        self._kept[name] = tokens, now  # at the end: those longest unused come first
        self._forget(now)
        return self._grant(is_given, tokens)

    def _tokens(self, name: str, now: float) -> float:
        tokens, then = self._kept.get(name, (self.burst, now))
        return min(self.burst, tokens + (now - then) * self.rate)

    def _grant(self, is_given: bool, tokens: float) -> Grant:
        wait, full = (max(0.0, (wanted - tokens) / self.rate) for wanted in (1, self.burst))
        return Grant(is_given, max(0, math.floor(tokens + _DUST)), wait, full)

    def _forget(self, now: float) -> None:
        """Let go of the ones longest unused: those that are full again, and any that are too many."""
        while True:
            name = next(iter(self._kept))
            if len(self._kept) <= _MOST and self._tokens(name, now) < self.burst:
                return
            del self._kept[name]
