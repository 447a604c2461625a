"""Job dispatch and webhook notification through SQS."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from stylizer_service.records import Job

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LONGEST_DELAY = 900  # seconds; SQS's maximum


def message_of(job_id: str) -> str:
    """Return the message body used on the queues and for the endpoint: `{"job_id": "stz_…"}`."""
    return json.dumps({"job_id": job_id})


class SqsDispatcher:
    """Port `Dispatcher`.

    Args:
        client: SQS client.
        url: URL of the painters' queue.
    """

    def __init__(self, client: SQSClient, url: str):
        self._client = client
        self._url = url

    def send(self, job: Job) -> None:
        """Enqueue the job."""
        self._client.send_message(QueueUrl=self._url, MessageBody=message_of(job.id))

    def depth(self) -> int:
        """Return the approximate number of messages waiting, including those of jobs canceled meanwhile."""
        answer = self._client.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        )
        return sum(int(count) for count in answer["Attributes"].values())


class SqsNotifier:
    """Port `Notifier`.

    Args:
        client: SQS client.
        url: URL of the webhook queue.
    """

    def __init__(self, client: SQSClient, url: str):
        self._client = client
        self._url = url

    def send(self, job_id: str, *, delay: float = 0.0) -> None:
        """Request a delivery attempt after `delay` seconds, at most 900 (SQS's maximum delay)."""
        seconds = min(_LONGEST_DELAY, math.ceil(max(0.0, delay)))
        self._client.send_message(QueueUrl=self._url, MessageBody=message_of(job_id), DelaySeconds=seconds)
