"""The time, for every set of adapters."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Port `Clock`: the machine's own."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)
