"""How a job ends, whoever ends it: one conditional write, which also puts down that its caller is to be told.

That the caller is to be told stands in the same write as the end itself, so that no crash can come between; waking
the messenger right away is only to be quick.
"""

from __future__ import annotations

import logging
from typing import Literal, Unpack

from stylizer_service.ports import Ports
from stylizer_service.records import Job, JobChanges, Precondition
from stylizer_service.settings import Settings

log = logging.getLogger(__name__)

End = Literal["succeeded", "failed", "canceled"]


def end(
    ports: Ports, settings: Settings, job: Job, when: Precondition, how: End, **changes: Unpack[JobChanges]
) -> Job | None:
    """End a job if the condition holds.

    Args:
        ports: Where the job is.
        settings: Lifetimes.
        job: As it was when last seen.
        when: The condition.
        how: The status it ends in.
        changes: What else this writes.

    Returns:
        The job after the write, or None if the condition does not hold.
    """
    now = ports.clock.now()
    over: JobChanges = {
        "status": how,
        "finished_at": now,
        "expires_at": now + settings.result_ttl,
        "preview_key": None,
        "lease_token": None,
        "lease_expires_at": None,
        "notify_at": now if job.webhook else None,
    }
    whole: JobChanges = {**over, **changes}
    ended = ports.jobs.update(job.id, when, **whole)
    if ended and ended.webhook:
        wake(ports, ended.id)
    return ended


def wake(ports: Ports, job_id: str, *, delay: float = 0.0) -> None:
    """Ask for a try to tell the caller. If asking fails, the sweep finds what is due."""
    try:
        ports.notifier.send(job_id, delay=delay)
    except Exception:
        log.warning("could not ask for the webhook of %s to be sent; the sweep will", job_id, exc_info=True)
