"""Painting on AWS over real HTTP, by the queue."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
import trustme
from cloud.receiver import stranger
from pictures import encoded
from PIL import Image, ImageChops
from standardwebhooks import Webhook, WebhookVerificationError
from waiting import wait_for

from stylizer_service.serialization import format_timestamp

if TYPE_CHECKING:
    from .conftest import World

RECONCILER = "stylizer_reconciler.lambda_handler"


def test_photo_uploaded_by_form_is_painted_and_linked(world: World, photo: bytes) -> None:
    content = world.upload(photo)
    job_id = world.accept(content, size=96)
    assert world.job(job_id)["status"] == "queued"

    assert world.painter.drain() == [True]

    job = world.job(job_id)
    assert (job["status"], job["progress"], job["error"]) == ("succeeded", 1.0, None)
    image = world.image(job_id)
    assert (image.format, image.size) == ("JPEG", (96, 72))
    assert (job["result"]["width"], job["result"]["height"], job["result"]["features"]) == (96, 72, "compact")
    original = Image.open(io.BytesIO(photo)).convert("RGB")
    assert ImageChops.difference(image.convert("RGB"), original).getbbox() is not None
    answer = world.store.get(job["result"]["url"])
    assert len(answer.content) == job["result"]["bytes"]
    assert answer.headers["content-type"] == "image/jpeg"
    assert f'filename="{job_id}.jpg"' in answer.headers["content-disposition"]
    assert world.stage.waiting(world.stage.paint_queue) == 0


def test_photo_in_the_request_is_painted_while_waiting(world: World, photo: bytes) -> None:
    with world.painting():
        answer = world.ann.post(
            "v1/stylizations",
            data={"style": "mosaic", "size": "64", "quality": "draft", "format": "png"},
            files={"content": ("cat.jpg", photo)},
            headers={"Prefer": "wait=20"},
        )

    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert job["status"] == "succeeded"
    assert answer.headers["location"] == job["links"]["self"] == f"/prod/v1/stylizations/{job['id']}"
    assert world.image(job["id"]).format == "PNG"


def test_custom_style_and_mask_are_painted(world: World, photo: bytes) -> None:
    made = world.ann.post("v1/styles", json={"upload": world.upload(photo), "title": "Mine"})
    assert made.status_code == 201, made.text
    white = encoded(Image.new("L", (96, 72), 255), "PNG")
    blend = [{"style": made.json()["id"], "weight": 2}, {"style": "woodcut", "weight": 1}]
    answer = world.ann.post(
        "v1/stylizations",
        json={
            "content": world.upload(photo),
            "styles": blend,
            "mask": world.upload(white, "image/png"),
            "size": 64,
            "quality": "draft",
        },
    )
    assert answer.status_code == 202, answer.text
    world.painter.drain()
    assert world.job(answer.json()["id"])["status"] == "succeeded"
    shown = world.ann.get(f"v1/styles/{made.json()['id']}/image")
    assert world.store.get(shown.headers["location"]).content == photo


def test_expired_job_is_deleted_and_answers_410(world: World, photo: bytes) -> None:
    content = world.upload(photo)
    job_id = world.accept(content)
    world.painter.drain()
    for name in (content, job_id):
        world.stage.change(name, expires_at=format_timestamp(datetime.now(UTC) - timedelta(hours=1)))
    world.reconcile()

    assert world.job(job_id)["status"] == "expired"
    gone = world.ann.get(f"v1/stylizations/{job_id}/image")
    assert (gone.status_code, gone.json()["type"]) == (410, "/problems/expired")
    for bucket in (world.stage.results, world.stage.uploads):
        assert world.stage.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_webhook_is_retried_until_delivered(world: World, photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = world.ann.get("v1/webhook-secret").json()["secret"]
    with stranger(trustme.CA()) as receiver:
        receiver.answers = [503]
        monkeypatch.setattr(import_module(RECONCILER), "_sender", receiver.sender)
        monkeypatch.setattr("stylizer_service.webhooks.delivery._PAUSES", (0.5,))
        monkeypatch.setenv("STYLIZER_WEBHOOK_TIMEOUT", "1")
        job_id = world.accept(world.upload(photo), webhook=receiver.url)
        world.painter.drain()
        assert world.webhooks.drain() == [True]
        wait_for(lambda: world.webhooks.deliver() is True)
        assert world.webhooks.drain() == []

    first, second = receiver.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == job_id
    event = Webhook(secret).verify(second.body, second.headers)
    assert (event["type"], event["data"]["id"]) == ("stylization.succeeded", job_id)
    assert world.store.get(event["data"]["result"]["url"]).status_code == 200
    assert Webhook(secret).verify(first.body, first.headers)["data"]["id"] == job_id
    with pytest.raises(WebhookVerificationError):
        Webhook(world.ben.get("v1/webhook-secret").json()["secret"]).verify(first.body, first.headers)
