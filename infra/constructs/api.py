"""Lambda function of the API."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import zips
from infra.constructs import environment
from infra.constructs.common import acknowledge, acknowledge_runtime, allow, architecture, make_function_role, make_logs
from infra.constructs.jobs import Jobs
from infra.constructs.storage import JOBS, STYLES, UPLOADS, Storage
from infra.settings import StageSettings

GATEWAY_TIMEOUT = Duration.seconds(29)
"""Integration timeout of API Gateway."""


class Api(Construct):
    """The function `stylizer_api.lambda_handler.handler`: a zip over the layer, without torch.

    Attributes:
        function: Handler of gateway events.
        logs: Log group.
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
    ):
        super().__init__(scope, id)
        self.logs = make_logs(self, "Logs", settings)
        folders = [(storage.uploads, UPLOADS), (storage.results, JOBS), (storage.results, STYLES)]
        role = make_function_role(self, self.logs, _permissions(storage, jobs, endpoint_arn), folders)
        self.function = lambda_.Function(
            self,
            "Function",
            description="Answers the requests of the API",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=architecture(settings),
            handler="stylizer_api.lambda_handler.handler",
            code=zips.api_code(),
            layers=[layer],
            memory_size=settings.api_memory,
            timeout=GATEWAY_TIMEOUT,
            reserved_concurrent_executions=settings.api_concurrency,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=self.logs,
            role=role,
            environment=environment.for_api(settings, storage, jobs),
        )
        acknowledge_runtime(self.function)
        acknowledge(
            self.function,
            "Serverless-LambdaDLQ",
            "The gateway waits for its answer, and tells the caller of a failure.",
        )


def _permissions(storage: Storage, jobs: Jobs, endpoint_arn: str | None) -> list[iam.PolicyStatement]:
    uploads, results = storage.uploads, storage.results
    return [
        allow(
            *("dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"),
            "dynamodb:UpdateItem",
            on=[jobs.table.table_arn],
        ),
        allow("dynamodb:Query", on=jobs.index_arns("by_owner", "by_owner_status")),
        # Its own requests, and those of callers through forms and links it signs.
        allow(
            *("s3:DeleteObject", "s3:GetObject", "s3:PutObject"),
            on=[
                uploads.arn_for_objects(f"{UPLOADS}*"),
                *(results.arn_for_objects(f"{folder}*") for folder in (JOBS, STYLES)),
            ],
        ),
        # Without it, S3 answers 403 instead of 404 for a missing object.
        allow("s3:ListBucket", on=[uploads.bucket_arn, results.bucket_arn]),
        allow("sqs:GetQueueAttributes", "sqs:SendMessage", on=[jobs.paint_queue.queue_arn]),
        allow("sqs:SendMessage", on=[jobs.webhook_queue.queue_arn]),
        allow("secretsmanager:GetSecretValue", on=[jobs.webhook_secret.secret_arn]),
        *([allow("sagemaker:InvokeEndpointAsync", on=[endpoint_arn])] if endpoint_arn else []),
    ]
