"""A clock for tests of what depends on the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class SteppedClock:
    """Stands still until told to go on. Starts at the true time, because files carry that."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def now(self) -> datetime:
        """The time it stands at."""
        return self._now

    def advance(self, **units: float) -> None:
        """Go on by so many `seconds`, `minutes`, `hours` or `days`."""
        self._now += timedelta(**units)
