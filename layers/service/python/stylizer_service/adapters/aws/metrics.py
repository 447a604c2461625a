"""CloudWatch metrics in embedded metric format: written to the log, extracted by CloudWatch."""

from __future__ import annotations

import os
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE: Final = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ImageStylizer")
"""CloudWatch namespace. One per stage, so that metrics of two stages in one account are not aggregated."""


def put(name: str, value: float, unit: MetricUnit = MetricUnit.Count, **dimensions: str) -> None:
    """Emit one metric value.

    Args:
        name: Metric name.
        value: Count or duration.
        unit: Unit of the value.
        dimensions: Metric dimensions. Each combination of values is a separate metric and billed as one.
    """
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, text in dimensions.items():
            metric.add_dimension(name=dimension, value=text)
