"""Metrics of job outcomes, for the dashboard and the alarms."""

from __future__ import annotations

import logging

from aws_lambda_powertools.metrics import MetricUnit

from stylizer_painter.painting import Outcome
from stylizer_service.adapters.aws.metrics import put
from stylizer_service.ports import Ports, Unavailable

SERVICE = "painter"

log = logging.getLogger(__name__)


def count_failed_message() -> None:
    """Count a message that could not be processed, usually because a store was unavailable; SQS redelivers it."""
    put("FailedMessages", 1, service=SERVICE)


def count(ports: Ports, job_id: str, outcome: Outcome) -> None:
    """Count a delivery's outcome, with the duration of a successful painting and the reason of a failed one.

    If the store is unavailable the metric is dropped: the delivery is complete, and must not be retried for the metric.
    """
    try:
        job = ports.jobs.get(job_id)
    except Unavailable as error:
        log.warning("%s: %s cannot be counted in full: %s", job_id, outcome, error)
        job = None
    method = job.method if job else "unknown"
    put("Deliveries", 1, method=method, outcome=outcome)
    if outcome == "succeeded" and job and job.result:
        for result in job.results:
            put("PaintingSeconds", result.seconds.painting, MetricUnit.Seconds, method=method)
        put("QueuedSeconds", job.result.seconds.queued, MetricUnit.Seconds, method=method)
    if outcome == "failed" and job and job.error:
        put("Failures", 1, problem=job.error.code)
