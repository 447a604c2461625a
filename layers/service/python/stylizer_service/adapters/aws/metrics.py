"""Figures for CloudWatch, which reads them out of the log (its embedded metric format)."""

from __future__ import annotations

import os
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE: Final = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ImageStylizer")
"""Each stage is given one of its own: the figures of two stages in one account must not be added up."""


def put(name: str, value: float, unit: MetricUnit = MetricUnit.Count, **dimensions: str) -> None:
    """Write one figure.

    Args:
        name: Of the metric.
        value: How many, or how long.
        unit: Of the value.
        dimensions: What the metric is told apart by. Each set of values is a metric of its own, and costs as one.
    """
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, text in dimensions.items():
            metric.add_dimension(name=dimension, value=text)
