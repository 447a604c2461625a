"""The connections to AWS. Whoever runs one function makes them once and keeps them as long as the process lives."""

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
    """Each client is made when it is first asked for, which costs 2 to 60 ms and no request, and then kept.

    Every request is tried up to four times, each time after a longer pause. One answer that never comes
    leaves time for another before the gateway hangs up, which is after 29 seconds. When all tries were in vain, and not
    for what was asked: `ports.Unavailable`.
    """

    def __init__(self) -> None:
        # Lambda and SageMaker name the region here; on other machines boto3 looks where it is used to.
        self._session = boto3.session.Session(region_name=os.environ.get("AWS_REGION"))
        self._session.events.register("needs-retry", repeat_cut_answer)  # type: ignore[arg-type] # its answer counts
        self._session.events.register("after-call", check_answer)
        self._session.events.register("after-call-error", check_failure)

    @cached_property
    def s3(self) -> S3Client:
        """Signs links to the bucket's own name in its region: others are redirected, which breaks a signed POST."""
        fake = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        style = {"addressing_style": "path" if fake else "virtual", "us_east_1_regional_endpoint": "regional"}
        return self._session.client("s3", config=_config(10, signature_version="s3v4", s3=style))

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """For the table."""
        return self._session.client("dynamodb", config=_config(4))

    @cached_property
    def sqs(self) -> SQSClient:
        """For the queues."""
        return self._session.client("sqs", config=_config(4))

    @cached_property
    def sagemaker(self) -> SageMakerRuntimeClient:
        """For the endpoint with a GPU."""
        return self._session.client("sagemaker-runtime", config=_config(4))

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """For the secret that webhooks are signed with."""
        return self._session.client("secretsmanager", config=_config(4))


def _config(read_timeout: float, **more: object) -> Config:
    return Config(
        connect_timeout=2,
        read_timeout=read_timeout,
        tcp_keepalive=True,
        # Not "adaptive", which holds back a process that was refused once, for seconds and with each request: it is for
        # a process that asks much, and ours are many that ask little.
        retries={"mode": "standard", "total_max_attempts": TRIES},
        **more,  # type: ignore[arg-type]
    )
