from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import anyio.to_thread
import httpx
import pytest
from PIL import Image
from uploads import store_upload

from stylizer_api.routers import stylizations
from stylizer_service.adapters.local import Local
from stylizer_service.adapters.local.intake import LOCAL_OWNER
from stylizer_service.records import Precondition

Accepted = Callable[..., str]
Finish = Callable[[str], None]


def test_form_with_a_photo_is_accepted_with_location(client: httpx.Client, photo: bytes) -> None:
    answer = client.post("/v1/stylizations", files={"content": ("cat.jpg", photo)}, data={"style": "ink"})

    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == job["links"]["self"] == f"/v1/stylizations/{job['id']}"
    assert answer.headers["retry-after"] == "1"
    assert (job["status"], job["method"]) == ("queued", "neighbor")
    assert job["styles"] == [{"style": "ink", "weight": 1.0, "mask": None}]
    assert job["options"] == {
        "size": 1024,
        "strength": 1.0,
        "style_scale": 1.0,
        "preserve_color": "none",
        "quality": "standard",
        "features": None,
        "seed": 0,
        "animate": False,
        "format": "jpeg",
        "format_quality": 90,
        "keep_metadata": "none",
    }


def test_form_carries_options_blend_and_masks(client: httpx.Client, photo: bytes) -> None:
    files = {"content": photo, "mask": photo, "content_mask": photo}
    data = {
        "styles": '[{"style": "ink", "weight": 2}, {"style": "oil"}]',
        "method": "texture",
        "strength": "0.5",
        "size": "256",
        "seed": "7",
        "quality": "draft",
        "format": "png",
    }
    job = client.post("/v1/stylizations", files={k: (k, v) for k, v in files.items()}, data=data).json()

    assert job["styles"] == [
        {"style": "ink", "weight": 2.0, "mask": None},
        {"style": "oil", "weight": 1.0, "mask": None},
    ]
    name = f"sha256:{hashlib.sha256(photo).hexdigest()}"
    assert [job[field] for field in files] == [name] * 3
    assert {name: job["options"][name] for name in ("strength", "size", "seed", "quality", "format")} == {
        "strength": 0.5,
        "size": 256,
        "seed": 7,
        "quality": "draft",
        "format": "png",
    }


def test_sent_file_is_stored_once_and_only_in_the_job(client: httpx.Client, local: Local, photo: bytes) -> None:
    job = client.post("/v1/stylizations", files={"content": ("a", photo)}, data={"style": "ink"}).json()

    kept = [
        path for path in local.service.settings.data_dir.rglob("*") if path.is_file() and photo in path.read_bytes()
    ]
    assert kept == [local.service.settings.data_dir / "blobs" / "jobs" / job["id"] / "content"]


def test_name_of_a_sent_file_cannot_be_requested(client: httpx.Client, photo: bytes) -> None:
    job = client.post("/v1/stylizations", files={"content": ("a", photo)}, data={"style": "ink"}).json()
    upload = client.post("/v1/uploads", json={"media_type": "image/jpeg"}).json()
    client.post(upload["url"], data=upload["fields"], files={"file": photo})

    for field in ("content", "mask", "style"):
        request = {"content": upload["id"], "style": "ink", field: job["content"]}
        answer = client.post("/v1/stylizations", json=request)
        assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_style_can_be_a_file_in_the_form(client: httpx.Client, photo: bytes) -> None:
    answer = client.post("/v1/stylizations", files={"content": ("a", photo), "style": ("b", photo)})

    assert answer.status_code == 202
    assert answer.json()["styles"][0]["style"] == f"sha256:{hashlib.sha256(photo).hexdigest()}"


def test_empty_file_field_counts_as_missing(client: httpx.Client, photo: bytes) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="content"; filename="a.jpg"\r\n\r\n' + photo + b"\r\n"
        b'--x\r\nContent-Disposition: form-data; name="style"\r\n\r\nink\r\n'
        b'--x\r\nContent-Disposition: form-data; name="mask"; filename=""\r\n\r\n\r\n--x--\r\n'
    )
    answer = client.post("/v1/stylizations", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})

    assert answer.status_code == 202, answer.text
    assert answer.json()["mask"] is None


def test_waiting_answers_with_the_finished_painting(
    client: httpx.Client, local: Local, photo: bytes, finish: Finish
) -> None:
    key = {"Idempotency-Key": "k"}
    body = {"content": store_upload(local.service, photo, LOCAL_OWNER), "style": "oil"}
    job_id = client.post("/v1/stylizations", json=body, headers=key).json()["id"]
    painter = threading.Timer(0.4, finish, [job_id])
    painter.start()

    answer = client.post("/v1/stylizations", json=body, headers={**key, "Prefer": "respond-async, wait=30"})
    painter.join()

    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=5"  # the server's own limit
    assert "retry-after" not in answer.headers
    assert answer.json()["status"] == "succeeded"


def test_waiting_in_vain_answers_with_the_job_as_it_is(client: httpx.Client, photo: bytes) -> None:
    answer = client.post(
        "/v1/stylizations",
        files={"content": ("a", photo)},
        data={"style": "ink"},
        headers={"Prefer": "wait=0"},
    )

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=0"
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["status"] == "queued"


def test_stopping_server_ends_waiting_requests(client: httpx.Client, photo: bytes, stopping: threading.Event) -> None:
    stopping.set()
    answer = client.post(
        "/v1/stylizations",
        files={"content": ("a", photo)},
        data={"style": "ink"},
        headers={"Prefer": "wait=5"},
        timeout=4,
    )

    assert answer.status_code == 202


def test_image_redirects_to_a_signed_link_with_a_file_name(
    client: httpx.Client, accepted: Accepted, finish: Finish
) -> None:
    job_id = accepted()
    finish(job_id)

    redirect = client.get(f"/v1/stylizations/{job_id}/image")
    image = client.get(redirect.headers["location"])

    assert redirect.status_code == 303
    assert redirect.content == b""
    assert image.status_code == 200
    assert image.headers["content-type"] == "image/jpeg"
    assert image.headers["content-disposition"] == f'inline; filename="{job_id}.jpg"'
    assert Image.open(io.BytesIO(image.content)).size == (64, 43)


def test_each_variant_has_its_own_image_and_preview(client: httpx.Client, accepted: Accepted, finish: Finish) -> None:
    job_id = accepted(variants="2")
    waiting = client.get(f"/v1/stylizations/{job_id}").json()
    early = client.get(f"/v1/stylizations/{job_id}/image?variant=2")
    finish(job_id)
    done = client.get(f"/v1/stylizations/{job_id}").json()

    assert (waiting["variants"], waiting["results"], early.status_code) == (2, [], 409)
    assert done["results"][0].items() >= done["result"].items()
    for number, result in enumerate(done["results"], start=1):
        link = client.get(f"/v1/stylizations/{job_id}/image?variant={number}").headers["location"]
        assert link.split("?")[0] == result["url"].split("?")[0]
        image = client.get(result["url"])
        assert image.headers["content-disposition"] == f'inline; filename="{job_id}-{number}.jpg"'
        preview = client.get(result["preview"], follow_redirects=True)
        assert Image.open(io.BytesIO(preview.content)).size == (32, 21)
    assert len({result["url"].split("?")[0] for result in done["results"]}) == 2


def test_variant_out_of_range_is_refused(client: httpx.Client) -> None:
    for number in ("0", "5", "two"):
        answer = client.get(f"/v1/stylizations/{'stz_' + 'a' * 26}/image?variant={number}")
        assert (answer.status_code, answer.json()["field"]) == (422, "variant")
        assert answer.json()["allowed"] == "a whole number from 1 to 4"


def test_an_expired_painting_is_gone_and_says_so(
    client: httpx.Client, accepted: Accepted, finish: Finish, local: Local
) -> None:
    job_id = accepted()
    finish(job_id)
    jobs = local.service.ports.jobs
    a_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    assert jobs.update(job_id, Precondition(statuses=("succeeded",)), expires_at=a_minute_ago)
    local.service.sweep()

    answer = client.get(f"/v1/stylizations/{job_id}/image")

    assert answer.status_code == 410
    assert client.get(f"/v1/stylizations/{job_id}").json()["status"] == "expired"


def test_the_list_is_paged_by_cursor_and_filtered_by_status(
    client: httpx.Client, accepted: Accepted, finish: Finish
) -> None:
    ids = [accepted() for _ in range(5)]
    finish(ids[0])

    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/stylizations", params=query).json()
        seen += [job["id"] for job in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == ids[::-1]
    done = client.get("/v1/stylizations?status=succeeded").json()
    assert [job["id"] for job in done["items"]] == [ids[0]]


def test_cancel_is_immediate_idempotent_and_409_when_too_late(
    client: httpx.Client, accepted: Accepted, finish: Finish
) -> None:
    job_id, done = accepted(), accepted()
    finish(done)

    for _ in range(2):
        answer = client.post(f"/v1/stylizations/{job_id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert client.post(f"/v1/stylizations/{done}/cancel").status_code == 409


def test_delete_removes_a_painting_at_once_and_kills_its_link(
    client: httpx.Client, accepted: Accepted, finish: Finish
) -> None:
    waiting, done = accepted(), accepted()
    finish(done)
    link = client.get(f"/v1/stylizations/{done}").json()["result"]["url"]
    assert client.get(link).status_code == 200

    for job_id in (waiting, done, done):
        answer = client.post(f"/v1/stylizations/{job_id}/delete")
        assert (answer.status_code, answer.json()["status"]) == (200, "expired")
        assert answer.json()["result"] is None

    assert client.get(link).status_code == 404
    assert client.get(f"/v1/stylizations/{done}/image").status_code == 410
    assert client.post(f"/v1/stylizations/{waiting}/cancel").status_code == 409


def test_idempotency_key_maps_to_one_job_and_one_request(client: httpx.Client, photo: bytes) -> None:
    def send(**data: str) -> httpx.Response:
        return client.post(
            "/v1/stylizations",
            files={"content": ("cat.jpg", photo)},
            data={"style": "ink", **data},
            headers={"Idempotency-Key": "5c0-once"},
        )

    first, again, other = send(), send(), send(seed="1")

    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-mismatch"
    assert len(client.get("/v1/stylizations").json()["items"]) == 1


def test_what_is_asked_most_takes_one_turn_on_a_thread(
    client: httpx.Client, accepted: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, turns, run = accepted(), 0, anyio.to_thread.run_sync

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal turns
        turns += 1
        return await run(*arguments, **options)

    monkeypatch.setattr(anyio.to_thread, "run_sync", counted)
    assert client.get(f"/v1/stylizations/{job_id}").status_code == 200

    assert turns == 1  # each more would cost a good part of what the answer does


def test_who_waits_long_is_looked_up_less_and_less_often(
    client: httpx.Client, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    clock = time.monotonic()

    async def no_pause(seconds: float) -> None:
        nonlocal clock
        pauses.append(seconds)
        clock += seconds

    monkeypatch.setattr(stylizations, "asyncio", SimpleNamespace(sleep=no_pause))
    monkeypatch.setattr(stylizations, "time", SimpleNamespace(monotonic=lambda: clock))
    form = {"files": {"content": ("cat.jpg", photo)}, "data": {"style": "ink"}}
    answer = client.post("/v1/stylizations", headers={"Prefer": "wait=5"}, **form)  # type: ignore[arg-type]

    assert answer.status_code == 202
    assert pauses[:5] == [0.15] * 5
    assert pauses[:-1] == sorted(pauses[:-1])
    assert pauses[-2] > 0.4
    assert sum(pauses) == pytest.approx(5)


def test_missing_image_says_when_to_ask_again(client: httpx.Client, accepted: Callable[..., str]) -> None:
    job_id = accepted()
    for part, status in (("image", 409), ("preview", 404)):
        early = client.get(f"/v1/stylizations/{job_id}/{part}")
        assert (early.status_code, early.headers.get("retry-after")) == (status, "1")
    client.post(f"/v1/stylizations/{job_id}/cancel")
    never = client.get(f"/v1/stylizations/{job_id}/image")
    assert (never.status_code, never.headers.get("retry-after")) == (409, None)
    assert client.get("/v1/stylizations/stz_nothing/preview").headers.get("retry-after") is None


def test_head_is_answered_as_get_without_the_body(client: httpx.Client) -> None:
    for path in ("/", "/healthz", "/page/base.css", "/v1/styles", "/v1/styles/ink/image", "/v1/styles/nothing"):
        got, headed = client.get(path), client.head(path)
        assert headed.status_code == got.status_code
        assert headed.content == b""
        for name in ("content-type", "content-length", "etag", "cache-control"):
            if name != "content-length" or "problem" not in got.headers["content-type"]:  # that names the request
                assert headed.headers.get(name) == got.headers.get(name)
    refused = client.head("/v1/uploads")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
