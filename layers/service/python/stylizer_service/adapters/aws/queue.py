"""Jobs and wake-up calls through SQS."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from stylizer_service.records import Job

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LONGEST_DELAY = 900  # what SQS takes


def message_of(job_id: str) -> str:
    """The body of every message, on the queues and for the endpoint: `{"job_id": "stz_…"}`."""
    return json.dumps({"job_id": job_id})


class SqsDispatcher:
    """Port `Dispatcher`.

    Args:
        client: SQS.
        url: Of the queue that painters take from.
    """

    def __init__(self, client: SQSClient, url: str):
        self._client = client
        self._url = url

    def send(self, job: Job) -> None:
        """Put the job into the queue."""
        self._client.send_message(QueueUrl=self._url, MessageBody=message_of(job.id))

    def depth(self) -> int:
        """About how many messages wait; those of jobs that were canceled since are among them."""
        answer = self._client.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        )
        return sum(int(count) for count in answer["Attributes"].values())


class SqsNotifier:
    """Port `Notifier`.

    Args:
        client: SQS.
        url: Of the queue that deliverers take from.
    """

    def __init__(self, client: SQSClient, url: str):
        self._client = client
        self._url = url

    def send(self, job_id: str, *, delay: float = 0.0) -> None:
        """Ask for a try after `delay` seconds, or after 15 minutes, which is the longest that a message can wait."""
        seconds = min(_LONGEST_DELAY, math.ceil(max(0.0, delay)))
        self._client.send_message(QueueUrl=self._url, MessageBody=message_of(job_id), DelaySeconds=seconds)
