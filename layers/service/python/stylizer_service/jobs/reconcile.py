"""Reconciliation of jobs whose painter died or whose message was lost. Every function is idempotent and safe when late.

A job with a valid lease is left alone: a painter is working on it, whatever a message about an earlier attempt says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from stylizer_service.jobs import chunks
from stylizer_service.jobs.cleanup import discard_unfinished
from stylizer_service.jobs.finish import wake
from stylizer_service.jobs.leases import claimable_when, fail_exhausted, painter_died, requeued
from stylizer_service.ports import Ports
from stylizer_service.problems import Problem, problem
from stylizer_service.records import Job, Precondition
from stylizer_service.settings import Settings

log = logging.getLogger(__name__)

_BATCH = 100
_UNSENT_AFTER = timedelta(minutes=2)
"""Grace period between storing a job and sending it."""
_NO_GPU = problem(
    "painting-failed",
    "this needs a GPU, which this service no longer has; repeat the request, or choose a smaller size",
)
_WEBHOOK_OVERDUE_AFTER = timedelta(minutes=1)
"""Delay of a webhook attempt after which the worker is woken again; an extra wake-up is harmless."""


def fail(ports: Ports, settings: Settings, job_id: str, error: Problem) -> bool:
    """Fail an unleased job with the given error.

    Returns:
        Whether this call ended it: False if it was already final or a painter holds it.
    """
    job = ports.jobs.get(job_id)
    when = claimable_when(job, ports.clock.now()) if job else None
    return job is not None and when is not None and fail_exhausted(ports, settings, job, when, error)


def resume(ports: Ports, settings: Settings, job: Job) -> bool:
    """Requeue a running job with an expired lease, or fail it if its attempts or its lifetime are exhausted.

    Returns:
        Whether this call did so: False if the lease was renewed, or another call was first.
    """
    now = ports.clock.now()
    when = claimable_when(job, now)
    if when is None or job.status != "running":
        return False
    if chunks.is_waiting(job):
        return _resume_waiting(ports, settings, job, when)
    if job.attempt >= settings.max_attempts or job.expires_at <= now:
        return fail_exhausted(ports, settings, job, when, painter_died(job))
    if ports.dispatcher.trace(job) == "no-backend":
        return fail_exhausted(ports, settings, job, when, _NO_GPU)
    # Send first: if this is interrupted, the job is found again by its expired lease and sent once more.
    ports.dispatcher.send(job)
    if ports.jobs.update(job.id, when, **requeued(job.attempt)) is None:
        return False
    discard_unfinished(ports, job)
    return True


def _resume_waiting(ports: Ports, settings: Settings, clip: Job, when: Precondition) -> bool:
    """Send a clip whose chunks are all painted, or fail it if it has expired."""
    if clip.expires_at <= ports.clock.now():
        return fail_exhausted(ports, settings, clip, when, _not_painted(settings))
    is_complete = chunks.is_complete(ports, settings, clip)
    if is_complete:
        ports.dispatcher.send(clip)
    return is_complete


def send_again(ports: Ports, settings: Settings, job_id: str) -> bool:
    """Resend a queued job that did not reach a painter, if it has an attempt left.

    Returns:
        Whether it was sent: False if a painter holds it, it is final, or no attempt is left.
    """
    job = ports.jobs.get(job_id)
    if job is None or job.attempt + 1 >= settings.max_attempts or ports.dispatcher.trace(job) == "no-backend":
        return False
    if ports.jobs.update(job_id, Precondition(statuses=("queued",)), attempt=job.attempt + 1) is None:
        return False
    ports.dispatcher.send(job)
    return True


def reconcile_jobs(ports: Ports, settings: Settings) -> list[str]:
    """Find and reconcile every stuck job.

    - Running with an expired lease: requeued, or failed if attempts are exhausted.
    - A clip whose chunks are all painted, but whose message was lost: sent.
    - Stored but never enqueued, because the process died in between: sent.
    - Sent to an endpoint that has been replaced: sent to the new one.
    - Waiting for an endpoint that no longer exists: failed.
    - Queued until it expired: failed.
    - Webhook overdue: the webhook worker is woken.

    Returns:
        The ids of those jobs.

    Raises:
        Exception: The first failure to reconcile a job, after all others have been processed.
    """
    now = ports.clock.now()
    failures: list[Exception] = []
    late = _not_painted(settings)

    def send(job: Job) -> bool:
        if job.backend == "queue":
            ports.dispatcher.send(job)
        return job.backend == "queue"

    def resend(job: Job) -> bool:
        trace = ports.dispatcher.trace(job)
        if trace == "unsent" and job.created_at <= now - _UNSENT_AFTER:
            ports.dispatcher.send(job)
            return True
        return trace == "no-backend" and fail(ports, settings, job.id, _NO_GPU)

    found = _reconcile_each(
        ports.jobs.with_expired_lease(now, limit=_BATCH), lambda job: resume(ports, settings, job), failures
    )
    overdue = ports.jobs.due("queued", now, limit=_BATCH)
    found += _reconcile_each(overdue, lambda job: fail(ports, settings, job.id, late), failures)
    # A queued job's expires_at is creation plus result_ttl, so this cutoff selects all queued jobs.
    queued = ports.jobs.due("queued", now + settings.result_ttl, limit=settings.queue_limit)
    found += _reconcile_each(queued, resend, failures)
    if ports.dispatcher.depth() == 0:
        since = now + settings.result_ttl - settings.requeue_after
        found += _reconcile_each(ports.jobs.due("queued", since, limit=_BATCH), send, failures)
    for job in ports.jobs.with_pending_webhook(now - _WEBHOOK_OVERDUE_AFTER, limit=_BATCH):
        wake(ports, job.id)
        found.append(job.id)
    if failures:
        raise failures[0]
    return found


def _not_painted(settings: Settings) -> Problem:
    hours = settings.result_ttl.total_seconds() / 3600
    return problem("not-painted", f"the job was not painted within {hours:g} hours")


def _reconcile_each(jobs: Iterable[Job], reconcile: Callable[[Job], bool], failures: list[Exception]) -> list[str]:
    """Return the ids of the jobs that were reconciled. A failure is recorded and does not block the others."""
    found = []
    for job in jobs:
        try:
            if reconcile(job):
                found.append(job.id)
        except Exception as error:
            log.exception("failed to reconcile %s; will retry", job.id)
            failures.append(error)
    return found
