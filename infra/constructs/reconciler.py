"""The reconciler: brings every job to a terminal state, delivers webhooks and deletes expired data."""

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
    add_sqs_source,
    allow,
    architecture,
    make_function_role,
    make_logs,
)
from infra.constructs.jobs import RECONCILER_TIMEOUT, Jobs
from infra.constructs.storage import JOBS, UPLOADS, Storage
from infra.settings import StageSettings

_MEMORY = 512
_WEBHOOK_CONCURRENCY = 10
"""Concurrent webhook deliveries: a slow receiver must not delay the others."""


class Reconciler(Construct):
    """Function `stylizer_reconciler.lambda_handler.handler` with its event sources.

    Attributes:
        function: Processes dead letters, webhook wake-ups, endpoint notifications and a schedule.
        logs: Log group.
        schedule: Rule that invokes it every minute.
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
            description="Reconciles stuck jobs, delivers webhooks and deletes expired data",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=architecture(settings),
            handler="stylizer_reconciler.lambda_handler.handler",
            code=zips.reconciler_code(),
            layers=[layer],
            memory_size=_MEMORY,
            timeout=RECONCILER_TIMEOUT,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=self.logs,
            role=role,
            retry_attempts=2,
            on_failure=destinations.SqsDestination(jobs.undelivered),
            environment=environment.for_callers(settings, storage, jobs),
        )
        acknowledge_runtime(self.function)
        acknowledge(
            self.function,
            "Serverless-LambdaDLQ",
            "Events that it fails to process go to the queue of undelivered events.",
        )
        add_sqs_source(self.function, jobs.dead_letters, "DeadLetters", batch_size=10)
        add_sqs_source(
            self.function, jobs.webhook_queue, "Webhooks", batch_size=1, max_concurrency=_WEBHOOK_CONCURRENCY
        )
        for topic in topics:
            topic.add_subscription(subscriptions.LambdaSubscription(self.function, dead_letter_queue=jobs.undelivered))
        self.schedule = self._schedule_every_minute()

    def _schedule_every_minute(self) -> events.Rule:
        # A late event is useless: the next one does the same.
        target = targets.LambdaFunction(
            self.function, dead_letter_queue=self._jobs.undelivered, retry_attempts=1, max_event_age=Duration.minutes(1)
        )
        return events.Rule(
            self,
            "EveryMinute",
            description="Requeues abandoned jobs and deletes expired data",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[target],
        )


def _permissions(storage: Storage, jobs: Jobs, endpoint_arn: str | None) -> list[iam.PolicyStatement]:
    uploads, results = storage.uploads, storage.results
    # GetObject to sign the links in webhooks, PutObject for the input of the endpoint.
    with_files = ["s3:DeleteObject", "s3:GetObject", *(["s3:PutObject"] if endpoint_arn else [])]
    consume = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
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
        allow(*consume, on=[jobs.dead_letters.queue_arn]),
        allow(*consume, "sqs:SendMessage", on=[jobs.webhook_queue.queue_arn]),
        allow("sqs:SendMessage", on=[jobs.undelivered.queue_arn]),
        allow("secretsmanager:GetSecretValue", on=[jobs.webhook_secret.secret_arn]),
        *([allow("sagemaker:InvokeEndpointAsync", on=[endpoint_arn])] if endpoint_arn else []),
    ]
