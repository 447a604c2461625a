"""AWS adapters: S3, DynamoDB, SQS and, for long paintings, a SageMaker endpoint.

Open once per process and reuse: opening creates the boto3 clients.
"""

from __future__ import annotations

from stylizer_service.adapters.aws.blobs import S3Blobs
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.endpoint import BackendDispatcher, Endpoint
from stylizer_service.adapters.aws.queue import SqsDispatcher, SqsNotifier
from stylizer_service.adapters.aws.secrets import WebhookKey
from stylizer_service.adapters.aws.settings import ApiSettings, AwsSettings, WithUploads
from stylizer_service.adapters.aws.stores import DynamoJobs, DynamoStyles, DynamoUploads
from stylizer_service.adapters.aws.table import Table
from stylizer_service.clock import SystemClock
from stylizer_service.ports import Clock, Ports
from stylizer_service.usecases import Service


def open_ports(settings: AwsSettings, clock: Clock | None = None, clients: Clients | None = None) -> Ports:
    """Create the adapters for the resources named in the settings, and only those.

    Sends no request. Region and credentials come from the environment.

    Args:
        settings: Resource names.
        clock: Time source; defaults to the system clock.
        clients: AWS clients; created if not given.
    """
    clock = clock or SystemClock()
    clients = clients or Clients()
    table = Table(clients.dynamodb, settings.table)
    sqs = clients.sqs
    uploads_bucket = settings.uploads_bucket if isinstance(settings, WithUploads) else None
    secret_id = settings.webhook_secret_id if isinstance(settings, WithUploads) else None
    blobs = S3Blobs(clients.s3, settings.results_bucket, uploads_bucket, clock)
    endpoint = None
    if settings.endpoint_name is not None:
        endpoint = Endpoint(clients.sagemaker, settings.endpoint_name, blobs, settings.results_bucket)
    return Ports(
        jobs=DynamoJobs(table, settings.record_ttl),
        uploads=DynamoUploads(table),
        styles=DynamoStyles(table),
        blobs=blobs,
        dispatcher=BackendDispatcher(SqsDispatcher(sqs, settings.queue_url), endpoint),
        notifier=SqsNotifier(sqs, settings.webhook_queue_url),
        clock=clock,
        webhook_key=None if secret_id is None else WebhookKey(clients, secret_id),
    )


def open_aws(settings: ApiSettings, clock: Clock | None = None, clients: Clients | None = None) -> Service:
    """Create the service on the AWS adapters.

    Args:
        settings: Resource names, limits and lifetimes.
        clock: Time source; defaults to the system clock.
        clients: AWS clients; created if not given.
    """
    return Service(open_ports(settings, clock, clients), settings.load_styles(), settings)
