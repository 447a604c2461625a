"""What there is to do: the table, the queues that wake painters and messengers, and what webhooks are signed with."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.common import acknowledge, removal
from infra.settings import StageSettings
from infra.table import INDEXES, KEY, TTL

SETTLE_TIMEOUT = Duration.seconds(120)
_VISIBILITY = 6
"""So many times as long as its function's time a message is out of sight: what Lambda asks for."""
_DELIVERIES = 5
"""So often a painter may fail at a message before it is a dead letter."""


class Jobs(Construct):
    """The table and the queues.

    What stands in the table counts; a message only wakes somebody. The table is encrypted with DynamoDB's own key and
    the queues with SQS's: keys of the account's would cost for every call and keep nobody out whom roles let in.

    Attributes:
        table: Jobs, uploads, styles and idempotency keys.
        paint_queue: Wakes painters.
        dead_letters: What painters failed at again and again; settle ends those jobs.
        webhook_queue: Wakes who tells callers.
        undelivered: Events that settle could not deal with, for a person to look at.
        webhook_secret: What the secrets of callers are derived from.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings, is_protected: bool):  # noqa: A002
        super().__init__(scope, id)
        self.table = self._make_table(settings, is_protected=is_protected)
        self.dead_letters = self._make_queue("DeadLetters", retention=Duration.days(14), handled_in=SETTLE_TIMEOUT)
        self.paint_queue = self._make_queue(
            "PaintQueue",
            retention=Duration.days(4),
            handled_in=Duration.seconds(settings.painter_timeout),
            dead_letters=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_DELIVERIES),
        )
        # Longer than a message may be delayed, which is 15 minutes, and then tried some times.
        self.webhook_queue = self._make_queue("WebhookQueue", retention=Duration.hours(2), handled_in=SETTLE_TIMEOUT)
        self.undelivered = self._make_queue("Undelivered", retention=Duration.days(14), handled_in=Duration.seconds(30))
        self.webhook_secret = secretsmanager.Secret(
            self,
            "WebhookSecret",
            description="What webhooks are signed with: callers get secrets of their own that are derived from it",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=removal(settings),
        )
        reason = "A wake-up call may be lost: what is due stands in the table, and settle looks there every minute."
        acknowledge(self.webhook_queue, "AwsSolutions-SQS3", reason)
        acknowledge(self.webhook_queue, "Serverless-SQSRedrivePolicy", reason)
        last = "It is where what failed elsewhere goes; an alarm tells when something stays in it."
        acknowledge(self.dead_letters, "Serverless-SQSRedrivePolicy", last)
        acknowledge(self.undelivered, "AwsSolutions-SQS3", last)
        acknowledge(self.undelivered, "Serverless-SQSRedrivePolicy", last)
        acknowledge(
            self.webhook_secret,
            "AwsSolutions-SMG4",
            "A new one changes the secret of every caller at once: it is changed by hand, see docs/operations.md.",
        )

    def index_arns(self, *names: str) -> list[str]:
        """The ARNs of indexes of the table."""
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
        handled_in: Duration,
        dead_letters: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=retention,
            visibility_timeout=Duration.seconds(_VISIBILITY * handled_in.to_seconds()),
            dead_letter_queue=dead_letters,
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
