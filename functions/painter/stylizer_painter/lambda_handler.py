"""The painter behind the queue: a Lambda function that receives one SQS message at a time.

A message is only a trigger; the job's state decides what to do. So a message may arrive twice, late or out of order,
and one whose job is leased to another painter is dropped: if that painter dies, `reconcile.reconcile_jobs` enqueues the
job again.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from stylizer_painter.metrics import SERVICE, count, count_failed_message
from stylizer_painter.painting import paint_job
from stylizer_painter.warmup import warm_up
from stylizer_service.adapters.aws import open_ports
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.settings import PainterSettings
from stylizer_service.adapters.aws.tracing import traced
from stylizer_service.ports import Ports

_RETRY_SECONDS = 30
_MAX_RETRY_SECONDS = 900

log = Logger(service=SERVICE)

warm_up()


@cache
def _settings() -> PainterSettings:
    return PainterSettings()


@cache
def _clients() -> Clients:
    return Clients()


@cache
def _ports() -> Ports:
    return open_ports(_settings(), clients=_clients())


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _ports()  # a missing setting fails the initialization, before any event is received


@log.inject_lambda_context
@traced(SERVICE)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Paint the jobs of the messages; return the failed messages, for SQS to redeliver."""
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(
        event=event, record_handler=lambda record: _receive(record, context), processor=processor, context=context
    )


def _receive(record: SQSRecord, context: LambdaContext) -> None:
    """Paint the job of one message. A malformed message ends up in the dead-letter queue."""
    try:
        job_id = str(json.loads(record.body)["job_id"])
        _paint(job_id, context)
    except Exception:
        log.exception("message %s failed", record.message_id)
        count_failed_message()
        _retry_soon(record)
        raise


def _paint(job_id: str, context: LambdaContext) -> None:
    margin = 1000 * _settings().painter_margin

    def is_late() -> bool:
        return context.get_remaining_time_in_millis() < margin

    outcome = paint_job(_ports(), _settings(), job_id, is_late=is_late)
    log.info("%s: %s", job_id, outcome, extra={"job_id": job_id, "outcome": outcome})
    count(_ports(), job_id, outcome)


def _retry_soon(record: SQSRecord) -> None:
    """Shorten the message's visibility timeout, which otherwise covers a whole painting."""
    times = int(record.attributes.approximate_receive_count or 1)
    delay = min(_RETRY_SECONDS * 2 ** (times - 1), _MAX_RETRY_SECONDS)
    try:
        _clients().sqs.change_message_visibility(
            QueueUrl=_settings().queue_url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=delay
        )
    except Exception:  # the message is redelivered anyway, only later
        log.warning("could not shorten the visibility timeout of message %s", record.message_id, exc_info=True)
