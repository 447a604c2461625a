"""Pictures given by URL, as far as the request goes, over every set of adapters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from clocks import SteppedClock
from pictures import slope
from uploads import store_upload

from stylizer_service.models import ERASED_URL, StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.usecases import Service

Refusal = Callable[..., Problem]
PHOTO = "https://example.com/cat.jpg?token=secret"


@pytest.fixture
def fetching(service: Service) -> Service:
    service.settings = service.settings.model_copy(update={"url_inputs": True})
    return service


def ask(**fields: object) -> StylizationRequest:
    return StylizationRequest.model_validate({"content_url": PHOTO, "style": "ink"} | fields)


def test_url_is_shown_to_the_owner_and_replayed(fetching: Service) -> None:
    job, is_new = fetching.create_stylization("ann", ask(style=None, style_url="https://example.com/quilt.png"), "key")
    again, _ = fetching.create_stylization("ann", ask(style=None, style_url="https://example.com/quilt.png"), "key")

    assert is_new
    assert again == job
    assert (job.content, [entry.style for entry in job.styles]) == (PHOTO, ["https://example.com/quilt.png"])


def test_mask_of_a_photo_by_url_is_compared_by_its_painter(fetching: Service) -> None:
    job, _ = fetching.create_stylization("ann", ask(mask=store_upload(fetching, slope(60, 40))))
    assert job.status == "queued"


def test_service_without_url_inputs_refuses_by_name(service: Service, refusal: Refusal) -> None:
    refused = refusal(service.create_stylization, "ann", ask())
    assert (refused.code, refused.field) == ("invalid-request", "content_url")
    assert "does not fetch pictures" in refused.detail
    assert service.list_stylizations("ann").items == []


@pytest.mark.parametrize(
    "url", ["http://example.com/a?token=secret", "https://169.254.169.254/latest", "https://me:word@example.com/"]
)
def test_url_of_no_public_https_address_is_refused(fetching: Service, refusal: Refusal, url: str) -> None:
    ways: dict[str, dict[str, object]] = {
        "content_url": {"content_url": url},
        "style_url": {"style": None, "style_url": url},
        "styles[0].style": {"style": None, "styles": [{"style": url}]},
    }
    for field, fields in ways.items():
        refused = refusal(fetching.create_stylization, "ann", ask(**fields))
        assert (refused.code, refused.field) == ("invalid-request", field)
        assert "secret" not in refused.detail


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"content": "upl_" + "a" * 26}, "content"),
        ({"content_url": None}, "content"),
        ({"style_url": PHOTO}, "style"),
        ({"style_url": PHOTO, "style": None, "styles": [{"style": "ink"}]}, "style"),
    ],
)
def test_two_ways_to_give_one_input_are_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=f"'{field}'"):
        ask(**fields)


def test_url_is_erased_with_the_job(fetching: Service, clock: SteppedClock) -> None:
    deleted, canceled = (fetching.create_stylization("ann", ask())[0].id for _ in range(2))
    fetching.delete_stylization("ann", deleted)
    fetching.cancel_stylization("ann", canceled)
    clock.advance(seconds=timedelta(hours=25).total_seconds())
    fetching.sweep()

    for job_id in (deleted, canceled):
        gone = fetching.get_stylization("ann", job_id)
        assert (gone.status, gone.content, gone.styles[0].style) == ("expired", ERASED_URL, "ink")
