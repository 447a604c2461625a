"""JPEG photos above the pixel limit are accepted if the painting is small enough. On both sets of adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pictures import bomb, encoded
from PIL import Image
from uploads import store_upload

from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.usecases import Service

Refusal = Callable[..., Problem]


@pytest.fixture(scope="session")
def large_photo() -> bytes:
    """A JPEG of 108 megapixels, one color."""
    return encoded(Image.new("L", (12_000, 9_000), 90), "JPEG")


def request_for(service: Service, content: bytes, **fields: object) -> StylizationRequest:
    names = {"content": store_upload(service, content), "style": "ink"}
    return StylizationRequest.model_validate(names | fields)


def test_large_jpeg_is_accepted_up_to_its_reduced_size(service: Service, large_photo: bytes) -> None:
    job, is_new = service.create_stylization("ann", request_for(service, large_photo, size=6000))

    assert (job.status, is_new) == ("queued", True)


@pytest.mark.parametrize("size", [6001, "original"])
def test_larger_painting_of_it_is_refused(
    service: Service, large_photo: bytes, refusal: Refusal, size: int | str
) -> None:
    problem = refusal(service.create_stylization, "ann", request_for(service, large_photo, size=size))

    assert (problem.code, problem.field) == ("too-many-pixels", "content")
    assert problem.allowed == "size up to 6000, or a photo of at most 50 megapixels"
    assert problem.detail == (
        f"the photo is 12,000 x 9,000 = 108.0 megapixels, and size is {size}; allowed: {problem.allowed}"
    )


def test_other_format_names_what_a_jpeg_may_have(service: Service, refusal: Refusal) -> None:
    problem = refusal(service.create_stylization, "ann", request_for(service, bomb()))

    assert (problem.code, problem.allowed) == ("too-many-pixels", "at most 50 megapixels, or 400 as a JPEG")


def test_large_jpeg_is_no_style_and_no_mask(service: Service, large_photo: bytes, refusal: Refusal) -> None:
    large = store_upload(service, large_photo)
    for field in ("style", "mask"):
        problem = refusal(service.create_stylization, "ann", request_for(service, large_photo, **{field: large}))
        assert (problem.code, problem.field, problem.allowed) == ("too-many-pixels", field, "at most 50 megapixels")
