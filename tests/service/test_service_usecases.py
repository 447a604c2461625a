"""What a caller can do, over every set of adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from adapters import on_both
from clocks import SteppedClock
from PIL import Image
from uploads import sent_file, store_upload

from stylizer_service.jobs.leases import claim
from stylizer_service.models import StylizationRequest, new_id
from stylizer_service.ports import Unavailable
from stylizer_service.problems import Problem
from stylizer_service.usecases import Service

Picture = Callable[..., bytes]
Order = Callable[..., StylizationRequest]
Refusal = Callable[..., Problem]
Finish = Callable[[str], None]
PhotoOf = Callable[[str], str]


# Uploads


@on_both
def test_an_announced_upload_can_be_used_once_its_file_is_there(
    service: Service, picture: Picture, refusal: Refusal
) -> None:
    upload = service.create_upload("ann", "image/png")
    request = StylizationRequest(content=upload.id, style="ink")

    early = refusal(service.create_stylization, "ann", request)
    service.ports.blobs.put(upload.fields["key"], picture(), "image/png")
    job, created = service.create_stylization("ann", request)

    assert (early.code, early.status, early.field) == ("upload-incomplete", 409, "content")
    assert (job.content, created) == (upload.id, True)
    assert upload.method == "POST"
    assert upload.max_bytes == service.settings.max_bytes
    assert upload.expires_at == service.ports.clock.now() + service.settings.url_ttl


def test_an_upload_can_be_used_until_it_expires(
    service: Service, order: Order, clock: SteppedClock, refusal: Refusal
) -> None:
    request = order()
    clock.advance(hours=23, minutes=59)
    service.create_stylization("ann", request)
    clock.advance(minutes=1)

    problem = refusal(service.create_stylization, "ann", request)

    assert (problem.code, problem.status, problem.field) == ("expired", 410, "content")


def test_bad_picture_is_refused_before_acceptance_without_traces(
    service: Service, order: Order, picture: Picture, refusal: Refusal
) -> None:
    upload = service.create_upload("ann", "image/png")
    service.ports.blobs.put(upload.fields["key"], picture()[:-60], "image/png")

    problem = refusal(service.create_stylization, "ann", order(style=upload.id))

    assert (problem.code, problem.field) == ("corrupt-image", "style")
    assert service.list_stylizations("ann").items == []
    text = sent_file(b"text")
    assert refusal(service.create_stylization, "ann", order(mask=text), files=[text]).field == "mask"


# Stylizations


def test_original_size_is_checked_once_the_photo_is_known(service: Service, picture: Picture, refusal: Refusal) -> None:
    large, small = (store_upload(service, picture(*shape)) for shape in ((2100, 200), (96, 64)))
    request = StylizationRequest(content=large, style="ink", method="texture", size="original")

    problem = refusal(service.create_stylization, "ann", request)

    assert (problem.code, problem.field) == ("invalid-option", "size")
    assert problem.detail == (
        "size is original, and the photo is 2100 x 200 pixels; it must be 64 to 2048 pixels with method texture"
    )
    accepted, _ = service.create_stylization("ann", request.model_copy(update={"content": small}))
    assert accepted.options.size == "original"


def test_original_size_is_routed_by_the_photos_size(service: Service, picture: Picture, refusal: Refusal) -> None:
    service.settings = service.settings.model_copy(update={"painter_seconds": 60})
    small, large = (store_upload(service, picture(*shape)) for shape in ((96, 64), (2000, 1500)))
    request = StylizationRequest(content=small, style="ink", method="optimization", size="original")

    service.create_stylization("ann", request)
    problem = refusal(service.create_stylization, "ann", request.model_copy(update={"content": large}))

    assert (problem.code, problem.field) == ("invalid-option", "size")
    limit = "the painters here have time and memory for 64 to "
    assert problem.detail.startswith(f"size is original, and the photo is 2000 x 1500 pixels; {limit}")


def test_original_size_of_a_url_is_routed_by_the_largest_size(service: Service, refusal: Refusal) -> None:
    service.settings = service.settings.model_copy(update={"painter_seconds": 300, "url_inputs": True})
    url = "https://pictures.example/cat.jpg"
    request = StylizationRequest(content_url=url, style="ink", method="optimization", size="original")

    problem = refusal(service.create_stylization, "ann", request)
    accepted, _ = service.create_stylization("ann", request.model_copy(update={"method": "color"}))

    assert (problem.code, problem.field) == ("invalid-option", "size")
    assert problem.detail.startswith(
        "size is original, which is up to 2048 pixels for a photo that is yet to be read; the painters here have time"
    )
    assert accepted.options.size == "original"


def test_variants_too_slow_at_original_size_name_the_photo(
    service: Service, picture: Picture, refusal: Refusal
) -> None:
    service.settings = service.settings.model_copy(update={"painter_seconds": 60})
    request = StylizationRequest(
        content=store_upload(service, picture(300, 200)),
        style="ink",
        method="optimization",
        size="original",
        variants=4,
    )

    problem = refusal(service.create_stylization, "ann", request)

    assert (problem.code, problem.field) == ("invalid-option", "variants")
    asked = "variants is 4 and size is original, and the photo is 300 x 200 pixels"
    assert problem.detail.startswith(f"{asked}; the painters here have time for 1 to 1 at size 300")


def test_a_mask_must_have_the_shape_of_the_upright_photo(service: Service, picture: Picture, refusal: Refusal) -> None:
    sideways = Image.Exif()
    sideways[0x0112] = 6
    photo = store_upload(service, picture(48, 32, "JPEG", exif=sideways))
    upright = store_upload(service, picture(32, 48))
    other = store_upload(service, picture(48, 32))

    service.create_stylization("ann", StylizationRequest(content=photo, style="ink", mask=upright))
    request = StylizationRequest(content=photo, style="ink", method="texture", mask=upright, content_mask=other)
    problem = refusal(service.create_stylization, "ann", request)

    assert (problem.code, problem.field) == ("mask-mismatch", "content_mask")
    assert problem.allowed == "a picture of 32 x 48 pixels"


def test_painting_over_the_pixel_limit_is_refused_on_creation(
    service: Service, picture: Picture, refusal: Refusal
) -> None:
    photo = store_upload(service, picture(40, 40))
    request = StylizationRequest(content=photo, style="ink", size=8192)

    problem = refusal(service.create_stylization, "ann", request)
    assert (problem.status, problem.field) == (422, "size")
    assert problem.allowed == "at most 7071 for a photo of this shape"
    assert service.list_stylizations("ann").items == []


def test_jobs_are_refused_while_too_many_wait(
    service: Service, order: Order, refusal: Refusal, photo_of: PhotoOf
) -> None:
    service.settings = service.settings.model_copy(update={"queue_limit": 2})
    service.create_stylization("ann", order())
    service.create_stylization("ben", StylizationRequest(content=photo_of("ben"), style="ink"))

    problem = refusal(service.create_stylization, "ann", order())

    assert (problem.code, problem.status) == ("queue-full", 429)
    assert problem.allowed == "at most 2 queued"
    waiting = service.list_stylizations("ann").items[0]
    service.cancel_stylization("ann", waiting.id)
    assert service.create_stylization("ann", order())[1], "the canceled one made room"


def test_request_error_is_reported_even_if_cleanup_fails(
    service: Service, order: Order, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("the disk cannot be used now")

    monkeypatch.setattr(type(service.ports.blobs), "delete_folder", refuse)
    photo = order().content

    assert refusal(service.create_stylization, "ann", order(style="crayon")).code == "unknown-style"
    assert refusal(service.create_style, "ann", new_id("upl"), "Mine").code == "not-found"
    assert refusal(service.create_stylization, "ben", order(content=photo)).code == "not-found"


@on_both
def test_a_finished_painting_has_a_result_and_a_link(
    service: Service, order: Order, clock: SteppedClock, refusal: Refusal
) -> None:
    job, _ = service.create_stylization("ann", order(format="webp"))
    before = refusal(service.image_url, "ann", job.id)
    no_preview = refusal(service.preview_url, "ann", job.id)
    clock.advance(seconds=2)
    lease = claim(service.ports, service.settings, job.id)
    assert lease is not None
    clock.advance(seconds=3)
    lease.succeed(b"painting", preview=b"small", width=64, height=43)
    done = service.get_stylization("ann", job.id)

    assert (before.code, before.status) == ("conflict", 409)
    assert (no_preview.code, no_preview.status) == ("not-found", 404)
    assert (done.status, done.progress) == ("succeeded", 1.0)
    assert done.result is not None
    assert (done.result.width, done.result.height, done.result.bytes) == (64, 43, 8)
    assert done.result.media_type == "image/webp"
    assert done.result.seconds.model_dump() == {"queued": 2.0, "painting": 3.0}
    assert done.expires_at == service.ports.clock.now() + service.settings.result_ttl
    assert f"{job.id}.webp" in service.image_url("ann", job.id)
    assert service.preview_url("ann", job.id)
    assert done.preview == f"/v1/stylizations/{job.id}/preview"


def test_a_page_has_1_to_100_entries_and_starts_at_a_cursor(service: Service, refusal: Refusal) -> None:
    for call in (service.list_stylizations, service.list_styles):
        for limit in (0, 101):
            problem = refusal(call, "ann", limit=limit)
            assert (problem.field, problem.allowed) == ("limit", "a whole number from 1 to 100")
        problem = refusal(call, "ann", cursor="nonsense")
        assert (problem.code, problem.field) == ("invalid-request", "cursor")
