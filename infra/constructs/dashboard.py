"""CloudWatch dashboard of a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.metrics import PERIOD, MonitoredResources

_WIDTH = 24  # of a dashboard
_HEIGHT = 6
_DAY = Duration.days(1)


def make_dashboard(
    scope: Construct, resources: MonitoredResources, alarms: Sequence[cloudwatch.Alarm]
) -> cloudwatch.Dashboard:
    """Return the dashboard: rows for alarms, requests, jobs, failures, functions and costs."""
    rows: list[list[cloudwatch.IWidget]] = [
        [cloudwatch.AlarmStatusWidget(alarms=list(alarms), title="Alarms", width=_WIDTH, height=4)],
        _requests(resources),
        _jobs(resources),
        _failures_row(resources),
        _functions(resources),
        [*_costs(resources), *_endpoint(resources)],
    ]
    # Dashboard names are global to the account, so the region is part of the name.
    name = f"{resources.name}-{Stack.of(scope).region}"
    return cloudwatch.Dashboard(
        scope, "Dashboard", dashboard_name=name, widgets=rows, default_interval=Duration.days(1)
    )


def _graph(
    title: str,
    *left: cloudwatch.IMetric,
    right: Sequence[cloudwatch.IMetric] = (),
    unit: str = "",
    stacked: bool = False,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(left),
        right=list(right),
        left_y_axis=cloudwatch.YAxisProps(min=0, label=unit, show_units=False),
        right_y_axis=cloudwatch.YAxisProps(min=0, show_units=False) if right else None,
        stacked=stacked,
        width=_WIDTH // 4,
        height=_HEIGHT,
    )


def _requests(resources: MonitoredResources) -> list[cloudwatch.IWidget]:
    stage = resources.rest_api.deployment_stage
    return [
        _graph(
            "Requests and errors",
            stage.metric_count(statistic="Sum", period=PERIOD, label="at the gateway"),
            resources.metric("Requests", service="api", label="at the API"),
            right=[
                resources.metric("ClientErrors", service="api", label="4xx of the API"),
                resources.metric("ServerErrors", service="api", label="5xx of the API"),
                stage.metric_client_error(statistic="Sum", period=PERIOD, label="4xx at the gateway"),
                stage.metric_server_error(statistic="Sum", period=PERIOD, label="5xx at the gateway"),
            ],
        ),
        _graph(
            "Latency, without requested waiting (Prefer: wait)",
            *(resources.metric("Latency", part, service="api", label=part) for part in ("p50", "p90", "p99")),
            right=[
                stage.metric_latency(statistic="p99", period=PERIOD, label="p99 at the gateway, with waiting (right)")
            ],
            unit="ms",
        ),
        _graph(
            "Stylizations accepted",
            resources.metric_by("StylizationsAccepted", "method", "service", shown="method"),
            stacked=True,
        ),
        _graph(
            "Rejected requests, by problem",
            resources.metric_by("Problems", "problem", "service", shown="problem"),
            stacked=True,
        ),
    ]


def _jobs(resources: MonitoredResources) -> list[cloudwatch.IWidget]:
    queue = resources.paint_queue
    in_flight = queue.metric_approximate_number_of_messages_not_visible(
        statistic="Maximum", period=PERIOD, label="in flight"
    )
    return [
        _graph("Paint queue", resources.waiting(queue), in_flight, right=[resources.oldest(queue)], unit="messages"),
        _graph("Waiting for a painter", *_median_and_p99(resources, "QueuedSeconds"), unit="s"),
        _graph("Painting", *_median_and_p99(resources, "PaintingSeconds"), unit="s"),
        _graph(
            "Deliveries, by outcome",
            resources.metric_by("Deliveries", "method", "outcome", shown="outcome"),
            stacked=True,
        ),
    ]


def _median_and_p99(resources: MonitoredResources, name: str) -> list[cloudwatch.MathExpression]:
    return [resources.metric_by(name, "method", shown="method", statistic=part) for part in ("p50", "p99")]


def _failures_row(resources: MonitoredResources) -> list[cloudwatch.IWidget]:
    return [
        _graph("Failed jobs, by problem", resources.metric_by("Failures", "problem", shown="problem"), stacked=True),
        _graph(
            "Retries and failures",
            resources.metric("Reconciled", service="reconciler", label="reconciled jobs"),
            resources.metric("FailedMessages", service="painter", label="failed messages"),
            resources.metric("DeadLetters", service="reconciler", label="dead letters"),
            resources.metric("EndpointFailures", service="reconciler", label="endpoint failures"),
        ),
        _graph(
            "Dead letters",
            *(
                queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=PERIOD, label=label)
                for queue, label in ((resources.dead_letters, "dead letters"), (resources.undelivered, "undelivered"))
            ),
        ),
        _graph(
            "Webhooks",
            resources.metric_by("Webhooks", "outcome", shown="outcome"),
            right=[resources.oldest(resources.webhook_queue)],
        ),
    ]


def _functions(resources: MonitoredResources) -> list[cloudwatch.IWidget]:
    def each(metric: str, statistic: str) -> list[cloudwatch.IMetric]:
        return [_of(function, metric, statistic, name) for name, function in resources.functions.items()]

    return [
        _graph("Duration, p99", *each("Duration", "p99"), unit="ms"),
        _graph("Concurrent executions", *each("ConcurrentExecutions", "Maximum"), unit="executions"),
        _graph("Errors, and throttles (right)", *each("Errors", "Sum"), right=each("Throttles", "Sum")),
        # Lambda has no such metric; the REPORT line of each invocation has it.
        cloudwatch.LogQueryWidget(
            title="Memory of the painter, MB",
            log_group_names=[resources.painter_logs.log_group_name],
            query_lines=[
                'filter @type = "REPORT"',
                "stats max(@maxMemoryUsed) / 1e6 as most, max(@memorySize) / 1e6 as allowed by bin(5m)",
            ],
            view=cloudwatch.LogQueryVisualizationType.LINE,
            width=_WIDTH // 4,
            height=_HEIGHT,
        ),
    ]


def _of(function: lambda_.Function, name: str, statistic: str, label: str) -> cloudwatch.Metric:
    return function.metric(name, statistic=statistic, period=PERIOD, label=label)


def _costs(resources: MonitoredResources) -> list[cloudwatch.IWidget]:
    seconds = [
        cloudwatch.MathExpression(
            expression=f"{name} * {_memory(function)} / 1024 / 1000",
            using_metrics={name: _of(function, "Duration", "Sum", name)},
            label=name,
            period=PERIOD,
        )
        for name, function in resources.functions.items()
    ]
    stored = [
        cloudwatch.Metric(
            namespace="AWS/S3",
            metric_name="BucketSizeBytes",
            statistic="Average",
            period=_DAY,  # S3 publishes it daily
            label=name,
            dimensions_map={"BucketName": bucket.bucket_name, "StorageType": "StandardStorage"},
        )
        for name, bucket in resources.buckets.items()
    ]
    return [
        _graph("Billed: Lambda", *seconds, unit="GB-seconds", stacked=True),
        _graph(
            "Billed: DynamoDB, and throttles (right)",
            *(resources.table_metric(f"Consumed{kind}CapacityUnits") for kind in ("Read", "Write")),
            right=[resources.table_metric(f"{kind}ThrottleEvents") for kind in ("Read", "Write")],
            unit="units",
        ),
        _graph("Billed: S3", *stored, unit="bytes", stacked=True),
    ]


def _memory(function: lambda_.Function) -> float:
    """Return the memory size, MiB, which Lambda bills."""
    return cast(lambda_.CfnFunction, function.node.default_child).memory_size or 128


def _endpoint(resources: MonitoredResources) -> list[cloudwatch.IWidget]:
    if resources.endpoint_name is None:
        return []
    # SageMaker has no metric of the instance count; each instance publishes its load once a minute.
    instances = cloudwatch.MathExpression(
        expression="samples / (PERIOD(samples) / 60)",
        using_metrics={
            "samples": cloudwatch.Metric(
                namespace="/aws/sagemaker/Endpoints",
                metric_name="CPUUtilization",
                statistic="SampleCount",
                period=PERIOD,
                dimensions_map={"EndpointName": resources.endpoint_name, "VariantName": "painter"},
            )
        },
        label="instances, approximate (right)",
        period=PERIOD,
    )
    return [
        _graph(
            "Billed: GPU endpoint",
            resources.endpoint_metric("ApproximateBacklogSize", "Maximum"),
            resources.endpoint_metric("HasBacklogWithoutCapacity", "Maximum"),
            right=[instances],
            unit="jobs",
        )
    ]
