"""Rate limits per API key or address: token buckets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_MAX_BUCKETS = 10_000
"""Most buckets kept. Evicted clients restart with a full bucket."""
_EPSILON = 1e-6  # tokens; rounding error of added fractions


@dataclass(frozen=True, slots=True)
class Grant:
    """Outcome of a request for a token.

    Attributes:
        is_granted: Whether a token was available.
        remaining: Whole tokens left.
        retry_after: Seconds until a token is available.
        reset_after: Seconds until the bucket is full.
    """

    is_granted: bool
    remaining: int
    retry_after: float
    reset_after: float


class TokenBuckets:
    """A token bucket per client, of `burst` tokens, refilled at `rate` tokens a second. Not thread-safe.

    Args:
        rate: Tokens a second.
        burst: Capacity of a bucket.
        clock: Monotonic time in seconds.
        max_buckets: Most buckets kept.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        max_buckets: int = _MAX_BUCKETS,
    ):
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._max_buckets = max_buckets
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when counted; all others are full

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str) -> Grant:
        """Take a token, if available."""
        now = self._clock()
        tokens = self._tokens(client, now)
        is_granted = tokens >= 1 - _EPSILON
        tokens -= is_granted
        self._buckets.pop(client, None)
        self._buckets[client] = tokens, now  # at the end: least recently used first
        self._evict(now)
        retry_after, reset_after = (max(0.0, (wanted - tokens) / self.rate) for wanted in (1, self.burst))
        return Grant(is_granted, max(0, math.floor(tokens + _EPSILON)), retry_after, reset_after)

    def _tokens(self, client: str, now: float) -> float:
        tokens, then = self._buckets.get(client, (self.burst, now))
        return min(self.burst, tokens + (now - then) * self.rate)

    def _evict(self, now: float) -> None:
        """Drop least recently used buckets that are full again or exceed the maximum."""
        while True:
            client = next(iter(self._buckets))
            if len(self._buckets) <= self._max_buckets and self._tokens(client, now) < self.burst:
                return
            del self._buckets[client]
