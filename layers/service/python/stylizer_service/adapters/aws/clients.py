"""AWS clients. Create one `Clients` per process and keep it for the life of the process."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from stylizer_service.adapters.aws.errors import TRIES, check_answer, check_failure, repeat_cut_answer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


class Clients:
    """Lazily created, cached boto3 clients. Creating one takes 2 to 60 ms and sends no request.

    Each request is attempted up to four times with increasing backoff. The read timeouts leave room for one retry after
    an attempt that times out, within API Gateway's 29 s limit. If every attempt fails for reasons unrelated to the
    request itself, `ports.Unavailable` is raised.
    """

    def __init__(self) -> None:
        # Lambda and SageMaker set AWS_REGION; elsewhere boto3 falls back to its default lookup.
        self._session = boto3.session.Session(region_name=os.environ.get("AWS_REGION"))
        self._session.events.register("needs-retry", repeat_cut_answer)  # type: ignore[arg-type] # return value is used
        self._session.events.register("after-call", check_answer)
        self._session.events.register("after-call-error", check_failure)

    @cached_property
    def s3(self) -> S3Client:
        """S3 client that signs for the regional endpoint: other hosts redirect, which breaks a signed POST."""
        fake = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        style = {"addressing_style": "path" if fake else "virtual", "us_east_1_regional_endpoint": "regional"}
        return self._session.client("s3", config=_config(10, signature_version="s3v4", s3=style))

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB client for the table."""
        return self._session.client("dynamodb", config=_config(4))

    @cached_property
    def sqs(self) -> SQSClient:
        """SQS client for the queues."""
        return self._session.client("sqs", config=_config(4))

    @cached_property
    def sagemaker(self) -> SageMakerRuntimeClient:
        """SageMaker runtime client for the GPU endpoint."""
        return self._session.client("sagemaker-runtime", config=_config(4))

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Secrets Manager client for the webhook signing secret."""
        return self._session.client("secretsmanager", config=_config(4))


def _config(read_timeout: float, **more: object) -> Config:
    return Config(
        connect_timeout=2,
        read_timeout=read_timeout,
        tcp_keepalive=True,
        # Not "adaptive": its client-side rate limiter delays all requests of a process for seconds after one throttled
        # response. It suits a process with many requests; ours are many processes with few requests each.
        retries={"mode": "standard", "total_max_attempts": TRIES},
        **more,  # type: ignore[arg-type]
    )
