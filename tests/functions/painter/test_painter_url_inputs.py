"""Inputs given by URL, fetched from a real HTTPS server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from camera_exif import camera_exif
from cloud.receiver import Receiver, file_answer
from disk_clips import gif, video
from pictures import encoded, slope
from PIL import Image

from stylizer.images import decode
from stylizer_painter.painting import Outcome, paint_job
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.models import ERASED_URL, StylizationRequest
from stylizer_service.settings import Settings

Paint = Callable[..., Outcome]
SECRET = "X-Signature=secret"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with closing(open_local(Settings(data_dir=tmp_path / "data", url_inputs=True))) as local:
        yield local


@pytest.fixture
def ask(local: Local, site: Receiver) -> Callable[..., str]:
    """Return a function (**fields) that requests a small painting of the photo by URL and returns the id of the job."""

    def asked(**fields: object) -> str:
        request = {"content_url": f"{site.url}&{SECRET}", "style": "woodcut", "size": 64, "method": "color"} | fields
        return local.service.create_stylization("ann", StylizationRequest.model_validate(request))[0].id

    return asked


def test_photo_and_style_are_fetched_and_painted(
    local: Local, site: Receiver, ask: Callable[..., str], paint: Paint, photo: bytes
) -> None:
    site.answers = [file_answer(photo), file_answer(photo)]
    job_id = ask(style=None, style_url=site.url)
    assert paint(job_id, fetcher=site.fetcher()) == "succeeded"

    job = local.service.get_stylization("ann", job_id)
    assert job.result is not None
    assert (job.result.width, job.result.height) == (64, 43)
    assert (job.content, job.styles[0].style) == (f"{site.url}&{SECRET}", site.url)
    with local.blobs.open(f"jobs/{job_id}/content") as stored:
        assert stored.read() == photo


def test_metadata_of_a_fetched_photo_is_kept(
    local: Local, site: Receiver, ask: Callable[..., str], paint: Paint
) -> None:
    site.answers = [file_answer(slope(format="JPEG", exif=camera_exif()))]
    job_id = ask(keep_metadata="exif")
    assert paint(job_id, fetcher=site.fetcher()) == "succeeded"

    job = local.service.ports.jobs.get(job_id)
    assert job is not None
    assert job.result is not None
    with local.blobs.open(job.result.key) as file:
        metadata = decode(file.read(), keep_metadata="exif+gps").metadata
    assert metadata is not None
    assert set(metadata.tags) == {"image", "exif"}


@pytest.mark.parametrize("clip", [gif(3), video(3)], ids=["gif", "mp4"])
def test_clip_is_fetched_and_painted(
    local: Local, site: Receiver, ask: Callable[..., str], paint: Paint, clip: bytes
) -> None:
    site.answers = [file_answer(clip)]
    job_id = ask(animate=True)
    assert paint(job_id, fetcher=site.fetcher()) == "succeeded"

    result = local.service.get_stylization("ann", job_id).result
    assert result is not None
    assert (result.media_type, result.frames) == ("video/mp4", 3)


def test_video_by_url_needs_animate(local: Local, site: Receiver, ask: Callable[..., str], paint: Paint) -> None:
    site.answers = [file_answer(video(3))]
    job_id = ask()
    assert paint(job_id, fetcher=site.fetcher()) == "failed"

    error = local.service.get_stylization("ann", job_id).error
    assert error is not None
    assert (error.code, error.field, error.allowed) == ("invalid-option", "animate", "true for a video")


def test_blend_may_have_a_url(site: Receiver, ask: Callable[..., str], paint: Paint, photo: bytes) -> None:
    site.answers = [file_answer(photo), file_answer(photo)]
    job_id = ask(style=None, styles=[{"style": "woodcut"}, {"style": site.url, "weight": 2}])

    assert paint(job_id, fetcher=site.fetcher()) == "succeeded"
    assert len(site.heard) == 2


def test_original_size_is_checked_once_the_photo_is_fetched(
    local: Local, site: Receiver, ask: Callable[..., str], paint: Paint, photo: bytes
) -> None:
    site.answers = [file_answer(photo), file_answer(encoded(Image.new("RGB", (2100, 200)), "PNG"))]
    accepted, refused = (ask(size="original", method="texture") for _ in range(2))

    assert paint(accepted, fetcher=site.fetcher()) == "succeeded"
    assert paint(refused, fetcher=site.fetcher()) == "failed"

    result, error = (
        local.service.get_stylization("ann", accepted).result,
        local.service.get_stylization("ann", refused).error,
    )
    assert result is not None
    assert (result.width, result.height) == (96, 64)
    assert error is not None
    assert (error.code, error.field) == ("invalid-option", "size")
    assert error.detail == (
        "size is original, and the photo is 2100 x 200 pixels; it must be 64 to 2048 pixels with method texture"
    )


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (file_answer(b"<html>A page</html>"), "unsupported-image", "the photo is"),
        (file_answer(b""), "empty-image", "it has 0 bytes"),
        (file_answer(b"no", 404), "unfetchable-url", "status 404"),
        (file_answer(b"", 302, {"Location": "https://10.0.0.1/"}), "unfetchable-url", "not a public one"),
        (file_answer(b"x" * 100_001), "image-too-large", "at most 100,000 bytes"),
    ],
)
def test_unusable_file_fails_the_job_and_names_the_field(
    local: Local,
    site: Receiver,
    ask: Callable[..., str],
    paint: Paint,
    answer: Callable[..., object],
    code: str,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    site.answers = [answer]
    job_id = ask()

    assert paint(job_id, fetcher=site.fetcher(max_bytes=100_000)) == "failed"
    job = local.service.get_stylization("ann", job_id)
    assert job.error is not None
    assert (job.status, job.error.code, job.error.field) == ("failed", code, "content_url")
    assert words in job.error.detail
    assert SECRET not in job.error.detail
    assert SECRET not in caplog.text


def test_too_many_output_pixels_are_found_after_the_fetch(
    local: Local, site: Receiver, ask: Callable[..., str], photo: bytes
) -> None:
    site.answers = [file_answer(photo)]
    job_id = ask(size=512)
    settings = local.service.settings.model_copy(update={"max_pixels": 10_000})

    assert paint_job(local.service.ports, settings, job_id, fetcher=site.fetcher()) == "failed"
    error = local.service.get_stylization("ann", job_id).error
    assert error is not None
    assert (error.code, error.field) == ("invalid-option", "size")


def test_second_painter_uses_what_the_first_fetched(
    site: Receiver, ask: Callable[..., str], paint: Paint, photo: bytes
) -> None:
    site.answers = [file_answer(photo)]
    job_id = ask()

    assert paint(job_id, fetcher=site.fetcher(), should_stop=lambda: True) == "released"
    assert paint(job_id, fetcher=site.fetcher()) == "succeeded"
    assert len(site.heard) == 1


def test_deleted_and_expired_jobs_have_no_url_left(
    local: Local, site: Receiver, ask: Callable[..., str], paint: Paint, photo: bytes
) -> None:
    site.answers = [file_answer(photo)] * 2
    deleted, kept = ask(style=None, style_url=site.url), ask()
    local.service.delete_stylization("ann", deleted)
    assert paint(kept, fetcher=site.fetcher()) == "succeeded"

    gone = local.service.get_stylization("ann", deleted)
    assert (gone.content, gone.styles[0].style) == (ERASED_URL, ERASED_URL)
    row = local.database.all("SELECT content, styles FROM jobs WHERE id = ?", [deleted])[0]
    assert (row["content"], SECRET in row["styles"]) == (ERASED_URL, False)
