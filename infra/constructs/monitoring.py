"""Alarms of a stage, their topic, and the dashboard."""

from __future__ import annotations

from typing import NamedTuple

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.constructs.common import acknowledge
from infra.constructs.dashboard import make_dashboard
from infra.constructs.metrics import PERIOD, MonitoredResources, percent

GUIDE = "docs/operations.md"

SERVICE_FAULTS = ("internal", "not-painted", "painter-died", "painting-failed")
"""Problem codes of accepted jobs that are server faults; corrupt pictures and oversized requests are not."""

_NOT_BREACHING = cloudwatch.TreatMissingData.NOT_BREACHING  # no traffic, no data


class Rule(NamedTuple):
    """Definition of an alarm.

    Attributes:
        name: Alarm name, and the heading of its section in the guide.
        what: Description, one sentence.
        metric: Metric or expression.
        threshold: Threshold of the metric.
        periods: Evaluation periods of five minutes.
        missing: Treatment of missing data.
        comparison: Comparison operator.
    """

    name: str
    what: str
    metric: cloudwatch.IMetric
    threshold: float
    periods: int
    missing: cloudwatch.TreatMissingData = _NOT_BREACHING
    comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


class Monitoring(Construct):
    """Dashboard, alarms, and the topic they notify.

    Attributes:
        topic: Notified by every alarm; open to further subscriptions.
        dashboard: Dashboard of the stage.
        alarms: All alarms.
    """

    def __init__(self, scope: Construct, id: str, *, resources: MonitoredResources, alarm_email: str | None):  # noqa: A002
        super().__init__(scope, id)
        self.topic = self._make_topic()
        if alarm_email:
            mails = self.topic.add_subscription(subscriptions.EmailSubscription(alarm_email))
            reason = "A late alarm email is useless; the dashboard shows alarms too."
            acknowledge(mails, "Serverless-SNSRedrivePolicy", reason)
        rules = [
            *_api_rules(resources),
            *_painter_rules(resources),
            *_reconciler_rules(resources),
            *_endpoint_rules(resources),
        ]
        self.alarms = [self._make_alarm(resources.name, rule) for rule in rules]
        self.dashboard = make_dashboard(self, resources, self.alarms)

    def _make_topic(self) -> sns.Topic:
        account = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        cloudwatch_service = iam.ServicePrincipal("cloudwatch.amazonaws.com")
        # The AWS managed key of SNS does not let CloudWatch alarms use it.
        key = kms.Key(
            self,
            "Key",
            description="Encrypts notifications of alarms",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[cloudwatch_service],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions=account,
            )
        )
        topic = sns.Topic(self, "Alarms", master_key=key, enforce_ssl=True)
        # An explicit topic policy replaces the default one, which lets the account publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[cloudwatch_service],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions=account,
            )
        )
        return topic

    def _make_alarm(self, stage: str, rule: Rule) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            "".join(word.title() for word in rule.name.split("-")),
            alarm_name=f"{stage}-{rule.name}",
            alarm_description=f"{rule.what} What to do: {GUIDE}#{rule.name}",
            metric=rule.metric,
            threshold=rule.threshold,
            comparison_operator=rule.comparison,
            evaluation_periods=rule.periods,
            treat_missing_data=rule.missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        return alarm


def _api_rules(resources: MonitoredResources) -> list[Rule]:
    stage = resources.rest_api.deployment_stage
    errors = stage.metric_server_error(statistic="Sum", period=PERIOD)
    requests = stage.metric_count(statistic="Sum", period=PERIOD)
    throttles = {
        name: function.metric_throttles(statistic="Sum", period=PERIOD)
        for name, function in resources.functions.items()
    }
    return [
        Rule(
            "api-5xx-errors",
            "At least 5% of the requests, and at least three, got a 5xx response in two successive periods of 5 min.",
            percent(errors, requests, from_count=3),
            threshold=5,
            periods=2,
        ),
        Rule(
            "functions-throttled",
            "Lambda throttled ten or more invocations, in two successive periods of 5 min.",
            cloudwatch.MathExpression(expression="SUM(METRICS())", using_metrics=throttles, period=PERIOD),
            threshold=10,
            periods=2,
        ),
        Rule(
            "table-throttled",
            "DynamoDB throttled ten or more calls, in two successive periods of 5 min.",
            cloudwatch.MathExpression(
                expression="SUM(METRICS())",
                using_metrics={
                    "reads": resources.table_metric("ReadThrottleEvents"),
                    "writes": resources.table_metric("WriteThrottleEvents"),
                },
                period=PERIOD,
            ),
            threshold=10,
            periods=2,
        ),
    ]


def _painter_rules(resources: MonitoredResources) -> list[Rule]:
    painter = resources.functions["painter"]
    crashes = painter.metric_errors(statistic="Sum", period=PERIOD)
    failures = {
        code.replace("-", "_"): resources.metric("Failures", problem=code)  # ids of metrics allow no hyphens
        for code in SERVICE_FAULTS
    }
    return [
        Rule(
            "painter-crashes",
            "At least 5% of the painter's invocations, and at least three, crashed within 5 min.",
            percent(crashes, painter.metric_invocations(statistic="Sum", period=PERIOD), from_count=3),
            threshold=5,
            periods=1,
        ),
        Rule(
            "painter-errors",
            "Painters failed to process three or more messages, in two successive periods of 5 min.",
            resources.metric("FailedMessages", service="painter"),
            threshold=3,
            periods=2,
        ),
        Rule(
            "jobs-fail",
            "Three or more jobs failed within 5 min for reasons on the server's side.",
            cloudwatch.MathExpression(expression="SUM(METRICS())", using_metrics=failures, period=PERIOD),
            threshold=3,
            periods=1,
        ),
        Rule(
            "jobs-wait-long",
            "The oldest message in the paint queue was at least 15 min old in three successive periods of 5 min.",
            resources.oldest(resources.paint_queue),
            threshold=900,
            periods=3,
        ),
        Rule(
            "dead-letters",
            "Painters failed to process a message five times: it became a dead letter, and its job has failed.",
            resources.metric("DeadLetters", service="reconciler"),
            threshold=1,
            periods=1,
        ),
    ]


def _reconciler_rules(resources: MonitoredResources) -> list[Rule]:
    reconciler = resources.functions["reconciler"]
    return [
        Rule(
            "dead-letters-unprocessed",
            "Dead letters have been in their queue for 15 min: the reconciler does not process them.",
            resources.waiting(resources.dead_letters),
            threshold=1,
            periods=3,
        ),
        Rule(
            "events-undelivered",
            "The reconciler failed repeatedly to process an event, which is in the queue of undelivered events.",
            resources.waiting(resources.undelivered),
            threshold=1,
            periods=1,
        ),
        Rule(
            "reconciler-errors",
            "The reconciler failed three or more times, in two successive periods of 5 min.",
            reconciler.metric_errors(statistic="Sum", period=PERIOD),
            threshold=3,
            periods=2,
        ),
        Rule(
            "reconciler-not-running",
            "The reconciler, which is invoked every minute, has not run for 15 min.",
            reconciler.metric_invocations(statistic="Sum", period=PERIOD),
            threshold=1,
            periods=3,
            missing=cloudwatch.TreatMissingData.BREACHING,  # missing data is the fault itself
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        ),
    ]


def _endpoint_rules(resources: MonitoredResources) -> list[Rule]:
    if resources.endpoint_name is None:
        return []
    return [
        Rule(
            "gpu-unavailable",
            "Jobs have waited for the GPU endpoint for 30 min, and it has no instance.",
            resources.endpoint_metric("HasBacklogWithoutCapacity", "Maximum"),
            threshold=1,
            periods=6,
        )
    ]
