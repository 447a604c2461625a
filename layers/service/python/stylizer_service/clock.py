"""System clock, shared by all adapters."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Port `Clock`, on the system clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)
