"""The queue of one machine: the table of jobs itself."""

from __future__ import annotations

from stylizer_service.adapters.local.database import Database
from stylizer_service.ports import Clock, Trace
from stylizer_service.records import Job
from stylizer_service.serialization import format_timestamp


class LocalQueue:
    """Port `Dispatcher`. A job that is stored is also in the queue, so that no crash can part the two."""

    def __init__(self, database: Database, clock: Clock):
        self._database = database
        self._clock = clock

    def send(self, job: Job) -> None:
        """Nothing is left to do: painters look at the table several times a second."""

    def depth(self) -> int:
        """How many jobs are waiting."""
        row = self._database.one("SELECT count(*) FROM jobs WHERE status = 'queued'")
        return int(row[0]) if row else 0

    def trace(self, job: Job) -> Trace:  # noqa: ARG002
        """Every job that is stored was sent."""
        return "sent"

    def receive(self) -> str | None:
        """The oldest job that a painter could claim now, if there is one."""
        row = self._database.one(
            "SELECT id FROM jobs WHERE status = 'queued' OR (status = 'running' AND lease_expires_at <= ?)"
            " ORDER BY created_at, id LIMIT 1",
            [format_timestamp(self._clock.now())],
        )
        return str(row["id"]) if row else None

    def expire_all_leases(self, *, counts: bool = True) -> int:
        """End every lease at once. Only for who knows that all earlier painters are dead.

        Args:
            counts: Whether their jobs have used up an attempt: not where a store was at fault.

        Returns:
            How many jobs have lost their painter.
        """
        now = format_timestamp(self._clock.now())
        return self._database.run(
            "UPDATE jobs SET lease_expires_at = ?, attempt = attempt - ?"
            " WHERE status = 'running' AND lease_expires_at > ?",  # each once, however often this is asked
            [now, 0 if counts else 1, now],
        )


class LocalNotifier:
    """Port `Notifier`. Who delivers looks at the table every second."""

    def send(self, job_id: str, *, delay: float = 0.0) -> None:
        """Nothing is left to do."""
