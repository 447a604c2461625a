"""Plays Lambda's event sources: takes messages from queues, calls the handlers, and deletes what they dealt with."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


Event = dict[str, Any]
Handler = Callable[[Event, Any], Mapping[str, Any] | None]


@dataclass
class LambdaContext:
    """What a handler may ask of the function it runs in."""

    function_name: str = "painter"
    memory_limit_in_mb: int = 6144
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:painter"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seconds: float = 900.0
    _began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """What is left of the function's time."""
        return int((self._began + self.seconds - time.monotonic()) * 1000)


class QueueSource:
    """An event source mapping: one queue, one handler, batches of one, partial batch responses.

    Attributes:
        client: SQS.
        url: Of the queue.
        handler: Gets the events.
    """

    def __init__(self, sqs: SQSClient, url: str, handler: Handler, *, seconds: float = 900.0):
        self.client = sqs
        self.url = url
        self.handler = handler
        self._seconds = seconds
        name = url.rpartition("/")[2]
        self._arn = f"arn:aws:sqs:eu-central-1:123456789012:{name}"

    def deliver(self) -> bool | None:
        """Take one message to the handler.

        Returns:
            Whether it was dealt with, or None if there was no message to be seen.
        """
        messages = self.receive(1)
        return self.handle(messages[0]) if messages else None

    def receive(self, most: int) -> list[MessageTypeDef]:
        """Receive messages, invisible to others for a while."""
        answer = self.client.receive_message(
            QueueUrl=self.url, MessageSystemAttributeNames=["All"], MaxNumberOfMessages=most, WaitTimeSeconds=0
        )
        return answer.get("Messages", [])

    def handle(self, message: MessageTypeDef) -> bool:
        """Take a message to the handler; whether it was dealt with."""
        try:
            result = self.handler(self._event(message), LambdaContext(seconds=self._seconds)) or {}
        except Exception:  # As in Lambda: the message is seen again when its time is over.
            return False
        if result.get("batchItemFailures"):
            return False
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return True

    def drain(self) -> list[bool]:
        """Deliver until nothing is to be seen; what became of each message."""
        results = []
        while (result := self.deliver()) is not None:
            results.append(result)
        return results

    def _event(self, message: MessageTypeDef) -> Event:
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message.get("Attributes", {}),
                    "messageAttributes": {},
                    "md5OfBody": message.get("MD5OfBody", ""),
                    "eventSource": "aws:sqs",
                    "eventSourceARN": self._arn,
                    "awsRegion": "eu-central-1",
                }
            ]
        }


def notice(message: str) -> Event:
    """The event that a topic sends to a function."""
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {"Message": message}}]}


SCHEDULE: Event = {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


class Running:
    """Delivers in the background, as Lambda does, until the block ends."""

    def __init__(self, *sources: QueueSource):
        self._sources = sources
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[source]) for source in sources]

    def __enter__(self) -> Running:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, source: QueueSource) -> None:
        while not self._stop.is_set():
            if source.deliver() is None:
                self._stop.wait(0.05)
