"""Webhook delivery: signed according to Standard Webhooks, retried until acknowledged or attempts are exhausted.

The pending webhook and the time of its next attempt are stored in the job (`finish`). An attempt is claimed by moving
that time forward in a conditional write before anything is sent: no two workers make the same attempt, and one that
dies midway leaves a job that becomes due again. A webhook can therefore arrive more than once, with the same
`webhook-id`, but a crash never loses one.
"""

from __future__ import annotations

import base64
import hmac
import logging
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, Protocol

from pydantic import BaseModel, Field

from stylizer_service import presenters
from stylizer_service.jobs.finish import wake
from stylizer_service.models import FINAL
from stylizer_service.outbound.addresses import check_address
from stylizer_service.ports import Ports
from stylizer_service.problems import failure, invalid
from stylizer_service.records import Job, Precondition
from stylizer_service.resources import Stylization
from stylizer_service.settings import Settings

log = logging.getLogger(__name__)

Delivery = Literal["delivered", "retrying", "abandoned", "skipped"]
"""Outcome of a delivery; "skipped": none was due."""

_REPORTED = (*FINAL, "expired")  # undelivered ends are still sent after expiry
_PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 10800.0)
"""Seconds between the end of an attempt and the next; the last value repeats."""
_JITTER = 0.2
_SKEW = timedelta(seconds=1)
"""Tolerated clock skew between machines, so that a worker woken right at the end of a job is not too early."""
_SHOWN = 200  # maximum characters of a send error in the log
_GONE = 410


class NotSent(Exception):
    """The request could not be sent, or no response arrived."""


class Sender(Protocol):
    """Sends a POST request, to public addresses only."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Return the response status, without following redirects, within a bounded time. Raises `NotSent`."""


class Event(BaseModel):
    """Webhook payload: event type, time, and the stylization as returned by GET."""

    type: str = Field(
        description="stylization.succeeded, .failed or .canceled; or .expired if no delivery succeeded before the "
        "stylization expired.",
        examples=["stylization.succeeded"],
    )
    timestamp: datetime = Field(description="Time at which the stylization ended.")
    data: Stylization


def check_webhook(ports: Ports, url: str | None) -> None:
    """Raise a `ProblemError` if the requested webhook is not possible."""
    if url is None:
        return
    if ports.webhook_key is None:
        raise invalid("webhook", f"webhook is {url!r}, and this service has no key to sign webhooks with", "null")
    check_address(url)


def webhook_secret(ports: Ports, owner: str) -> str:
    """Return the owner's signing secret in Standard Webhooks format: "whsec_" and 32 bytes in base64.

    Raises:
        ProblemError: `not-found` if this service sends no webhooks.
    """
    if ports.webhook_key is None:
        raise failure("not-found", "there is no secret: this service has no key to sign webhooks with")
    return f"whsec_{base64.b64encode(_owner_key(ports.webhook_key(), owner)).decode()}"


def deliver(ports: Ports, settings: Settings, job_id: str, sender: Sender) -> Delivery:
    """Send a job's webhook if one is due. Safe to call for any job, any number of times.

    Args:
        ports: The ports.
        settings: Maximum attempts, and timeout of one attempt.
        job_id: The job.
        sender: Sends the request, within `settings.webhook_timeout`.
    """
    job = ports.jobs.get(job_id)
    now = ports.clock.now()
    if job is None or job.webhook is None or job.notify_at is None or job.notify_at > now + _SKEW:
        return "skipped"
    if ports.webhook_key is None:
        raise RuntimeError(f"{job_id} has a webhook, and there is no key to sign it with")
    key = _owner_key(ports.webhook_key(), job.owner)
    if job.notify_attempts >= settings.webhook_attempts:
        return _abandon(ports, job, "the last attempt was interrupted")
    pause = settings.webhook_timeout + _pause(job.notify_attempts)
    claimed = ports.jobs.update(
        job_id,
        Precondition(statuses=_REPORTED, notify_at=job.notify_at),
        # Counted from the latest possible end of this attempt, so that the next never runs concurrently.
        notify_at=now + timedelta(seconds=pause),
        notify_attempts=job.notify_attempts + 1,
    )
    if claimed is None:
        return "skipped"
    try:
        status = _post(ports, settings, claimed, key, sender)
    except NotSent as error:
        # Partly controlled by the remote host: escape and truncate, so that it cannot inject into or flood the log.
        status, reason = None, ascii(str(error)[:_SHOWN])[1:-1]
    else:
        reason = f"it was answered with status {status}"
    if status in range(200, 300):
        # Even if another attempt has been claimed meanwhile: the webhook has been delivered.
        ports.jobs.update(job_id, Precondition(statuses=_REPORTED), notify_at=None)
        return "delivered"
    if status == _GONE or claimed.notify_attempts >= settings.webhook_attempts:
        return _abandon(ports, claimed, reason)
    log.info("webhook of %s: %s; next try in %.0f s", job_id, reason, pause)
    wake(ports, job_id, delay=pause)
    return "retrying"


def _post(ports: Ports, settings: Settings, job: Job, key: bytes, sender: Sender) -> int:
    resource = presenters.present(ports, settings, job)
    now = ports.clock.now()
    event = Event(type=f"stylization.{resource.status}", timestamp=job.finished_at or now, data=resource)
    body = event.model_dump_json().encode()
    timestamp = str(int(now.timestamp()))
    signature = base64.b64encode(hmac.digest(key, f"{job.id}.{timestamp}.".encode() + body, "sha256")).decode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": job.id,  # identical for every attempt, for deduplication by the receiver
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
    return sender.post(job.webhook or "", headers, body)


def _abandon(ports: Ports, job: Job, reason: str) -> Delivery:
    ports.jobs.update(job.id, Precondition(statuses=_REPORTED, notify_at=job.notify_at), notify_at=None)
    log.warning("webhook of %s: given up after %d tries: %s", job.id, job.notify_attempts, reason)
    return "abandoned"


def _pause(attempts: int) -> float:
    """Return the backoff in seconds after an attempt preceded by `attempts` others, with up to 20 % jitter."""
    return _PAUSES[min(attempts, len(_PAUSES) - 1)] * random.uniform(1, 1 + _JITTER)  # noqa: S311 - no secret


def _owner_key(master: bytes, owner: str) -> bytes:
    return hmac.digest(master, owner.encode(), "sha256")
