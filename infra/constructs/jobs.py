"""Table, queues, and the webhook secret."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.common import acknowledge, removal
from infra.settings import StageSettings
from infra.table import INDEXES, KEY, TTL

RECONCILER_TIMEOUT = Duration.seconds(120)
_VISIBILITY_FACTOR = 6
"""Visibility timeout as a multiple of the function timeout, as Lambda recommends."""
_MAX_RECEIVE_COUNT = 5
"""Deliveries of a message before it goes to the dead-letter queue."""


class Jobs(Construct):
    """Table and queues.

    The table is the source of truth; messages are wake-ups only. Encryption uses service managed keys: customer managed
    ones cost per request and exclude no one whom IAM admits.

    Attributes:
        table: Jobs, uploads, styles and idempotency keys.
        paint_queue: Wakes painters.
        dead_letters: Messages that painters repeatedly failed to process; the reconciler fails their jobs.
        webhook_queue: Wakes webhook delivery.
        undelivered: Events that the reconciler failed to process, for manual inspection.
        webhook_secret: Root from which the secrets of callers are derived.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings, is_protected: bool):  # noqa: A002
        super().__init__(scope, id)
        self.table = self._make_table(settings, is_protected=is_protected)
        self.dead_letters = self._make_queue(
            "DeadLetters", retention=Duration.days(14), function_timeout=RECONCILER_TIMEOUT
        )
        self.paint_queue = self._make_queue(
            "PaintQueue",
            retention=Duration.days(4),
            function_timeout=Duration.seconds(settings.painter_timeout),
            dead_letters=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_MAX_RECEIVE_COUNT),
        )
        # Longer than the maximum delay, 15 minutes, plus some retries.
        self.webhook_queue = self._make_queue(
            "WebhookQueue", retention=Duration.hours(2), function_timeout=RECONCILER_TIMEOUT
        )
        self.undelivered = self._make_queue(
            "Undelivered", retention=Duration.days(14), function_timeout=Duration.seconds(30)
        )
        self.webhook_secret = secretsmanager.Secret(
            self,
            "WebhookSecret",
            description="Root secret of webhook signatures; the secret of each caller is derived from it",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=removal(settings),
        )
        reason = (
            "A wake-up may be lost: the table has the pending webhooks, and the reconciler queries it every minute."
        )
        acknowledge(self.webhook_queue, "AwsSolutions-SQS3", reason)
        acknowledge(self.webhook_queue, "Serverless-SQSRedrivePolicy", reason)
        last = "It is a dead-letter queue itself; an alarm fires when messages stay in it."
        acknowledge(self.dead_letters, "Serverless-SQSRedrivePolicy", last)
        acknowledge(self.undelivered, "AwsSolutions-SQS3", last)
        acknowledge(self.undelivered, "Serverless-SQSRedrivePolicy", last)
        acknowledge(
            self.webhook_secret,
            "AwsSolutions-SMG4",
            "Rotation changes the secret of every caller at once, so it is manual: see docs/operations.md.",
        )

    def index_arns(self, *names: str) -> list[str]:
        """Return the ARNs of indexes of the table."""
        return [f"{self.table.table_arn}/index/{name}" for name in names]

    def _make_table(self, settings: StageSettings, *, is_protected: bool) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            "Table",
            partition_key=_text(KEY),
            billing=dynamodb.Billing.on_demand(),
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=name,
                    partition_key=_text(first),
                    sort_key=_text(second),
                    projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                )
                for name, (first, second) in INDEXES.items()
            ],
            time_to_live_attribute=TTL,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=is_protected,
            removal_policy=removal(settings),
        )

    def _make_queue(
        self,
        id: str,  # noqa: A002
        *,
        retention: Duration,
        function_timeout: Duration,
        dead_letters: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=retention,
            visibility_timeout=Duration.seconds(_VISIBILITY_FACTOR * function_timeout.to_seconds()),
            dead_letter_queue=dead_letters,
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
