"""Keeps what functions ask of AWS, as the actions and resources that their roles must allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import boto3
import pytest

Parameters = Mapping[str, Any]

REGION_AND_ACCOUNT = "eu-central-1:123456789012"


class Call(NamedTuple):
    """What a role must allow: an action, such as "s3:GetObject", on a resource, named by its ARN."""

    action: str
    resource: str


class Recorder:
    """Knows of every client that a function makes what is asked through it.

    Attributes:
        calls: By the name of the function.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.calls: dict[str, set[Call]] = {}
        self._function: str | None = None
        make: Callable[..., Any] = boto3.session.Session.client

        def make_and_watch(session: boto3.session.Session, *arguments: Any, **options: Any) -> Any:
            client = make(session, *arguments, **options)
            if self._function is not None:
                self._watch(client, self.calls.setdefault(self._function, set()))
            return client

        monkeypatch.setattr(boto3.session.Session, "client", make_and_watch)

    @contextmanager
    def as_function(self, name: str) -> Iterator[None]:
        """Clients made in the block are those of this function, for as long as they live."""
        before, self._function = self._function, name
        try:
            yield
        finally:
            self._function = before

    def _watch(self, client: Any, calls: set[Call]) -> None:
        service = client.meta.service_model.service_name

        def note(params: Parameters, model: Any, **_: object) -> None:
            calls.update(needed(service, model.name, params))

        client.meta.events.register(f"provide-client-params.{service}", note)
        if service == "s3":
            sign = client.generate_presigned_post

            def sign_and_note(bucket: str, key: str, **options: Any) -> Any:
                # The sender of a form acts with the rights of its signer.
                calls.add(Call("s3:PutObject", _object(bucket, key)))
                return sign(bucket, key, **options)

            client.generate_presigned_post = sign_and_note


def needed(service: str, operation: str, params: Parameters) -> set[Call]:
    """What a role must allow for one call, by the service authorization reference of AWS."""
    match service:
        case "s3":
            return _of_s3(operation, params)
        case "dynamodb":
            return _of_dynamodb(operation, params)
        case "sqs":
            queue = str(params["QueueUrl"]).rpartition("/")[2]
            return {Call(f"sqs:{operation}", f"arn:aws:sqs:{REGION_AND_ACCOUNT}:{queue}")}
        case "sagemaker-runtime":
            endpoint = f"arn:aws:sagemaker:{REGION_AND_ACCOUNT}:endpoint/{params['EndpointName']}"
            return {Call(f"sagemaker:{operation}", endpoint)}
        case "secretsmanager":
            return {Call(f"secretsmanager:{operation}", str(params["SecretId"]))}
    raise LookupError(f"which rights {service}:{operation} takes is not written down here")


def _of_s3(operation: str, params: Parameters) -> set[Call]:
    bucket = str(params["Bucket"])
    # Without the right to list, S3 answers 403 instead of 404 for what is not there.
    to_list = Call("s3:ListBucket", f"arn:aws:s3:::{bucket}")
    match operation:
        case "GetObject" | "HeadObject":
            return {Call("s3:GetObject", _object(bucket, params["Key"])), to_list}
        case "PutObject":
            return {Call("s3:PutObject", _object(bucket, params["Key"]))}
        case "CopyObject":
            source = params["CopySource"]
            return {
                Call("s3:GetObject", _object(source["Bucket"], source["Key"])),
                Call("s3:ListBucket", f"arn:aws:s3:::{source['Bucket']}"),
                Call("s3:PutObject", _object(bucket, params["Key"])),
            }
        case "ListObjectsV2":
            return {to_list}
        case "DeleteObjects":
            return {Call("s3:DeleteObject", _object(bucket, entry["Key"])) for entry in params["Delete"]["Objects"]}
        case "CreateBucket":
            return set()  # how botocore names the signing of a form, which is noted by itself
    raise LookupError(f"which rights s3:{operation} takes is not written down here")


def _of_dynamodb(operation: str, params: Parameters) -> set[Call]:
    def on(table: str, action: str = operation) -> Call:
        return Call(f"dynamodb:{action}", f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/{table}")

    match operation:
        case "BatchGetItem":
            return {on(table) for table in params["RequestItems"]}
        case "TransactWriteItems":
            items = [(kind, item) for write in params["TransactItems"] for kind, item in write.items()]
            return {on(item["TableName"], f"{kind}Item") for kind, item in items}
        case "Query":
            return {on(f"{params['TableName']}/index/{params['IndexName']}")}
    return {on(params["TableName"])}


def _object(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}"
