"""Metrics for dashboard and alarms: those of AWS services and those the functions emit."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

PERIOD = Duration.minutes(5)


@dataclass(frozen=True, kw_only=True)
class MonitoredResources:
    """Resources that dashboard and alarms cover.

    Attributes:
        name: Name of the stack and namespace of the metrics that its functions emit.
        rest_api: The gateway.
        functions: All functions by their labels: api, painter and reconciler.
        painter_logs: Log group whose REPORT lines have the memory used.
        paint_queue: Queue of the painters.
        dead_letters: Dead-letter queue of the paint queue.
        webhook_queue: Pending webhook deliveries.
        undelivered: Dead-letter queue of the reconciler.
        table: Table of the jobs.
        buckets: Buckets by their labels.
        endpoint_name: GPU endpoint, or None.
    """

    name: str
    rest_api: apigateway.RestApi
    functions: dict[str, lambda_.Function]
    painter_logs: logs.ILogGroup
    paint_queue: sqs.IQueue
    dead_letters: sqs.IQueue
    webhook_queue: sqs.IQueue
    undelivered: sqs.IQueue
    table: dynamodb.ITableV2
    buckets: dict[str, s3.IBucket]
    endpoint_name: str | None

    def metric(
        self, name: str, statistic: str = "Sum", *, label: str | None = None, **dimensions: str
    ) -> cloudwatch.Metric:
        """Return a metric that a function emits."""
        return cloudwatch.Metric(
            namespace=self.name,
            metric_name=name,
            statistic=statistic,
            period=PERIOD,
            label=label,
            dimensions_map=dimensions,
        )

    def metric_by(self, name: str, *dimensions: str, shown: str, statistic: str = "Sum") -> cloudwatch.MathExpression:
        """Return a search for an emitted metric, a line per value of a dimension; alarms cannot use searches.

        Args:
            name: Metric name.
            dimensions: All dimensions of the metric.
            shown: Dimension that labels the lines.
            statistic: Such as "Sum" or "p99".
        """
        schema = ",".join(f'"{part}"' for part in (self.name, *dimensions))
        suffix = "" if statistic == "Sum" else f" {statistic}"
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{{{schema}}} MetricName=\"{name}\"', '{statistic}', {PERIOD.to_seconds():.0f})",
            using_metrics={},
            label=f"${{PROP('Dim.{shown}')}}{suffix}",
            period=PERIOD,
        )

    def endpoint_metric(self, name: str, statistic: str) -> cloudwatch.Metric:
        """Return a SageMaker metric of the endpoint."""
        return cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name=name,
            statistic=statistic,
            period=PERIOD,
            dimensions_map={"EndpointName": self.endpoint_name or ""},
        )

    def table_metric(self, name: str) -> cloudwatch.Metric:
        """Return a DynamoDB metric of the table, without its indexes."""
        return cloudwatch.Metric(
            namespace="AWS/DynamoDB",
            metric_name=name,
            statistic="Sum",
            period=PERIOD,
            dimensions_map={"TableName": self.table.table_name},
        )

    def waiting(self, queue: sqs.IQueue) -> cloudwatch.Metric:
        """Return the visible messages of a queue."""
        return queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=PERIOD, label="waiting")

    def oldest(self, queue: sqs.IQueue) -> cloudwatch.MathExpression:
        """Return the age of the oldest message, seconds; 0 while none is visible.

        SQS counts messages in flight as well: that of a killed painter ages long after another painted its job.
        """
        return cloudwatch.MathExpression(
            expression="IF(waiting > 0, age, 0)",
            using_metrics={
                "waiting": self.waiting(queue),
                "age": queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=PERIOD),
            },
            label="oldest, s",
            period=PERIOD,
        )


def percent(part: cloudwatch.IMetric, of: cloudwatch.IMetric, *, from_count: int) -> cloudwatch.MathExpression:
    """Return 100 * part / whole, or 0 while the part is less than `from_count`."""
    return cloudwatch.MathExpression(
        expression=f"IF(part >= {from_count}, 100 * part / whole, 0)",
        using_metrics={"part": part, "whole": of},
        label="%",
        period=PERIOD,
    )
