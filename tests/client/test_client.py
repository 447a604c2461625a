"""Client and AsyncClient against the real API over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloud.fault_proxy import Answer, Carry, break_off, fault_proxy, lose, refuse
from disk_clips import read_frames, video
from PIL import Image, ImageChops
from waiting import PATIENCE

from stylizer_client import (
    AsyncClient,
    Client,
    ClientError,
    Conflict,
    Expired,
    Invalid,
    InvalidResponse,
    NotFound,
    Options,
    PaintingCanceled,
    PaintingFailed,
    ServiceUnavailable,
    Stylization,
    TimedOut,
    Unreachable,
)
from stylizer_service.adapters.local import Local
from stylizer_service.jobs.leases import claim
from stylizer_service.problems import problem

SMALL: Options = {"size": 64, "quality": "draft"}
Painting = Callable[[], AbstractContextManager[None]]


def test_client_paints_and_downloads_a_photo(client: Client, painting: Painting, folder: Path) -> None:
    seen: list[Stylization] = []
    with painting():
        job = client.stylize(folder / "cat.jpg", "woodcut", size=64, quality="draft", format="png")
        done = client.wait(job, on_progress=seen.append, timeout=PATIENCE)
    path = client.download(done, folder / "painted.png")

    assert (job.status, done.status, done.progress, seen[-1]) == ("queued", "succeeded", 1.0, done)
    assert done.result is not None
    assert hashlib.sha256(path.read_bytes()).hexdigest() == done.result.sha256
    with Image.open(path) as painted, Image.open(folder / "cat.jpg") as photo:
        assert (painted.format, painted.size) == ("PNG", (done.result.width, done.result.height))
        assert ImageChops.difference(painted.convert("RGB"), photo.resize((64, 48))).getbbox() is not None
    assert sorted(entry.name for entry in folder.iterdir()) == ["cat.jpg", "left.png", "painted.png", "text.jpg"]


def test_async_client_paints_several_jobs_concurrently(address: str, painting: Painting, folder: Path) -> None:
    async def paint(client: AsyncClient, seed: int) -> Path:
        job = await client.stylize(folder / "cat.jpg", "mosaic", size=64, method="color", seed=seed)
        await client.wait(job)
        return await client.download(job.id, folder / f"{seed}.jpg")

    async def paint_both() -> list[Path]:
        async with AsyncClient(address) as client:
            paths = await asyncio.gather(*(paint(client, seed) for seed in range(2)))
            done, _ = await client.jobs()
            assert (await client.job(done.id)).status == "succeeded"
            own = await client.add_style("Half", folder / "left.png")
            await client.delete(own)
            assert own.id not in [style.id for style in await client.styles()]
            return paths

    with painting():
        paths = asyncio.run(paint_both())
    for path in paths:
        with Image.open(path) as painted:
            assert painted.size == (64, 48)


def test_clip_is_uploaded_by_its_kind_and_painted(client: Client, painting: Painting, folder: Path) -> None:
    (folder / "ball.webm").write_bytes(video(3, kind="webm"))
    assert client.upload(folder / "ball.webm").media_type == "video/webm"
    seen: list[Stylization] = []
    with painting():
        job = client.stylize(folder / "ball.webm", "woodcut", format="gif", method="color", size=64)
        done = client.wait(job, on_progress=seen.append, timeout=PATIENCE)
    path = client.download(done, folder / "painted.gif")

    assert done.result is not None
    assert (done.frames, done.result.frames, done.result.media_type) == (3, 3, "image/gif")
    assert done.result.duration == pytest.approx(0.25, abs=0.01)
    assert len(read_frames(path.read_bytes())) == 3


def test_stylize_uploads_own_styles_masks_and_blends(client: Client, folder: Path) -> None:
    own = client.add_style("Mine", folder / "cat.jpg")
    photo = client.upload(folder / "cat.jpg")
    blend: list[Any] = [("woodcut", 3.0), (folder / "cat.jpg", 1.0, folder / "left.png"), (own, 2.0, None)]
    job = client.stylize(photo, blend, mask=folder / "left.png", strength=0.5, seed=7)

    assert [entry.weight for entry in job.styles] == [3.0, 1.0, 2.0]
    assert (job.styles[0].style, job.styles[2].style) == ("woodcut", own.id)
    assert (job.content, job.options["strength"], job.options["seed"]) == (photo.id, 0.5, 7)
    assert job.mask is not None
    assert [entry.mask is None for entry in job.styles] == [True, False, True]
    styles = client.styles()
    assert styles[-1] == client.style(own.id) == own
    assert [style.own for style in styles] == [False] * (len(styles) - 1) + [True]


def test_delete_removes_jobs_styles_and_uploads(client: Client, folder: Path) -> None:
    photo = client.upload(folder / "cat.jpg")
    own = client.add_style("Mine", photo)
    job = client.stylize(photo, own, **SMALL)
    for _ in range(2):
        client.delete(job)
    assert client.job(job.id).status == "expired"
    with pytest.raises(Expired, match=f"{job.id} has expired"):
        client.wait(job)
    for thing in (photo, own.id):
        client.delete(thing)
        with pytest.raises(NotFound):
            client.delete(thing)
    with pytest.raises(Conflict, match="woodcut is a built-in style"):
        client.delete("woodcut")


def test_jobs_are_listed_filtered_and_canceled(client: Client, folder: Path) -> None:
    first = client.stylize(folder / "cat.jpg", "woodcut", **SMALL)
    second = client.stylize(folder / "cat.jpg", "mosaic", **SMALL)
    assert [job.id for job in client.jobs()] == [second.id, first.id]
    assert [job.id for job in client.jobs(limit=1)] == [second.id]

    assert client.cancel(first).status == client.cancel(first.id).status == "canceled"
    assert [job.id for job in client.jobs(status="canceled")] == [first.id]
    assert client.job(first.id).has_ended
    with pytest.raises(PaintingCanceled):
        client.wait(first)
    with pytest.raises(Conflict, match="there is no image"):
        client.download(second, folder / "none.jpg")
    with pytest.raises(TimedOut, match="it goes on"):
        client.wait(second, timeout=0)
    assert not (folder / "none.jpg").exists()


def test_error_response_raises_problem_with_all_members(client: Client, folder: Path) -> None:
    with pytest.raises(Invalid) as caught:
        client.stylize(folder / "text.jpg", "woodcut")
    error = caught.value
    assert (error.code, error.status, error.field) == ("unsupported-image", 422, "content")
    assert str(error) == error.detail == "the photo is text; accepted: jpeg, png, webp, avif, tiff, gif, heic"
    assert "image/png" in (error.allowed or ())
    assert error.request_id
    assert error.title
    with pytest.raises(NotFound):
        client.job("stz_" + "a" * 26)
    with pytest.raises(Invalid, match="allowed: at most 200,000"):
        client.upload(b"x" * 200_001)


def test_wait_for_failed_job_raises_its_error(client: Client, local: Local, folder: Path) -> None:
    job = client.stylize(folder / "cat.jpg", "woodcut", **SMALL)
    lease = claim(local.service.ports, local.service.settings, job.id)
    assert lease is not None
    lease.fail(problem("missing-weights", "the weights are not here", field="features"))
    with pytest.raises(PaintingFailed) as caught:
        client.wait(job)
    assert (caught.value.code, caught.value.detail, caught.value.field) == (
        "missing-weights",
        "the weights are not here",
        "features",
    )


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    ("request_", "wrong"),
    [
        ("POST /v1/uploads", break_off),
        ("POST /v1/uploads", refuse(500, b"oh")),
        ("POST /v1/stylizations", lose),
        ("POST /v1/stylizations", refuse(503, b"{}")),
        ("GET /v1/stylizations/", lose),
    ],
    ids=["upload breaks off", "upload fails", "answer is lost", "busy", "poll is lost"],
)
def test_network_fault_is_retried_without_a_second_job(
    address: str, folder: Path, client: Client, request_: str, wrong: Callable[[Carry], Answer | None]
) -> None:
    with fault_proxy(address) as line, Client(line.address) as shaky:
        line.go_wrong(request_, wrong, times=2)
        job = shaky.job(shaky.stylize(folder / "cat.jpg", "woodcut", **SMALL).id)
        assert line.count(request_) >= 3
        keys = {seen.headers["idempotency-key"] for seen in line.seen if seen.name == "POST /v1/stylizations"}
    assert len(keys) == 1
    assert [found.id for found in client.jobs()] == [job.id]


@pytest.mark.usefixtures("no_pauses")
def test_interrupted_download_restarts_and_leaves_no_part_file(
    address: str, local: Local, folder: Path, photo: bytes
) -> None:
    with fault_proxy(address) as line, Client(line.address, retries=2) as shaky:
        job = shaky.stylize(folder / "cat.jpg", "woodcut", **SMALL)
        lease = claim(local.service.ports, local.service.settings, job.id)
        assert lease is not None
        lease.succeed(photo, preview=photo, width=96, height=72)
        line.go_wrong("GET /v1/files/", break_off, times=2)
        assert shaky.download(job.id, folder / "out.jpg").read_bytes() == photo

        line.go_wrong("GET /v1/files/", break_off, times=3)
        with pytest.raises(Unreachable):
            shaky.download(job.id, folder / "other.jpg")
        for known in (job, job.id):  # a job without its result, and only an id
            line.go_wrong("GET /v1/files/", refuse(200, b"another file"))
            with pytest.raises(InvalidResponse, match="differs from the painting"):
                shaky.download(known, folder / "other.jpg")
    assert sorted(entry.name for entry in folder.iterdir()) == ["cat.jpg", "left.png", "out.jpg", "text.jpg"]


def test_retry_after_is_respected_with_jitter_up_to_two_minutes(address: str, no_pauses: list[float]) -> None:
    with fault_proxy(address) as line, Client(line.address, retries=2) as shaky:
        line.go_wrong("GET", lambda _: (429, [("Retry-After", "7")], b"{}"), times=2)
        shaky.styles()
        assert [int(pause) for pause in no_pauses] == [7, 7]
        assert len(set(no_pauses)) == 2, "jitter"

        line.go_wrong("GET", lambda _: (429, [("Retry-After", "7")], b'{"detail": "too many"}'), times=3)
        with pytest.raises(ServiceUnavailable, match="too many"):
            shaky.styles()
        line.go_wrong("GET", lambda _: (503, [("Retry-After", "86400")], b"{}"))
        with pytest.raises(ServiceUnavailable):
            shaky.styles()
        assert len(no_pauses) == 4, "no wait of a day"


@pytest.mark.usefixtures("no_pauses")
def test_add_style_is_not_retried_after_a_lost_response(address: str, client: Client, folder: Path) -> None:
    with fault_proxy(address) as line, Client(line.address) as shaky:
        line.go_wrong("POST /v1/styles", lose)
        with pytest.raises(Unreachable) as caught:
            shaky.add_style("Mine", folder / "cat.jpg")
        assert caught.value.was_sent
        for status in (503, 507):
            line.go_wrong("POST /v1/styles", refuse(status, b"{}"))
            shaky.add_style(f"Mine after {status}", folder / "cat.jpg")
    assert [style.title for style in client.styles() if style.own] == ["Mine after 507", "Mine after 503", "Mine"]


def test_refused_connection_raises_unreachable_after_retries(no_pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}") as client, pytest.raises(Unreachable) as caught:
        client.styles()
    assert caught.value.detail == f"http://127.0.0.1:{port} cannot be reached: Connection refused"
    assert len(no_pauses) == 5


def test_read_timeout_raises_unreachable_with_was_sent() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("")

    transport = httpx.MockTransport(answer)
    client = Client("https://art.example.com/prod", retries=0, transport=transport)
    with client, pytest.raises(Unreachable) as caught:
        client.styles()
    assert caught.value.detail == "https://art.example.com does not respond: timeout"
    assert caught.value.was_sent


@pytest.mark.parametrize(
    "wrong", ["localhost:8000", "http://", "http://localhost:80a", "http://localhost:99999", "http://1.2.3.999"]
)
def test_invalid_base_url_raises_value_error(wrong: str) -> None:
    with pytest.raises(ValueError, match=f"base_url is '{wrong}'"):
        Client(wrong)


@pytest.mark.parametrize("key", ["schlüssel", "two words", "of a file\n"])
def test_invalid_key_raises_value_error_without_the_key(key: str) -> None:
    with pytest.raises(ValueError, match="key has other characters than printable ASCII") as caught:
        Client("https://art.example.com", key=key)
    assert key not in str(caught.value)


def test_wait_polls_once_more_at_its_timeout() -> None:
    facts = {"id": "stz_a", "method": "texture", "options": {}, "content": "upl_a", "styles": [], "progress": 0.5}
    times = dict.fromkeys(("created_at", "expires_at"), "2030-01-01T00:00:00Z")
    states = iter(("running", "succeeded"))

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Retry-After": "30"}, json={**facts, **times, "status": next(states)})

    with Client("https://art.example.com", transport=httpx.MockTransport(answer)) as client:
        assert client.wait("stz_a", timeout=1).status == "succeeded"


def test_upload_sends_file_name_without_folders_and_decodable(photo: bytes) -> None:
    sent: list[bytes] = []
    form = {"id": "upl_a", "media_type": "image/png", "url": "/v1/files", "fields": {}, "max_bytes": 10**6}

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.read())
        return httpx.Response(201, json={**form, "expires_at": "2030-01-01T00:00:00Z"})

    with Client("https://art.example.com", transport=httpx.MockTransport(answer)) as client:
        client.upload(photo, name=os.fsdecode(b"home/me/caf\xe9.png"))
    assert sent[0] == b'{"media_type":"image/png"}'
    assert b'filename="caf?.png"' in sent[1]


def test_response_of_another_site_raises_invalid_response() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = {"/v1/styles": "<html>", "/v1/styles/x": '{"id": "x"}', "/v1/stylizations": "[]"}[request.url.path]
        return httpx.Response(200, text=body)

    with Client("https://blog.example.com", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(InvalidResponse, match="is this the address"):
            client.styles()
        with pytest.raises(InvalidResponse, match="title"):
            client.style("x")
        with pytest.raises(InvalidResponse, match="not a list"):
            client.jobs()


def test_key_is_sent_to_the_service_only(photo: bytes) -> None:
    seen: list[httpx.Request] = []
    form = {"id": "upl_a", "media_type": "image/jpeg", "url": "https://bucket.example.com/", "fields": {"policy": "p"}}

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        request.read()
        if request.url.host == "bucket.example.com":
            return httpx.Response(403, text="<Error><Code>AccessDenied</Code><Message>Policy expired</Message></Error>")
        return httpx.Response(201, json={**form, "max_bytes": 10**6, "expires_at": "2030-01-01T00:00:00Z", "new": 1})

    transport = httpx.MockTransport(answer)
    client = Client("https://art.example.com/prod/", key="secret", transport=transport)
    with client, pytest.raises(ClientError, match="Policy expired"):
        client.upload(io.BytesIO(photo))
    first, second = seen
    assert (first.url.path, first.headers["x-api-key"]) == ("/prod/v1/uploads", "secret")
    assert "x-api-key" not in second.headers
    body = second.content
    assert body.index(b'name="policy"') < body.index(b'name="file"') < body.index(photo)
