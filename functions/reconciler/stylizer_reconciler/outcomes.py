"""Counts what settle saw and did, for the dashboard and the alarms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stylizer_service.adapters.aws.metrics import put
from stylizer_service.ports import Ports
from stylizer_service.webhooks.delivery import Delivery

SERVICE = "settle"


def count_rescued(ports: Ports, job_ids: Sequence[str], since: datetime) -> None:
    """Put down how many jobs had nobody, none included, and why those failed that were given up.

    Args:
        ports: Where the jobs are.
        job_ids: The jobs that were seen to.
        since: When that began; a failure before it has been counted by whoever told of it.
    """
    put("Rescued", len(job_ids), service=SERVICE)
    for job in filter(None, map(ports.jobs.get, job_ids)):
        if job.error and job.finished_at and job.finished_at >= since:
            count_failure(job.error.code)


def count_failure(problem: str) -> None:
    """Put down that a job has ended badly, and why, by the code of its problem."""
    put("Failures", 1, problem=problem)


def count_dead_letter() -> None:
    """Put down that every painter failed at a message."""
    put("DeadLetters", 1, service=SERVICE)


def count_endpoint_failure() -> None:
    """Put down that the GPU endpoint could not deal with an invocation."""
    put("EndpointFailures", 1, service=SERVICE)


def count_webhook(outcome: Delivery) -> None:
    """Put down what came of a try to tell a caller, if one was due."""
    if outcome != "nothing":
        put("Webhooks", 1, outcome=outcome)
