"""Telling callers that their jobs have ended: signed by the rules of Standard Webhooks, tried until it is heard.

That there is something to tell, and when the next try is due, is in the job (`finish`). A try is claimed by moving
that time on, in a conditional write before anything is sent: two deliverers never make the same try, and one that dies
in the middle leaves a job that is due again later. So a caller can be told twice, with the same `webhook-id`, and is
never forgotten.
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
from stylizer_service.models import FINAL, Stylization
from stylizer_service.ports import Ports
from stylizer_service.problems import failure, invalid
from stylizer_service.records import Job, Precondition
from stylizer_service.settings import Settings
from stylizer_service.webhooks.addresses import check_address

log = logging.getLogger(__name__)

Delivery = Literal["told", "later", "given-up", "nothing"]
"""What came of it: the caller knows, or will be tried again, or is not tried any more; or nothing was due."""

_TOLD_OF = (*FINAL, "expired")  # an end that nobody was there to hear is told even when the painting is gone
_PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 10800.0)
"""Seconds from the end of each try to the next; the last stands for all after it."""
_JITTER = 0.2
_SKEW = timedelta(seconds=1)
"""How far apart the clocks of two machines may be, so that who is woken at the moment of the end is not too early."""
_SHOWN = 200  # characters of why a request could not be sent
_GONE = 410


class NotSent(Exception):
    """The request could not be sent, or no answer came."""


class Sender(Protocol):
    """Sends one POST request, to public addresses only."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer; redirects are not followed. Raises `NotSent`. Always comes back, in seconds."""


class Event(BaseModel):
    """What is sent: what has happened, when, and the stylization as GET gives it."""

    type: str = Field(
        description="What has become of the stylization: stylization.succeeded, .failed or .canceled; or .expired if "
        "you could not be reached before its time was over.",
        examples=["stylization.succeeded"],
    )
    timestamp: datetime = Field(description="When it ended.")
    data: Stylization


def check_webhook(ports: Ports, url: str | None) -> None:
    """Raise a `ProblemError` if a request asks for a webhook that cannot be."""
    if url is None:
        return
    if ports.webhook_key is None:
        raise invalid("webhook", f"webhook is {url!r}, and this service has no key to sign webhooks with", "null")
    check_address(url)


def webhook_secret(ports: Ports, owner: str) -> str:
    """What the owner checks webhooks with, as Standard Webhooks writes it: "whsec_" and 32 bytes in base64.

    Raises:
        ProblemError: `not-found`: this service sends no webhooks.
    """
    if ports.webhook_key is None:
        raise failure("not-found", "there is no secret: this service has no key to sign webhooks with")
    return f"whsec_{base64.b64encode(_owner_key(ports.webhook_key(), owner)).decode()}"


def deliver(ports: Ports, settings: Settings, job_id: str, sender: Sender) -> Delivery:
    """Tell the caller of a job that it has ended, if that is due. Safe to call for any job, any number of times.

    Args:
        ports: Where the job is.
        settings: How often to try, and how long one try may take.
        job_id: The job.
        sender: Sends the request, within `settings.webhook_timeout`.
    """
    job = ports.jobs.get(job_id)
    now = ports.clock.now()
    if job is None or job.webhook is None or job.notify_at is None or job.notify_at > now + _SKEW:
        return "nothing"
    if ports.webhook_key is None:
        raise RuntimeError(f"{job_id} has a webhook, and there is no key to sign it with")
    key = _owner_key(ports.webhook_key(), job.owner)
    if job.notify_attempts >= settings.webhook_attempts:
        return _give_up(ports, job, "the last try was broken off")
    pause = settings.webhook_timeout + _pause(job.notify_attempts)
    claimed = ports.jobs.update(
        job_id,
        Precondition(statuses=_TOLD_OF, notify_at=job.notify_at),
        # Counted from when the try is over at the latest, so that the next one never runs beside it.
        notify_at=now + timedelta(seconds=pause),
        notify_attempts=job.notify_attempts + 1,
    )
    if claimed is None:
        return "nothing"
    try:
        status = _post(ports, settings, claimed, key, sender)
    except NotSent as error:
        # A stranger's machine has a say in it: what would end the line, color it or fill the log is not taken over.
        status, reason = None, ascii(str(error)[:_SHOWN])[1:-1]
    else:
        reason = f"it was answered with status {status}"
    if status in range(200, 300):
        # Even if another try has been claimed meanwhile: it has been heard.
        ports.jobs.update(job_id, Precondition(statuses=_TOLD_OF), notify_at=None)
        return "told"
    if status == _GONE or claimed.notify_attempts >= settings.webhook_attempts:
        return _give_up(ports, claimed, reason)
    log.info("webhook of %s: %s; next try in %.0f s", job_id, reason, pause)
    wake(ports, job_id, delay=pause)
    return "later"


def _post(ports: Ports, settings: Settings, job: Job, key: bytes, sender: Sender) -> int:
    resource = presenters.present(ports, settings, job)
    now = ports.clock.now()
    event = Event(type=f"stylization.{resource.status}", timestamp=job.finished_at or now, data=resource)
    body = event.model_dump_json().encode()
    format_timestamp = str(int(now.timestamp()))
    signature = base64.b64encode(hmac.digest(key, f"{job.id}.{format_timestamp}.".encode() + body, "sha256")).decode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": job.id,  # the same for every try, so that a receiver can tell a repetition
        "webhook-timestamp": format_timestamp,
        "webhook-signature": f"v1,{signature}",
    }
    return sender.post(job.webhook or "", headers, body)


def _give_up(ports: Ports, job: Job, reason: str) -> Delivery:
    ports.jobs.update(job.id, Precondition(statuses=_TOLD_OF, notify_at=job.notify_at), notify_at=None)
    log.warning("webhook of %s: given up after %d tries: %s", job.id, job.notify_attempts, reason)
    return "given-up"


def _pause(attempts: int) -> float:
    """Seconds to wait after a try that has so many before it; no two jobs wait the same."""
    return _PAUSES[min(attempts, len(_PAUSES) - 1)] * random.uniform(1, 1 + _JITTER)  # noqa: S311 - no secret


def _owner_key(master: bytes, owner: str) -> bytes:
    return hmac.digest(master, owner.encode(), "sha256")
