"""Masks of styles in requests, over every set of adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from uploads import sent_file, store_upload

from stylizer_service.models import StyleWeight, StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.usecases import Service

Picture = Callable[..., bytes]
Refusal = Callable[..., Problem]


@pytest.fixture
def photo(service: Service, picture: Picture) -> str:
    return store_upload(service, picture(48, 32))


@pytest.fixture
def mask(service: Service, picture: Picture) -> str:
    return store_upload(service, picture(48, 32))


def _request(photo: str, *masks: str | None) -> StylizationRequest:
    styles = [StyleWeight(style="ink", mask=mask) for mask in masks]
    return StylizationRequest(content=photo, styles=styles)


def test_job_owns_a_copy_of_each_style_mask(service: Service, photo: str, mask: str) -> None:
    job, _ = service.create_stylization("ann", _request(photo, None, mask, mask))
    service.delete_upload("ann", mask)
    for name in ("style-1-mask", "style-2-mask"):
        with service.ports.blobs.open(f"jobs/{job.id}/{name}") as file:
            assert file.read()
    assert [entry.mask for entry in service.get_stylization("ann", job.id).styles] == [None, mask, mask]


def test_unusable_style_mask_names_its_field(
    service: Service, photo: str, mask: str, picture: Picture, refusal: Refusal
) -> None:
    for upload, code in (
        (store_upload(service, picture(20, 32)), "mask-mismatch"),
        (store_upload(service, b"no picture"), "unsupported-image"),
        (store_upload(service, picture(48, 32), "bob"), "not-found"),
        ("upl_" + "a" * 26, "not-found"),
    ):
        problem = refusal(service.create_stylization, "ann", _request(photo, mask, upload))
        assert (problem.code, problem.field) == (code, "styles[1].mask")
        assert code != "mask-mismatch" or problem.allowed == "a picture of 48 x 32 pixels"


def test_the_same_mask_sent_twice_is_the_same_request(service: Service, photo: str, picture: Picture) -> None:
    ids = set()
    for _ in range(2):
        file = sent_file(picture(48, 32))
        styles = [{"style": "ink"}, {"style": "ink", "mask": file}]
        request = StylizationRequest.model_validate({"content": photo, "styles": styles})
        ids.add(service.create_stylization("ann", request, "key", files=[file])[0].id)
    assert len(ids) == 1
