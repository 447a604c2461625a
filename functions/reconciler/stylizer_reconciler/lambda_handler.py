"""The work after painting: one Lambda function with four event sources.

- SNS: the GPU endpoint reports that an invocation has succeeded or failed.
- SQS, dead letters of the paint queue: messages that no painter could process.
- SQS, webhooks: deliver a webhook.
- EventBridge, every minute: reconcile stuck jobs and delete expired data.

A failed message is redelivered; a failed schedule runs again a minute later anyway.
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

from stylizer_reconciler import metrics
from stylizer_service.adapters.aws import open_ports
from stylizer_service.adapters.aws.settings import ReconcilerSettings
from stylizer_service.adapters.aws.tracing import traced
from stylizer_service.jobs import reconcile
from stylizer_service.jobs.retention import sweep
from stylizer_service.ports import Ports
from stylizer_service.problems import problem
from stylizer_service.webhooks.delivery import Sender, deliver
from stylizer_service.webhooks.sender import HttpsSender

log = Logger(service=metrics.SERVICE)


@cache
def _settings() -> ReconcilerSettings:
    return ReconcilerSettings()


@cache
def _ports() -> Ports:
    return open_ports(_settings())


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _ports()  # a missing setting fails the initialization, before any event is received


@cache
def _sender() -> Sender:
    return HttpsSender(_settings().webhook_timeout)


@log.inject_lambda_context
@traced(metrics.SERVICE)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse | None:
    """Dispatch an event by its source; return a queue's failed messages, for SQS to redeliver."""
    match event:
        case {"Records": [{"EventSource": "aws:sns"}, *_] as records}:
            for record in records:
                _on_notification(json.loads(record["Sns"]["Message"]))
        case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
            processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
            return process_partial_response(event=event, record_handler=_receive, processor=processor, context=context)
        case {"source": "aws.events"}:
            _run_maintenance()
        case _:
            raise ValueError(f"unknown event with the keys {', '.join(event)}")
    return None


def _on_notification(notice: dict[str, Any]) -> None:
    """Handle an invocation's notification; the job's own state says whether it has ended."""
    job_id = str(notice.get("inferenceId", ""))
    job = _ports().jobs.get(job_id)
    is_reconciled = job is not None and reconcile.resume(_ports(), _settings(), job)
    if notice.get("invocationStatus") != "Completed":
        # The reason exposes internals of the endpoint, which belong in the operator's log but not in the caller's
        # error.
        log.error("%s: the endpoint failed: %s", job_id, notice.get("failureReason"), extra={"job_id": job_id})
        metrics.count_endpoint_failure()
        is_reconciled = (
            is_reconciled
            or reconcile.send_again(_ports(), _settings(), job_id)
            or _fail(job_id, "the GPU painter failed before it could paint this; try again later")
        )
    log.info("%s: endpoint %s, reconciled: %s", job_id, notice.get("invocationStatus"), is_reconciled)


def _receive(record: SQSRecord) -> None:
    if _name(record.event_source_arn, ":") == _name(_settings().webhook_queue_url, "/"):
        _deliver_webhook(_job_id(record))
    else:
        _on_dead_letter(record)


def _deliver_webhook(job_id: str) -> None:
    outcome = deliver(_ports(), _settings(), job_id, _sender())
    log.info("webhook of %s: %s", job_id, outcome, extra={"job_id": job_id, "outcome": outcome})
    metrics.count_webhook(outcome)


def _on_dead_letter(record: SQSRecord) -> None:
    """Fail the job of a message that every painter failed to process, unless it is being painted after all."""
    metrics.count_dead_letter()
    try:
        job_id = _job_id(record)
    except (ValueError, KeyError, TypeError):
        log.error("dropped a message without a job id", extra={"body": record.body[:200]})
        return
    times = record.attributes.approximate_receive_count
    is_ended = _fail(job_id, "several painters failed to process this; see the log")
    log.error("%s: dead letter, ended: %s", job_id, is_ended, extra={"job_id": job_id, "received": times})


def _fail(job_id: str, detail: str) -> bool:
    error = problem("painting-failed", detail)
    is_ended = reconcile.fail(_ports(), _settings(), job_id, error)
    if is_ended:
        metrics.count_failure(error.code)
    return is_ended


def _run_maintenance() -> None:
    began = _ports().clock.now()
    reconciled: list[str] = []
    try:
        reconciled = reconcile.reconcile_jobs(_ports(), _settings())
        metrics.count_reconciled(_ports(), reconciled, began)
    finally:  # even if a job cannot be reconciled, so that files do not pile up
        removed = sweep(_ports(), record_ttl=_settings().record_ttl)
        log.info("reconciled %d jobs, deleted %d records", len(reconciled), removed, extra={"reconciled": reconciled})


def _job_id(record: SQSRecord) -> str:
    return str(json.loads(record.body)["job_id"])


def _name(address: str, separator: str) -> str:
    """Return a queue's name, the last part of its ARN and of its URL."""
    return address.rpartition(separator)[2]
