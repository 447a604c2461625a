"""The painters behind the queue."""

from __future__ import annotations

import json
from typing import TypedDict

from aws_cdk import Duration, Size
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs import environment
from infra.constructs.common import acknowledge, allow, architecture, make_function_role, make_logs, take_from
from infra.constructs.jobs import Jobs
from infra.constructs.storage import JOBS, Storage
from infra.settings import ROOT, StageSettings

DOCKERFILE = "functions/painter/Dockerfile"
_INDEX = "PIP_EXTRA_INDEX_URL"


class Painter(Construct):
    """The function `stylizer_painter.lambda_handler.handler`: an image, which Docker builds when it is deployed.

    Attributes:
        function: Paints one job at a time.
        logs: Its log.
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
            ephemeral_storage_size=Size.mebibytes(512),  # the least there is: painters write no files
            timeout=Duration.seconds(settings.painter_timeout),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=self.logs,
            role=role,
            environment=environment.for_painters(settings, storage, jobs),
        )
        acknowledge(
            self.function, "Serverless-LambdaDLQ", "Its messages stay in the queue until it has dealt with them."
        )
        # Reserved concurrency in place of this would have the queue read faster than painters are free, and what they
        # do not take would count as a delivery that failed.
        take_from(self.function, jobs.paint_queue, "PaintQueue", at_once=1, most=settings.painter_concurrency)


class ImageOptions(TypedDict):
    """What both images of painters are built with, for `DockerImageAsset` and for `DockerImageCode`."""

    file: str
    build_args: dict[str, str]
    invalidation: assets.DockerImageAssetInvalidationOptions
    extra_hash: str


def image_options(settings: StageSettings, **build_args: str) -> ImageOptions:
    """How an image of a painter is built.

    Where torch's builds are found is left out of what names the image: what is installed stands in the locks, and a
    mirror of the index makes no other image.

    Args:
        settings: Of the stage.
        build_args: Those of one image only.
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
        allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=[jobs.table.table_arn]),
        allow(*("s3:DeleteObject", "s3:GetObject", "s3:PutObject"), on=[storage.results.arn_for_objects(f"{JOBS}*")]),
        allow("s3:ListBucket", on=[storage.results.bucket_arn]),
        # Lambda takes messages from the queue in the function's name; the function hands back jobs it has no time for.
        allow(
            *("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
            "sqs:SendMessage",
            on=[jobs.paint_queue.queue_arn],
        ),
        allow("sqs:SendMessage", on=[jobs.webhook_queue.queue_arn]),
    ]
