"""Lambda painter behind the paint queue."""

from __future__ import annotations

import json
from typing import TypedDict

from aws_cdk import Duration, Size
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs import environment
from infra.constructs.common import acknowledge, add_sqs_source, allow, architecture, make_function_role, make_logs
from infra.constructs.jobs import Jobs
from infra.constructs.storage import JOBS, Storage
from infra.settings import ROOT, StageSettings

DOCKERFILE = "functions/painter/Dockerfile"
_INDEX = "PIP_EXTRA_INDEX_URL"


class Painter(Construct):
    """The function `stylizer_painter.lambda_handler.handler`: an image that is built on deploy.

    Attributes:
        function: Paints one job per invocation.
        logs: Log group.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings, storage: Storage, jobs: Jobs):  # noqa: A002
        super().__init__(scope, id)
        self.logs = make_logs(self, "Logs", settings)
        role = make_function_role(self, self.logs, _permissions(storage, jobs), [(storage.results, JOBS)])
        self.function = lambda_.DockerImageFunction(
            self,
            "Function",
            description="Paints one job at a time",
            code=_image(settings),
            architecture=architecture(settings),
            memory_size=settings.painter_memory,
            ephemeral_storage_size=Size.mebibytes(512),  # the minimum: painters write no files
            timeout=Duration.seconds(settings.painter_timeout),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=self.logs,
            role=role,
            environment=environment.for_painters(settings, storage, jobs),
        )
        acknowledge(
            self.function, "Serverless-LambdaDLQ", "Its messages stay in the queue until it has dealt with them."
        )
        # With reserved concurrency, the poller would receive more than free painters take, and throttled messages
        # would count toward the maximum receive count.
        add_sqs_source(
            self.function, jobs.paint_queue, "PaintQueue", batch_size=1, max_concurrency=settings.painter_concurrency
        )


class ImageOptions(TypedDict):
    """Build options of both painter images, for `DockerImageAsset` and `DockerImageCode`."""

    file: str
    build_args: dict[str, str]
    invalidation: assets.DockerImageAssetInvalidationOptions
    extra_hash: str


def image_options(settings: StageSettings, **build_args: str) -> ImageOptions:
    """Return the build options of a painter image.

    The address of the torch index is not part of the image hash: the locks determine what is installed, whatever the
    mirror.

    Args:
        settings: Settings of the stage.
        build_args: Build arguments of this image.
    """
    given = {"VGG19": str(settings.vgg19).lower(), **build_args}
    named = {name: value for name, value in given.items() if name != _INDEX}
    return ImageOptions(
        file=DOCKERFILE,
        build_args=given,
        invalidation=assets.DockerImageAssetInvalidationOptions(build_args=False),
        extra_hash=json.dumps(named, sort_keys=True),
    )


def _image(settings: StageSettings) -> lambda_.DockerImageCode:
    is_arm = settings.architecture == "arm64"
    index = {_INDEX: settings.pip_extra_index_url} if settings.pip_extra_index_url else {}
    return lambda_.DockerImageCode.from_image_asset(
        str(ROOT),
        target="lambda",
        platform=assets.Platform.LINUX_ARM64 if is_arm else assets.Platform.LINUX_AMD64,
        **image_options(settings, TORCH="cpu", **index),
    )


def _permissions(storage: Storage, jobs: Jobs) -> list[iam.PolicyStatement]:
    return [
        # It creates the chunks of clips, and reads them.
        allow(
            *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
            on=[jobs.table.table_arn],
        ),
        allow(*("s3:DeleteObject", "s3:GetObject", "s3:PutObject"), on=[storage.results.arn_for_objects(f"{JOBS}*")]),
        allow("s3:ListBucket", on=[storage.results.bucket_arn]),
        # Lambda polls the queue with the role of the function; the function requeues jobs it has no time for.
        allow(
            *("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
            "sqs:SendMessage",
            on=[jobs.paint_queue.queue_arn],
        ),
        allow("sqs:SendMessage", on=[jobs.webhook_queue.queue_arn]),
    ]
