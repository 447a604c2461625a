"""One job for one idempotency key, over every set of adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from adapters import on_both
from clocks import SteppedClock
from uploads import sent_file, store_upload

from stylizer_service.idempotency import fingerprint
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.resources import Stylization
from stylizer_service.usecases import Service

Picture = Callable[..., bytes]
Order = Callable[..., StylizationRequest]
Refusal = Callable[..., Problem]
PhotoOf = Callable[[str], str]


@pytest.fixture
def order(order: Order) -> Order:
    """Make a request for the same photo each time."""
    photo = order().content
    return lambda **fields: order(**{"content": photo} | fields)


@on_both
def test_the_same_request_under_the_same_key_is_one_job(service: Service, order: Order) -> None:
    request = order()
    # A default spelled out is the default, and one style is a blend of one.
    again = order(style=None, styles=[{"style": "ink", "weight": 1}], size=1024, method="neighbor")

    job, created = service.create_stylization("ann", request, "key-1")
    replayed, created_again = service.create_stylization("ann", again, "key-1")

    assert (created, created_again) == (True, False)
    assert replayed == job
    assert [item.id for item in service.list_stylizations("ann").items] == [job.id]


def test_another_request_under_the_same_key_is_refused(
    service: Service, order: Order, picture: Picture, refusal: Refusal
) -> None:
    service.settings = service.settings.model_copy(update={"url_inputs": True})
    service.create_stylization("ann", order(), "key")
    mask = store_upload(service, picture())
    others: tuple[dict[str, object], ...] = (
        {"size": 512},
        {"method": "optimization"},
        {"style": "oil"},
        {"style": None, "styles": [{"style": "ink", "mask": mask}]},
        {"seed": 1},
        {"variants": 2},
        {"webhook": "https://example.com/painted"},
        {"content": store_upload(service, picture(33, 33))},
        {"content": None, "content_url": "https://example.com/cat.jpg"},
    )
    for other in others:
        problem = refusal(service.create_stylization, "ann", order(**other), "key")
        assert (problem.code, problem.status, problem.field) == ("idempotency-mismatch", 422, "Idempotency-Key"), other


def test_fingerprint_stays_that_of_before_keep_metadata() -> None:
    request = {"content": "upl_" + "a" * 26, "style": "woodcut", "size": 768}
    keys = [
        fingerprint(StylizationRequest.model_validate(request | {"keep_metadata": keep}))
        for keep in ("none", "exif", "exif+gps")
    ]
    assert keys[0] == "1cf2a2dfdabcbe55c7727daf015895697c67468b121123129c9864a41f4af083"
    assert len(set(keys)) == 3


def test_sent_files_are_compared_by_content(service: Service, picture: Picture, refusal: Refusal) -> None:
    def send(photo: bytes) -> tuple[Stylization, bool]:
        file = sent_file(photo)
        request = StylizationRequest.model_validate({"content": file, "style": "ink"})
        return service.create_stylization("ann", request, "key", files=[file])

    job, created = send(picture())
    replayed, created_again = send(picture())

    assert (created, created_again, replayed) == (True, False, job)
    assert job.content == sent_file(picture()).name
    assert refusal(send, picture(33, 33)).code == "idempotency-mismatch"


def test_a_key_is_its_owners_and_free_again_after_a_day(
    service: Service, order: Order, clock: SteppedClock, photo_of: PhotoOf
) -> None:
    first, _ = service.create_stylization("ann", order(), "key")
    _, created = service.create_stylization("ben", StylizationRequest(content=photo_of("ben"), style="ink"), "key")
    clock.advance(hours=24)
    second, created_again = service.create_stylization("ann", order(content=photo_of("ann")), "key")

    assert created
    assert created_again
    assert first.id != second.id


def test_a_key_answers_even_when_the_queue_is_full(service: Service, order: Order) -> None:
    service.settings = service.settings.model_copy(update={"queue_limit": 1})
    job, _ = service.create_stylization("ann", order(), "key")

    assert service.create_stylization("ann", order(), "key") == (job, False)


def test_a_key_is_1_to_255_visible_characters(service: Service, order: Order, refusal: Refusal) -> None:
    for key in ("", "a b", "ü", "x" * 256, "line\n"):
        problem = refusal(service.create_stylization, "ann", order(), key)
        assert (problem.field, problem.allowed) == ("Idempotency-Key", "1 to 255 visible ASCII characters")
    assert service.create_stylization("ann", order(), "!" * 255)[1]
