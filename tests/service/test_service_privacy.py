"""Of what a person sent nothing is left when its time is over: not in a file, a copy, a draft, a record or a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from adapters import on_both
from clocks import SteppedClock
from uploads import sent_file, store_upload

from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.inputs import upload_key
from stylizer_service.jobs.leases import claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.settings import Settings
from stylizer_service.usecases import Service

pytestmark = on_both

MARK = b"S3CRET"
Picture = Callable[..., bytes]
Refusal = Callable[..., Problem]
Everything = Callable[[], dict[str, bytes]]


@pytest.fixture
def everything(request: pytest.FixtureRequest, service: Service, settings: Settings) -> Everything:
    """All bytes that a set of adapters keeps anywhere, by where."""
    if isinstance(service.settings, ApiSettings):
        clients: Clients = request.getfixturevalue("clients")
        return lambda: dict(_in_aws(clients, service.settings))  # type: ignore[arg-type]
    return lambda: {str(path): path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()}


def _in_aws(clients: Clients, settings: ApiSettings) -> Iterator[tuple[str, bytes]]:
    for bucket in (settings.results_bucket, settings.uploads_bucket):
        for entry in clients.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            yield entry["Key"], clients.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
    for item in clients.dynamodb.scan(TableName=settings.table)["Items"]:
        yield f"item {item['pk']}", repr(item).encode()


def with_mark(everything: Everything) -> list[str]:
    return [place for place, data in everything().items() if MARK in data]


@pytest.fixture
def photo(service: Service, picture: Picture) -> str:
    """An upload whose every copy can be told by its bytes."""
    return store_upload(service, picture() + MARK)


def test_no_byte_of_photo_or_painting_outlives_expiry(
    service: Service, photo: str, clock: SteppedClock, everything: Everything
) -> None:
    fields = StylizationRequest.model_validate({"content": photo, "style": photo, "mask": photo})
    job, _ = service.create_stylization("ann", fields)
    lease = claim(service.ports, service.settings, job.id)
    assert lease is not None
    lease.report(0.5, MARK + b" preview")
    lease.succeed(MARK + b" painting", preview=MARK + b" preview", width=64, height=43)
    kept = with_mark(everything)
    assert len({Path(place).name for place in kept}) == 6, kept  # upload, three inputs, painting, preview

    clock.advance(hours=25)
    service.sweep()

    assert with_mark(everything) == []


@pytest.mark.parametrize("how", ["canceled", "failed"])
def test_of_what_was_never_painted_no_byte_is_left_either(
    service: Service, photo: str, clock: SteppedClock, everything: Everything, how: str, refusal: Refusal
) -> None:
    job, _ = service.create_stylization("ann", StylizationRequest.model_validate({"content": photo, "style": "ink"}))
    lease = claim(service.ports, service.settings, job.id)
    assert lease is not None
    lease.report(0.5, MARK + b" preview")
    if how == "canceled":
        service.cancel_stylization("ann", job.id)
    else:
        lease.fail(refusal(service.get_stylization, "ann", "stz_none"))
    clock.advance(hours=25)
    service.sweep()
    assert with_mark(everything) == []


def test_an_upload_that_was_refused_leaves_nothing(service: Service, everything: Everything, refusal: Refusal) -> None:
    sent = sent_file(MARK * 100)
    request = StylizationRequest.model_validate({"content": sent, "style": "ink"})
    assert refusal(service.create_stylization, "ann", request, files=[sent]).status == 422
    assert with_mark(everything) == []
    upload = service.create_upload("ann", "image/png")
    service.ports.blobs.put(upload_key(upload.id), MARK * 100, "image/png")
    fields = StylizationRequest.model_validate({"content": upload.id, "style": "ink"})
    assert refusal(service.create_stylization, "ann", fields).status == 422
    (left,) = with_mark(everything)
    assert upload.id in left, "the upload itself stays until its time is over, its copies do not"


def test_logs_tell_of_ids_and_never_of_files_or_addresses(
    service: Service, photo: str, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "stylizer_service")
    fields = {"content": photo, "style": "ink", "webhook": "https://ann.example/S3CRET"}
    job, _ = service.create_stylization("ann", StylizationRequest.model_validate(fields))
    lease = claim(service.ports, service.settings, job.id)
    assert lease is not None
    lease.succeed(b"painting", preview=b"small", width=64, height=43)
    service.image_url("ann", job.id)
    clock.advance(hours=25)
    service.sweep()
    assert MARK.decode() not in caplog.text
    assert "signature" not in caplog.text.lower()
