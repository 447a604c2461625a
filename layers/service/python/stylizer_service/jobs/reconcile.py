"""What is done about jobs whose painters cannot speak for them any more. Every function may be called twice, or late.

A job that is being painted is left alone: its lease says that somebody is at it, whatever a message about an earlier
try has to tell.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from stylizer_service.jobs.cleanup import discard
from stylizer_service.jobs.finish import wake
from stylizer_service.jobs.leases import claimable_when, fail_exhausted, painter_died, requeued
from stylizer_service.ports import Ports
from stylizer_service.problems import Problem, problem
from stylizer_service.records import Job, Precondition
from stylizer_service.settings import Settings

log = logging.getLogger(__name__)

_BATCH = 100
_WAITING = 1000
"""Most waiting jobs that are looked at for being lost; as many as may wait, unless a stage allows more."""
_UNSENT_AFTER = timedelta(minutes=2)
"""How long whoever stores a job may take to send it as well."""
_NO_GPU = problem(
    "painting-failed",
    "this was to be painted on a GPU, which this service no longer has; ask again, or for a smaller size",
)
_UNTOLD_AFTER = timedelta(minutes=1)
"""How late a try to tell a caller may be before the messenger is woken again, which does no harm."""


def fail(ports: Ports, settings: Settings, job_id: str, error: Problem) -> bool:
    """End a job that nobody is painting, with the reason.

    Returns:
        Whether it was ended by this call: not if it has ended before, or a painter is at it.
    """
    job = ports.jobs.get(job_id)
    when = claimable_when(job, ports.clock.now()) if job else None
    return job is not None and when is not None and fail_exhausted(ports, settings, job, when, error)


def resume(ports: Ports, settings: Settings, job: Job) -> bool:
    """Have a job painted again whose painter fell silent, or give it up if that has happened too often or too late.

    Returns:
        Whether this call did it: not if the painter has been heard of since, or another call was first.
    """
    now = ports.clock.now()
    when = claimable_when(job, now)
    if when is None or job.status != "running":
        return False
    if job.attempt >= settings.max_attempts or job.expires_at <= now:
        return fail_exhausted(ports, settings, job, when, painter_died(job))
    if ports.dispatcher.trace(job) == "no-way":
        return fail_exhausted(ports, settings, job, when, _NO_GPU)
    # Sent first: if this is broken off, the job is still found as one whose painter is silent, and is sent once more.
    ports.dispatcher.send(job)
    if ports.jobs.update(job.id, when, **requeued(job.attempt)) is None:
        return False
    discard(ports, job.work_folder)
    return True


def send_again(ports: Ports, settings: Settings, job_id: str) -> bool:
    """Send a job once more that did not reach a painter, if it has an attempt left for that.

    Returns:
        Whether it was sent: not if a painter has it, it has ended, or this was its last attempt.
    """
    job = ports.jobs.get(job_id)
    if job is None or job.attempt + 1 >= settings.max_attempts or ports.dispatcher.trace(job) == "no-way":
        return False
    if ports.jobs.update(job_id, Precondition(statuses=("queued",)), attempt=job.attempt + 1) is None:
        return False
    ports.dispatcher.send(job)
    return True


def rescue(ports: Ports, settings: Settings) -> list[str]:
    """Find every job that waits for somebody who will not come, and see to it.

    - Its painter is silent: it is sent again, or given up.
    - It is in no queue, because what was to put it there was stopped: it is sent again.
    - It was sent to an endpoint that another one has replaced: it is sent to that one.
    - It waits for an endpoint, and there is none any more: it fails at once.
    - Nobody has come to it until its time was over: it fails.
    - Its caller has not been told of its end although that is due: the messenger is woken.

    Returns:
        The ids of those jobs.

    Raises:
        Exception: What kept it from seeing to one of them; all others have been seen to by then.
    """
    now = ports.clock.now()
    failures: list[Exception] = []
    hours = settings.result_ttl.total_seconds() / 3600
    late = problem("not-painted", f"no painter came to it in {hours:g} hours")

    def send(job: Job) -> bool:
        if job.way == "queue":
            ports.dispatcher.send(job)
        return job.way == "queue"

    def recover(job: Job) -> bool:
        trace = ports.dispatcher.trace(job)
        if trace == "unsent" and job.created_at <= now - _UNSENT_AFTER:
            ports.dispatcher.send(job)
            return True
        return trace == "no-way" and fail(ports, settings, job.id, _NO_GPU)

    found = _seen_to(
        ports.jobs.with_expired_lease(now, limit=_BATCH), lambda job: resume(ports, settings, job), failures
    )
    overdue = ports.jobs.due("queued", now, limit=_BATCH)
    found += _seen_to(overdue, lambda job: fail(ports, settings, job.id, late), failures)
    # `due` goes by the end of a job's time, which a job that waits was given when it was made: these are all that wait.
    found += _seen_to(ports.jobs.due("queued", now + settings.result_ttl, limit=_WAITING), recover, failures)
    if ports.dispatcher.depth() == 0:
        since = now + settings.result_ttl - settings.requeue_after
        found += _seen_to(ports.jobs.due("queued", since, limit=_BATCH), send, failures)
    for job in ports.jobs.with_pending_webhook(now - _UNTOLD_AFTER, limit=_BATCH):
        wake(ports, job.id)
        found.append(job.id)
    if failures:
        raise failures[0]
    return found


def _seen_to(jobs: Iterable[Job], see_to: Callable[[Job], bool], failures: list[Exception]) -> list[str]:
    """The ids of those that something was done about. One that cannot be helped now keeps no other waiting."""
    found = []
    for job in jobs:
        try:
            if see_to(job):
                found.append(job.id)
        except Exception as error:
            log.exception("%s cannot be seen to now; the next time it may", job.id)
            failures.append(error)
    return found
