"""Metrics of the reconciler, for the dashboard and the alarms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stylizer_service.adapters.aws.metrics import put
from stylizer_service.ports import Ports
from stylizer_service.webhooks.delivery import Delivery

SERVICE = "reconciler"


def count_reconciled(ports: Ports, job_ids: Sequence[str], since: datetime) -> None:
    """Count the reconciled jobs, zero included, and the failures among them by problem code.

    Args:
        ports: Job store.
        job_ids: The reconciled jobs.
        since: Start of the run; failures before it have already been counted.
    """
    put("Reconciled", len(job_ids), service=SERVICE)
    for job in filter(None, map(ports.jobs.get, job_ids)):
        if job.error and job.finished_at and job.finished_at >= since:
            count_failure(job.error.code)


def count_failure(problem: str) -> None:
    """Count a failed job by its problem code."""
    put("Failures", 1, problem=problem)


def count_dead_letter() -> None:
    """Count a message of the dead-letter queue."""
    put("DeadLetters", 1, service=SERVICE)


def count_endpoint_failure() -> None:
    """Count an invocation that the GPU endpoint failed to process."""
    put("EndpointFailures", 1, service=SERVICE)


def count_webhook(outcome: Delivery) -> None:
    """Count the outcome of a webhook delivery, if one was due."""
    if outcome != "skipped":
        put("Webhooks", 1, outcome=outcome)
