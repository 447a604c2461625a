"""Terminal job transitions: one conditional write that also records the pending webhook.

The pending webhook is part of the same write, so that no crash can separate the two; the immediate notification only
reduces latency.
"""

from __future__ import annotations

import logging
from typing import Literal, Unpack

from stylizer_service.ports import Ports
from stylizer_service.records import Job, JobChanges, Precondition
from stylizer_service.settings import Settings

log = logging.getLogger(__name__)

TerminalStatus = Literal["succeeded", "failed", "canceled"]


def end(
    ports: Ports,
    settings: Settings,
    job: Job,
    when: Precondition,
    outcome: TerminalStatus,
    **changes: Unpack[JobChanges],
) -> Job | None:
    """Move a job to a terminal status if the precondition holds.

    Args:
        ports: The ports.
        settings: Lifetimes.
        job: The job as last read.
        when: The precondition.
        outcome: The terminal status.
        changes: Further fields to write; they override the defaults.

    Returns:
        The job after the write, or None if the precondition does not hold.
    """
    now = ports.clock.now()
    defaults: JobChanges = {
        "status": outcome,
        "finished_at": now,
        "expires_at": now + settings.result_ttl,
        "preview_key": None,
        "results": (),  # the job succeeds only with all variants
        "lease_token": None,
        "lease_expires_at": None,
        "notify_at": now if job.webhook else None,
    }
    merged: JobChanges = {**defaults, **changes}
    ended = ports.jobs.update(job.id, when, **merged)
    if ended and ended.webhook:
        wake(ports, ended.id)
    clip = ports.jobs.get(ended.parent_id) if ended and ended.parent_id and outcome == "failed" else None
    if clip and ended:  # if interrupted before, `chunks.is_complete` finds the failed chunk
        end(ports, settings, clip, Precondition(statuses=("queued", "running")), outcome, error=ended.error)
    return ended


def wake(ports: Ports, job_id: str, *, delay: float = 0.0) -> None:
    """Request a webhook delivery attempt. If the request fails, `reconcile` finds the webhook later."""
    try:
        ports.notifier.send(job_id, delay=delay)
    except Exception:
        log.warning("could not request delivery of the webhook of %s; the reconciler will retry", job_id, exc_info=True)
