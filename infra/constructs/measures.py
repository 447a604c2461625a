"""What the dashboard shows and the alarms look at: AWS's own metrics of what there is, and those the functions tell."""

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
class Watched:
    """What is watched.

    Attributes:
        name: Of the stage's stack, and the namespace of the metrics that its functions tell.
        rest_api: The gateway.
        functions: All of them, by what they are called on the dashboard: api, painter and settle.
        painter_logs: What says how much memory paintings took.
        paint_queue: What painters take jobs from.
        dead_letters: What they failed at.
        webhook_queue: Who is to be told.
        undelivered: What settle failed at.
        table: Of the jobs.
        buckets: Where files lie, by what they are called on the dashboard.
        endpoint_name: Of the endpoint with a GPU, if there is one.
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

    def own(
        self, name: str, statistic: str = "Sum", *, label: str | None = None, **dimensions: str
    ) -> cloudwatch.Metric:
        """A metric that a function tells."""
        return cloudwatch.Metric(
            namespace=self.name,
            metric_name=name,
            statistic=statistic,
            period=PERIOD,
            label=label,
            dimensions_map=dimensions,
        )

    def own_by(self, name: str, *dimensions: str, shown: str, statistic: str = "Sum") -> cloudwatch.MathExpression:
        """A metric that a function tells, a line for each value of a dimension; alarms cannot look at these.

        Args:
            name: Of the metric.
            dimensions: All that it is told with.
            shown: The one that names the line.
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

    def of_endpoint(self, name: str, statistic: str) -> cloudwatch.Metric:
        """A metric that SageMaker tells of the endpoint."""
        return cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name=name,
            statistic=statistic,
            period=PERIOD,
            dimensions_map={"EndpointName": self.endpoint_name or ""},
        )

    def of_table(self, name: str) -> cloudwatch.Metric:
        """A metric that DynamoDB tells of the table, without its indexes."""
        return cloudwatch.Metric(
            namespace="AWS/DynamoDB",
            metric_name=name,
            statistic="Sum",
            period=PERIOD,
            dimensions_map={"TableName": self.table.table_name},
        )

    def waiting(self, queue: sqs.IQueue) -> cloudwatch.Metric:
        """Messages of a queue that nobody has taken."""
        return queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=PERIOD, label="waiting")

    def oldest(self, queue: sqs.IQueue) -> cloudwatch.MathExpression:
        """Age of the oldest message, seconds, while any waits.

        A message that somebody has taken counts as well for SQS: one whose painter was killed grows old in hiding,
        long after its job was painted by another.
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
    """How much of the whole a part is, in percent; 0 while it is less than a count, whatever it is a part of."""
    return cloudwatch.MathExpression(
        expression=f"IF(part >= {from_count}, 100 * part / whole, 0)",
        using_metrics={"part": part, "whole": of},
        label="%",
        period=PERIOD,
    )
