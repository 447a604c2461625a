"""The stores of one stage, made in a moto server, and the environment that its functions are given."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import boto3

from stylizer_service.adapters.aws.schema import table_schema

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION: Final = "eu-central-1"
TRIES = 3
"""After so many failing deliveries a message is a dead letter."""

PAST = "2020-01-01T00:00:00.000000Z"
"""A time long ago, as records have it."""

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Clients of the stores, and where things are in them."""

    s3: S3Client
    sqs: SQSClient
    dynamodb: DynamoDBClient
    table: str
    uploads: str
    results: str
    paint_queue: str
    dead_letters: str
    webhook_queue: str
    environment: dict[str, str]

    def change(self, key: str, **attributes: str) -> None:
        """Change a record behind everybody's back."""
        self.dynamodb.update_item(
            TableName=self.table,
            Key={"pk": {"S": key}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
            ExpressionAttributeNames={f"#{name}": name for name in attributes},
            ExpressionAttributeValues={f":{name}": {"S": value} for name, value in attributes.items()},
        )

    def waiting(self, queue: str) -> int:
        """Messages in a queue that could be taken now."""
        answer = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def build(endpoint: str, *, visibility: int = 60) -> Stage:
    """Make a stage of its own in a running moto server.

    Args:
        endpoint: Address of the server.
        visibility: Seconds after which a message that was not dealt with is seen again.
    """
    session = boto3.Session("testing", "testing", region_name=REGION)
    s3 = session.client("s3", endpoint_url=endpoint)
    sqs = session.client("sqs", endpoint_url=endpoint)
    dynamodb = session.client("dynamodb", endpoint_url=endpoint)
    name = f"stage-{secrets.token_hex(6)}"
    dynamodb.create_table(**table_schema(name))
    for bucket in ("uploads", "results"):
        s3.create_bucket(Bucket=f"{name}-{bucket}", CreateBucketConfiguration={"LocationConstraint": REGION})
    dead_letters = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": TRIES})
    paint_queue = sqs.create_queue(
        QueueName=f"{name}-paint", Attributes={"VisibilityTimeout": str(visibility), "RedrivePolicy": redrive}
    )["QueueUrl"]
    webhook_queue = sqs.create_queue(QueueName=f"{name}-webhooks")["QueueUrl"]
    secret = session.client("secretsmanager", endpoint_url=endpoint).create_secret(
        Name=f"{name}-webhooks", SecretString=secrets.token_hex(32)
    )
    environment = CREDENTIALS | {
        "AWS_ENDPOINT_URL": endpoint,
        "STYLIZER_TABLE": name,
        "STYLIZER_UPLOADS_BUCKET": f"{name}-uploads",
        "STYLIZER_RESULTS_BUCKET": f"{name}-results",
        "STYLIZER_QUEUE_URL": paint_queue,
        "STYLIZER_WEBHOOK_QUEUE_URL": webhook_queue,
        "STYLIZER_WEBHOOK_SECRET_ID": secret["ARN"],
        "POWERTOOLS_TRACE_DISABLED": "true",
        "OMP_NUM_THREADS": "1",
    }
    return Stage(
        s3=s3,
        sqs=sqs,
        dynamodb=dynamodb,
        table=name,
        uploads=f"{name}-uploads",
        results=f"{name}-results",
        paint_queue=paint_queue,
        dead_letters=dead_letters,
        webhook_queue=webhook_queue,
        environment=environment,
    )
