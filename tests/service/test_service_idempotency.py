"""One job for one idempotency key, over every set of adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from clocks import SteppedClock
from uploads import sent_file, store_upload

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


def test_the_same_request_under_the_same_key_is_one_job(service: Service, order: Order) -> None:
    request = order()
    # A default spelled out is the default, and one style is a blend of one.
    again = order(style=None, styles=[{"style": "ink", "weight": 1}], size=1024)

    job, created = service.create_stylization("ann", request, "key-1")
    replayed, created_again = service.create_stylization("ann", again, "key-1")

    assert (created, created_again) == (True, False)
    assert replayed == job
    assert [item.id for item in service.list_stylizations("ann").items] == [job.id]


def test_naming_the_default_method_replays_the_job(service: Service, order: Order) -> None:
    job, _ = service.create_stylization("ann", order(), "key-1")

    assert job.method == "neighbor"
    assert service.create_stylization("ann", order(method="neighbor"), "key-1") == (job, False)


@pytest.mark.parametrize(
    "other",
    [
        {"size": 512},
        {"method": "feedforward"},
        {"style": "oil"},
        {"seed": 1},
        {"method": "optimization"},
        {"webhook": "https://example.com/painted"},
    ],
)
def test_another_request_under_the_same_key_is_refused(
    service: Service, order: Order, refusal: Refusal, other: dict[str, object]
) -> None:
    service.create_stylization("ann", order(), "key")

    problem = refusal(service.create_stylization, "ann", order(**other), "key")

    assert (problem.code, problem.status, problem.field) == ("idempotency-mismatch", 422, "Idempotency-Key")


def test_another_photo_under_the_same_key_is_refused(
    service: Service, order: Order, picture: Picture, refusal: Refusal
) -> None:
    service.create_stylization("ann", order(), "key")
    photo = store_upload(service, picture(33, 33))

    problem = refusal(service.create_stylization, "ann", order(content=photo), "key")

    assert problem.code == "idempotency-mismatch"


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
    job, _ = service.create_stylization("ann", order(), "key")
    for _ in range(service.settings.queue_limit - 1):
        service.create_stylization("ann", order())

    assert service.create_stylization("ann", order(), "key") == (job, False)


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256, "line\n"])
def test_a_key_is_1_to_255_visible_characters(service: Service, order: Order, refusal: Refusal, key: str) -> None:
    problem = refusal(service.create_stylization, "ann", order(), key)

    assert (problem.field, problem.allowed) == ("Idempotency-Key", "1 to 255 visible ASCII characters")
    assert service.create_stylization("ann", order(), "!" * 255)[1]
