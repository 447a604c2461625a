"""Counts what became of jobs, as metrics that CloudWatch reads out of the log (its embedded metric format)."""

from __future__ import annotations

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from functions.painter.painting import Outcome
from stylizer_service.ports import Ports

NAMESPACE = "ImageStylizer"


def count(ports: Ports, job_id: str, outcome: Outcome) -> None:
    """Put down how a delivery ended and, of a painting that is done, how long it took; by method."""
    job = ports.jobs.get(job_id)
    method = job.method if job else "unknown"
    _put("Deliveries", 1, MetricUnit.Count, method=method, outcome=outcome)
    if outcome == "succeeded" and job and job.result:
        _put("PaintingSeconds", job.result.seconds.painting, MetricUnit.Seconds, method=method)
        _put("QueuedSeconds", job.result.seconds.queued, MetricUnit.Seconds, method=method)


def _put(name: str, value: float, unit: MetricUnit, **dimensions: str) -> None:
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, text in dimensions.items():
            metric.add_dimension(name=dimension, value=text)
