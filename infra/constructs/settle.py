"""What sees to it that every job comes to an end, and that its caller hears of it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra import zips
from infra.constructs import environment
from infra.constructs.common import (
    acknowledge,
    acknowledge_runtime,
    allow,
    architecture,
    make_function_role,
    make_logs,
    take_from,
)
from infra.constructs.jobs import SETTLE_TIMEOUT, Jobs
from infra.constructs.storage import JOBS, UPLOADS, Storage
from infra.settings import StageSettings

_MEMORY = 512
_MESSENGERS = 10
"""So many callers are told at a time: one who answers slowly must not keep the others waiting."""


class Settle(Construct):
    """The function `stylizer_reconciler.lambda_handler.handler` and what calls it: a zip over the same layer.

    Attributes:
        function: Takes dead letters, wake-up calls for webhooks, what the endpoint tells, and looks around each minute.
        logs: Its log.
        schedule: The rule of that minute.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002
        *,
        settings: StageSettings,
        storage: Storage,
        jobs: Jobs,
        layer: lambda_.ILayerVersion,
        endpoint_arn: str | None,
        topics: Sequence[sns.ITopic],
    ):
        super().__init__(scope, id)
        self._jobs = jobs
        self.logs = make_logs(self, "Logs", settings)
        folders = [(storage.uploads, UPLOADS), (storage.results, JOBS)]
        role = make_function_role(self, self.logs, _permissions(storage, jobs, endpoint_arn), folders)
        self.function = lambda_.Function(
            self,
            "Function",
            description="Ends jobs that painters leave, tells callers, and lets go of what is over",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=architecture(settings),
            handler="stylizer_reconciler.lambda_handler.handler",
            code=zips.settle_code(),
            layers=[layer],
            memory_size=_MEMORY,
            timeout=SETTLE_TIMEOUT,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=self.logs,
            role=role,
            retry_attempts=2,
            on_failure=destinations.SqsDestination(jobs.undelivered),
            environment=environment.for_callers(settings, storage, jobs),
        )
        acknowledge_runtime(self.function)
        acknowledge(
            self.function, "Serverless-LambdaDLQ", "Events that it fails at go to the queue of what is undelivered."
        )
        take_from(self.function, jobs.dead_letters, "DeadLetters", at_once=10)
        take_from(self.function, jobs.webhook_queue, "Webhooks", at_once=1, most=_MESSENGERS)
        for topic in topics:
            topic.add_subscription(subscriptions.LambdaSubscription(self.function, dead_letter_queue=jobs.undelivered))
        self.schedule = self._look_around()

    def _look_around(self) -> events.Rule:
        # One that comes late is of no use: the next one does the same.
        target = targets.LambdaFunction(
            self.function, dead_letter_queue=self._jobs.undelivered, retry_attempts=1, max_event_age=Duration.minutes(1)
        )
        return events.Rule(
            self,
            "EveryMinute",
            description="Rescues jobs that nobody will come to, and lets go of what is over",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[target],
        )


def _permissions(storage: Storage, jobs: Jobs, endpoint_arn: str | None) -> list[iam.PolicyStatement]:
    uploads, results = storage.uploads, storage.results
    # Links to paintings that are told of are signed in its name. What the endpoint is given is a file, if there is one.
    with_files = ["s3:DeleteObject", "s3:GetObject", *(["s3:PutObject"] if endpoint_arn else [])]
    taking = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
    return [
        allow(
            *("dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"),
            on=[jobs.table.table_arn],
        ),
        allow("dynamodb:Query", on=jobs.index_arns("by_notify", "by_status")),
        allow(*with_files, on=[results.arn_for_objects(f"{JOBS}*")]),
        allow("s3:DeleteObject", on=[uploads.arn_for_objects(f"{UPLOADS}*")]),
        allow("s3:ListBucket", on=[uploads.bucket_arn, results.bucket_arn]),
        allow("sqs:GetQueueAttributes", "sqs:SendMessage", on=[jobs.paint_queue.queue_arn]),
        allow(*taking, on=[jobs.dead_letters.queue_arn]),
        allow(*taking, "sqs:SendMessage", on=[jobs.webhook_queue.queue_arn]),
        allow("sqs:SendMessage", on=[jobs.undelivered.queue_arn]),
        allow("secretsmanager:GetSecretValue", on=[jobs.webhook_secret.secret_arn]),
        *([allow("sagemaker:InvokeEndpointAsync", on=[endpoint_arn])] if endpoint_arn else []),
    ]
