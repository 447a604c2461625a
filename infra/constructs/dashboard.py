"""The dashboard: how the stage does, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.measures import PERIOD, Watched

_WIDTH = 24  # of a dashboard
_HEIGHT = 6
_DAY = Duration.days(1)


def make_dashboard(scope: Construct, watched: Watched, alarms: Sequence[cloudwatch.Alarm]) -> cloudwatch.Dashboard:
    """A row for each question that an owner has, from callers to costs."""
    rows: list[list[cloudwatch.IWidget]] = [
        [cloudwatch.AlarmStatusWidget(alarms=list(alarms), title="Alarms", width=_WIDTH, height=4)],
        _requests(watched),
        _jobs(watched),
        _ends(watched),
        _functions(watched),
        [*_costs(watched), *_endpoint(watched)],
    ]
    # Dashboards belong to the account, whatever their region: a stage in two of them has two.
    name = f"{watched.name}-{Stack.of(scope).region}"
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


def _requests(watched: Watched) -> list[cloudwatch.IWidget]:
    stage = watched.rest_api.deployment_stage
    return [
        _graph(
            "Requests and errors",
            stage.metric_count(statistic="Sum", period=PERIOD, label="at the gateway"),
            watched.own("Requests", service="api", label="at the API"),
            right=[
                watched.own("ClientErrors", service="api", label="4xx of the API"),
                watched.own("ServerErrors", service="api", label="5xx of the API"),
                stage.metric_client_error(statistic="Sum", period=PERIOD, label="4xx in all"),
                stage.metric_server_error(statistic="Sum", period=PERIOD, label="5xx in all"),
            ],
        ),
        _graph(
            "Latency, without what callers asked to wait",
            *(watched.own("Latency", part, service="api", label=part) for part in ("p50", "p90", "p99")),
            right=[stage.metric_latency(statistic="p99", period=PERIOD, label="p99 at the gateway, with it (right)")],
            unit="ms",
        ),
        _graph(
            "Stylizations accepted",
            watched.own_by("StylizationsAccepted", "method", "service", shown="method"),
            stacked=True,
        ),
        _graph("Refusals, by problem", watched.own_by("Problems", "problem", "service", shown="problem"), stacked=True),
    ]


def _jobs(watched: Watched) -> list[cloudwatch.IWidget]:
    queue = watched.paint_queue
    in_work = queue.metric_approximate_number_of_messages_not_visible(
        statistic="Maximum", period=PERIOD, label="being painted"
    )
    return [
        _graph("Paint queue", watched.waiting(queue), in_work, right=[watched.oldest(queue)], unit="messages"),
        _graph("Waiting for a painter", *_half_and_most(watched, "QueuedSeconds"), unit="s"),
        _graph("Painting", *_half_and_most(watched, "PaintingSeconds"), unit="s"),
        _graph(
            "Deliveries, by outcome", watched.own_by("Deliveries", "method", "outcome", shown="outcome"), stacked=True
        ),
    ]


def _half_and_most(watched: Watched, name: str) -> list[cloudwatch.MathExpression]:
    return [watched.own_by(name, "method", shown="method", statistic=part) for part in ("p50", "p99")]


def _ends(watched: Watched) -> list[cloudwatch.IWidget]:
    return [
        _graph("Failed jobs, by problem", watched.own_by("Failures", "problem", shown="problem"), stacked=True),
        _graph(
            "Broken off, rescued and lost",
            watched.own("Rescued", service="settle", label="rescued"),
            watched.own("BrokenOff", service="painter", label="broken off, come again"),
            watched.own("DeadLetters", service="settle", label="dead letters"),
            watched.own("EndpointFailures", service="settle", label="failures of the endpoint"),
        ),
        _graph(
            "Messages nobody takes",
            *(
                queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=PERIOD, label=label)
                for queue, label in ((watched.dead_letters, "dead letters"), (watched.undelivered, "undelivered"))
            ),
        ),
        _graph(
            "Webhooks",
            watched.own_by("Webhooks", "outcome", shown="outcome"),
            right=[watched.oldest(watched.webhook_queue)],
        ),
    ]


def _functions(watched: Watched) -> list[cloudwatch.IWidget]:
    def each(name: str, statistic: str) -> list[cloudwatch.IMetric]:
        return [_of(function, name, statistic, called) for called, function in watched.functions.items()]

    return [
        _graph("Duration, p99", *each("Duration", "p99"), unit="ms"),
        _graph("At a time", *each("ConcurrentExecutions", "Maximum"), unit="executions"),
        _graph("Errors, and throttles (right)", *each("Errors", "Sum"), right=each("Throttles", "Sum")),
        # Lambda tells no metric of this; what it writes at the end of each invocation does.
        cloudwatch.LogQueryWidget(
            title="Memory of the painter, MB",
            log_group_names=[watched.painter_logs.log_group_name],
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


def _costs(watched: Watched) -> list[cloudwatch.IWidget]:
    seconds = [
        cloudwatch.MathExpression(
            expression=f"{called} * {_memory(function)} / 1024 / 1000",
            using_metrics={called: _of(function, "Duration", "Sum", called)},
            label=called,
            period=PERIOD,
        )
        for called, function in watched.functions.items()
    ]
    stored = [
        cloudwatch.Metric(
            namespace="AWS/S3",
            metric_name="BucketSizeBytes",
            statistic="Average",
            period=_DAY,  # as often as S3 tells
            label=called,
            dimensions_map={"BucketName": bucket.bucket_name, "StorageType": "StandardStorage"},
        )
        for called, bucket in watched.buckets.items()
    ]
    return [
        _graph("Paid for: Lambda", *seconds, unit="GB-seconds", stacked=True),
        _graph(
            "Paid for: DynamoDB, and its throttles (right)",
            *(watched.of_table(f"Consumed{kind}CapacityUnits") for kind in ("Read", "Write")),
            right=[watched.of_table(f"{kind}ThrottleEvents") for kind in ("Read", "Write")],
            unit="units",
        ),
        _graph("Paid for: S3", *stored, unit="bytes", stacked=True),
    ]


def _memory(function: lambda_.Function) -> float:
    """MiB, which what it costs goes by."""
    return cast(lambda_.CfnFunction, function.node.default_child).memory_size or 128


def _endpoint(watched: Watched) -> list[cloudwatch.IWidget]:
    if watched.endpoint_name is None:
        return []
    # SageMaker tells no number of instances; each of them tells its load once a minute.
    told = cloudwatch.MathExpression(
        expression="told / (PERIOD(told) / 60)",
        using_metrics={
            "told": cloudwatch.Metric(
                namespace="/aws/sagemaker/Endpoints",
                metric_name="CPUUtilization",
                statistic="SampleCount",
                period=PERIOD,
                dimensions_map={"EndpointName": watched.endpoint_name, "VariantName": "painter"},
            )
        },
        label="instances, about (right)",
        period=PERIOD,
    )
    return [
        _graph(
            "Paid for: the endpoint with a GPU",
            watched.of_endpoint("ApproximateBacklogSize", "Maximum"),
            watched.of_endpoint("HasBacklogWithoutCapacity", "Maximum"),
            right=[told],
            unit="jobs",
        )
    ]
