"""Jobs with several variants, with every set of adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from adapters import on_both
from clocks import SteppedClock

from stylizer_service.jobs.leases import Lease, LeaseLost, claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem, problem
from stylizer_service.usecases import Service

Order = Callable[..., StylizationRequest]


@pytest.fixture
def job_id(service: Service, order: Order) -> str:
    return service.create_stylization("ann", order(variants=3, seed=5))[0].id


def take(service: Service, job_id: str) -> Lease:
    lease = claim(service.ports, service.settings, job_id)
    assert lease is not None
    return lease


def add(lease: Lease, number: int) -> None:
    store = lease.succeed if number == lease.job.variants else lease.add_variant
    store(b"#%d" % number, preview=b"small", width=64, height=43, seed=4 + number, style_scale=number / 2)


def stored(service: Service, lease: Lease) -> list[int | None]:
    """Return the file sizes of each variant."""
    return [service.ports.blobs.size(result.key) for result in lease.job.results]


@on_both
def test_variants_are_listed_one_by_one_until_the_job_ends(service: Service, job_id: str) -> None:
    lease = take(service, job_id)
    add(lease, 1)
    add(lease, 2)
    running = service.get_stylization("ann", job_id)

    assert (running.status, running.variants, running.result, len(running.results)) == ("running", 3, None, 2)
    assert running.progress == pytest.approx(2 / 3)
    assert service.image_url("ann", job_id, 2)
    add(lease, 3)
    done = service.get_stylization("ann", job_id)
    assert (done.status, done.progress) == ("succeeded", 1.0)
    assert [(each.seed, each.style_scale) for each in done.results] == [(5, 0.5), (6, 1.0), (7, 1.5)]
    assert done.result is not None
    assert done.result.sha256 == done.results[0].sha256
    assert len({each.sha256 for each in done.results}) == 3
    assert [each.preview for each in done.results] == [
        f"/v1/stylizations/{job_id}/preview?variant={n}" for n in (1, 2, 3)
    ]


def test_variant_links_lead_to_different_files(service: Service, job_id: str, refusal: Callable[..., Problem]) -> None:
    lease = take(service, job_id)
    add(lease, 1)

    assert refusal(service.image_url, "ann", job_id).code == "conflict"
    assert refusal(service.image_url, "ann", job_id, 2).code == "conflict"
    assert refusal(service.preview_url, "ann", job_id, 2).code == "not-found"
    unknown = refusal(service.image_url, "ann", job_id, 4)
    assert (unknown.code, unknown.field, unknown.allowed) == ("not-found", "variant", "a whole number from 1 to 3")
    add(lease, 2)
    add(lease, 3)
    urls = {service.image_url("ann", job_id, number).split("?")[0] for number in (1, 2, 3)}
    previews = {service.preview_url("ann", job_id, number).split("?")[0] for number in (1, 2, 3)}
    assert (len(urls), len(previews)) == (3, 3)
    assert service.image_url("ann", job_id).split("?")[0] in urls


def test_finished_variants_survive_a_dead_painter(service: Service, job_id: str, clock: SteppedClock) -> None:
    first = take(service, job_id)
    add(first, 1)
    first.report(0.5, b"sketch")
    clock.advance(seconds=30)
    second = take(service, job_id)
    taken = service.get_stylization("ann", job_id)

    assert len(second.job.results) == 1
    assert taken.progress == pytest.approx(1 / 3)
    with pytest.raises(LeaseLost):
        add(first, 2)
    first.abandon()
    add(second, 2)
    clock.advance(seconds=30)
    third = take(service, job_id)
    add(third, 3)
    done = service.get_stylization("ann", job_id)
    assert (done.status, [each.seed for each in done.results]) == ("succeeded", [5, 6, 7])
    assert stored(service, third) == [2, 2]
    assert all(service.image_url("ann", job_id, number) for number in (1, 2, 3))


def test_released_job_keeps_its_finished_variants(service: Service, job_id: str) -> None:
    lease = take(service, job_id)
    add(lease, 1)
    lease.release()
    waiting = service.get_stylization("ann", job_id)

    assert (waiting.status, len(waiting.results)) == ("queued", 1)
    assert stored(service, take(service, job_id)) == [2]


def test_failed_or_canceled_job_has_no_results(service: Service, order: Order, job_id: str) -> None:
    failing = take(service, job_id)
    add(failing, 1)
    failing.fail(problem("internal", "broken"))
    other = service.create_stylization("ann", order(variants=2))[0].id
    canceled = take(service, other)
    add(canceled, 1)
    service.cancel_stylization("ann", other)
    canceled.abandon()

    for lease in (failing, canceled):
        ended = service.get_stylization("ann", lease.job.id)
        assert (ended.result, ended.results) == (None, [])
        assert stored(service, lease) == [None]


def test_erased_and_expired_variants_are_gone(service: Service, order: Order, job_id: str, clock: SteppedClock) -> None:
    other = service.create_stylization("ann", order(variants=2))[0].id
    leases = [take(service, each) for each in (job_id, other)]
    for lease in leases:
        for number in range(1, lease.job.variants + 1):
            add(lease, number)
    service.delete_stylization("ann", job_id)
    clock.advance(hours=25)
    service.sweep()

    for lease in leases:
        gone = service.get_stylization("ann", lease.job.id)
        assert (gone.status, gone.result, gone.results) == ("expired", None, [])
        assert set(stored(service, lease)) == {None}


def test_single_job_has_one_result(service: Service, order: Order, finish: Callable[[str], None]) -> None:
    job = service.create_stylization("ann", order(seed=3, style_scale=2.0))[0]
    finish(job.id)
    done = service.get_stylization("ann", job.id)

    assert done.variants == 1
    [only] = done.results
    assert (only.seed, only.style_scale) == (3, 2.0)
    assert done.result is not None
    assert only.model_dump(include=set(type(done.result).model_fields)) == done.result.model_dump()
