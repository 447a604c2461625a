"""Clocks for tests of what depends on the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stylizer_service.clock import SystemClock


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


def go_ahead(monkeypatch: pytest.MonkeyPatch, **units: float) -> None:
    """Let the system's clock, as this process sees it, be so much ahead."""
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + timedelta(**units))
