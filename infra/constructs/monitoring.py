"""What tells an owner how the stage does, and wakes them when it does badly."""

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
from infra.constructs.measures import PERIOD, Watched, percent

GUIDE = "docs/operations.md"

OUR_FAULT = ("internal", "not-painted", "painter-died", "painting-failed")
"""Problems of accepted jobs that no caller can help; that of a broken picture, or of too large a wish, is none."""

_QUIET = cloudwatch.TreatMissingData.NOT_BREACHING
"""Nothing is told where nothing happens, and that is no fault."""


class Rule(NamedTuple):
    """When an alarm goes off.

    Attributes:
        name: Says what is wrong; the guide has a section of that name.
        what: The same as a sentence.
        metric: What is looked at.
        threshold: So much is too much.
        periods: Of five minutes each, for so long.
        missing: What it means that there are no figures.
        comparison: How the threshold is meant.
    """

    name: str
    what: str
    metric: cloudwatch.IMetric
    threshold: float
    periods: int
    missing: cloudwatch.TreatMissingData = _QUIET
    comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


class Monitoring(Construct):
    """The dashboard, the alarms, and the topic that they go to.

    Attributes:
        topic: Gets every alarm. Whoever else is to know subscribes to it.
        dashboard: On one page.
        alarms: All of them.
    """

    def __init__(self, scope: Construct, id: str, *, watched: Watched, alarm_email: str | None):  # noqa: A002
        super().__init__(scope, id)
        self.topic = self._make_topic()
        if alarm_email:
            mails = self.topic.add_subscription(subscriptions.EmailSubscription(alarm_email))
            reason = (
                "A mail that cannot be delivered helps nobody later; what an alarm says stands on the dashboard too."
            )
            acknowledge(mails, "Serverless-SNSRedrivePolicy", reason)
        rules = [*_of_the_api(watched), *_of_painters(watched), *_of_settle(watched), *_of_the_endpoint(watched)]
        self.alarms = [self._make_alarm(watched.name, rule) for rule in rules]
        self.dashboard = make_dashboard(self, watched, self.alarms)

    def _make_topic(self) -> sns.Topic:
        account = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        cloudwatch_service = iam.ServicePrincipal("cloudwatch.amazonaws.com")
        # AWS's own key for SNS lets nobody in but SNS, and so no alarm.
        key = kms.Key(
            self,
            "Key",
            description="Encrypts what alarms say on their way",
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
        # A policy of its own takes the place of the one by which the account may publish.
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


def _of_the_api(watched: Watched) -> list[Rule]:
    stage = watched.rest_api.deployment_stage
    errors = stage.metric_server_error(statistic="Sum", period=PERIOD)
    requests = stage.metric_count(statistic="Sum", period=PERIOD)
    throttles = {
        called: function.metric_throttles(statistic="Sum", period=PERIOD)
        for called, function in watched.functions.items()
    }
    return [
        Rule(
            "api-answers-5xx",
            "Of the requests in five minutes, twice in a row, 5% or more, and three at least, were answered with 5xx.",
            percent(errors, requests, from_count=3),
            threshold=5,
            periods=2,
        ),
        Rule(
            "functions-are-throttled",
            "Lambda had no room for ten or more executions in five minutes, twice in a row.",
            cloudwatch.MathExpression(expression="SUM(METRICS())", using_metrics=throttles, period=PERIOD),
            threshold=10,
            periods=2,
        ),
        Rule(
            "table-is-throttled",
            "DynamoDB refused ten or more calls in five minutes, twice in a row.",
            cloudwatch.MathExpression(
                expression="SUM(METRICS())",
                using_metrics={
                    "reads": watched.of_table("ReadThrottleEvents"),
                    "writes": watched.of_table("WriteThrottleEvents"),
                },
                period=PERIOD,
            ),
            threshold=10,
            periods=2,
        ),
    ]


def _of_painters(watched: Watched) -> list[Rule]:
    painter = watched.functions["painter"]
    crashes = painter.metric_errors(statistic="Sum", period=PERIOD)
    failures = {
        code.replace("-", "_"): watched.own("Failures", problem=code)  # as variables are written
        for code in OUR_FAULT
    }
    return [
        Rule(
            "painters-crash",
            "Of the invocations of painters in five minutes, 5% or more, and three at least, were ended by Lambda.",
            percent(crashes, painter.metric_invocations(statistic="Sum", period=PERIOD), from_count=3),
            threshold=5,
            periods=1,
        ),
        Rule(
            "painters-break-off",
            "Painters could not go on with a message three times or more in five minutes, twice in a row.",
            watched.own("BrokenOff", service="painter"),
            threshold=3,
            periods=2,
        ),
        Rule(
            "jobs-fail",
            "Three or more jobs failed in five minutes for reasons that no caller can help.",
            cloudwatch.MathExpression(expression="SUM(METRICS())", using_metrics=failures, period=PERIOD),
            threshold=3,
            periods=1,
        ),
        Rule(
            "jobs-wait-long",
            "A message has waited in the paint queue for 15 minutes or more, three times five minutes in a row.",
            watched.oldest(watched.paint_queue),
            threshold=900,
            periods=3,
        ),
        Rule(
            "dead-letters",
            "Painters failed at a message again and again: it became a dead letter, and its job has failed.",
            watched.own("DeadLetters", service="settle"),
            threshold=1,
            periods=1,
        ),
    ]


def _of_settle(watched: Watched) -> list[Rule]:
    settle = watched.functions["settle"]
    return [
        Rule(
            "dead-letters-stay",
            "Dead letters have been in their queue for a quarter of an hour: settle does not deal with them.",
            watched.waiting(watched.dead_letters),
            threshold=1,
            periods=3,
        ),
        Rule(
            "events-undelivered",
            "Settle failed at an event again and again: it lies in the queue of what is undelivered.",
            watched.waiting(watched.undelivered),
            threshold=1,
            periods=1,
        ),
        Rule(
            "settle-fails",
            "Settle failed three times or more in five minutes, twice in a row.",
            settle.metric_errors(statistic="Sum", period=PERIOD),
            threshold=3,
            periods=2,
        ),
        Rule(
            "settle-is-silent",
            "Settle, which is called every minute, has not run for a quarter of an hour.",
            settle.metric_invocations(statistic="Sum", period=PERIOD),
            threshold=1,
            periods=3,
            missing=cloudwatch.TreatMissingData.BREACHING,  # here it is the fault itself
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        ),
    ]


def _of_the_endpoint(watched: Watched) -> list[Rule]:
    if watched.endpoint_name is None:
        return []
    return [
        Rule(
            "gpu-does-not-come",
            "Jobs have waited for half an hour for the endpoint with a GPU, and it has no instance.",
            watched.of_endpoint("HasBacklogWithoutCapacity", "Maximum"),
            threshold=1,
            periods=6,
        )
    ]
