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
    assert [entry.mask for entry in job.styles] == [None, mask, mask]
    service.delete_upload("ann", mask)
    for name in ("style-1-mask", "style-2-mask"):
        with service.ports.blobs.open(f"jobs/{job.id}/{name}") as file:
            assert file.read()
    assert [entry.mask for entry in service.get_stylization("ann", job.id).styles] == [None, mask, mask]


def test_style_mask_of_another_shape_names_its_field(
    service: Service, photo: str, mask: str, picture: Picture, refusal: Refusal
) -> None:
    narrow = store_upload(service, picture(20, 32))
    problem = refusal(service.create_stylization, "ann", _request(photo, mask, narrow))
    assert (problem.code, problem.field) == ("mask-mismatch", "styles[1].mask")
    assert problem.allowed == "a picture of 48 x 32 pixels"


def test_unknown_or_foreign_style_mask_is_not_found(
    service: Service, photo: str, picture: Picture, refusal: Refusal
) -> None:
    foreign = store_upload(service, picture(48, 32), "bob")
    for upload in (foreign, "upl_" + "a" * 26):
        problem = refusal(service.create_stylization, "ann", _request(photo, upload))
        assert (problem.code, problem.field) == ("not-found", "styles[0].mask")


def test_unreadable_style_mask_names_its_field(service: Service, photo: str, refusal: Refusal) -> None:
    upload = service.create_upload("ann", "image/png")
    service.ports.blobs.put(upload.fields["key"], b"no picture", "image/png")
    problem = refusal(service.create_stylization, "ann", _request(photo, None, upload.id))
    assert problem.field == "styles[1].mask"
    assert "the mask of a style" in problem.detail


def test_idempotency_key_covers_style_masks(service: Service, photo: str, mask: str, refusal: Refusal) -> None:
    first, created = service.create_stylization("ann", _request(photo, None, mask), "key")
    again, repeated = service.create_stylization("ann", _request(photo, None, mask), "key")
    assert (again.id, created, repeated) == (first.id, True, False)
    for other in (_request(photo, None, None), _request(photo, mask, None)):
        problem = refusal(service.create_stylization, "ann", other, "key")
        assert problem.code == "idempotency-mismatch"


def test_the_same_mask_sent_twice_is_the_same_request(service: Service, photo: str, picture: Picture) -> None:
    ids = []
    for _ in range(2):
        file = sent_file(picture(48, 32))
        styles = [{"style": "ink"}, {"style": "ink", "mask": file}]
        request = StylizationRequest.model_validate({"content": photo, "styles": styles})
        ids.append(service.create_stylization("ann", request, "key", files=[file])[0].id)
    assert ids[0] == ids[1]


def test_deleting_a_job_deletes_its_style_masks(service: Service, photo: str, mask: str) -> None:
    job, _ = service.create_stylization("ann", _request(photo, None, mask))
    service.delete_stylization("ann", job.id)
    with pytest.raises(FileNotFoundError):
        service.ports.blobs.open(f"jobs/{job.id}/style-1-mask")
