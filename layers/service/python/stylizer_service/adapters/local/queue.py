"""Local job queue: the jobs table itself."""

from __future__ import annotations

from stylizer_service.adapters.local.database import Database
from stylizer_service.ports import Clock, Trace
from stylizer_service.records import Job
from stylizer_service.serialization import format_timestamp


class LocalQueue:
    """Port `Dispatcher`. Storing a job also enqueues it, so no crash can separate the two."""

    def __init__(self, database: Database, clock: Clock):
        self._database = database
        self._clock = clock

    def send(self, job: Job) -> None:
        """Do nothing: painters poll the table several times a second."""

    def depth(self) -> int:
        """Return the number of queued jobs."""
        row = self._database.one("SELECT count(*) FROM jobs WHERE status = 'queued'")
        return int(row[0]) if row else 0

    def trace(self, job: Job) -> Trace:  # noqa: ARG002
        """Return "sent": every stored job is in the queue."""
        return "sent"

    def receive(self, *, pictures_only: bool = False) -> str | None:
        """Return the id of the oldest job that can be claimed now, or None; with `pictures_only`, no clip."""
        row = self._database.one(
            "SELECT id FROM jobs WHERE (status = 'queued' OR (status = 'running' AND lease_expires_at <= ?))"
            " AND (coalesce(json_extract(options, '$.animate'), 0) = 0 OR NOT ?) ORDER BY created_at, id LIMIT 1",
            [format_timestamp(self._clock.now()), pictures_only],
        )
        return str(row["id"]) if row else None

    def expire_all_leases(self, *, counts: bool = True) -> int:
        """Expire every lease now. Call only when all earlier painters are known to be dead.

        Args:
            counts: Whether this uses up an attempt of their jobs; False if a store was at fault.

        Returns:
            The number of leases expired.
        """
        now = format_timestamp(self._clock.now())
        return self._database.run(
            "UPDATE jobs SET lease_expires_at = ?, attempt = attempt - ?"
            " WHERE status = 'running' AND lease_expires_at > ?",  # idempotent: skips expired leases
            [now, 0 if counts else 1, now],
        )


class LocalNotifier:
    """Port `Notifier`. A no-op, because the webhook worker polls the table every second."""

    def send(self, job_id: str, *, delay: float = 0.0) -> None:
        """Do nothing."""
