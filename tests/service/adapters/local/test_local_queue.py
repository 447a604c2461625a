"""The queue of one machine is the table of jobs itself, and so counts exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stylizer_service.jobs.leases import claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.usecases import Service

pytestmark = pytest.mark.parametrize("service", ["local"], indirect=True)

Order = Callable[..., StylizationRequest]
Refusal = Callable[..., Problem]


def test_a_canceled_job_makes_room_for_another_at_once(service: Service, order: Order, refusal: Refusal) -> None:
    first, *_ = [service.create_stylization("ann", order())[0] for _ in range(service.settings.queue_limit)]

    assert refusal(service.create_stylization, "ann", order()).code == "queue-full"
    service.cancel_stylization("ann", first.id)

    assert service.create_stylization("ann", order())[1]


def test_a_job_that_is_handed_back_several_times_waits_once(service: Service, order: Order) -> None:
    job, _ = service.create_stylization("ann", order())
    for _ in range(3):
        lease = claim(service.ports, service.settings, job.id)
        assert lease is not None
        assert service.queue_depth() == 0
        lease.release()

    assert service.queue_depth() == 1
