"""What one request costs in calls to AWS: the table in docs/design.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from uploads import store_upload

from stylizer_api.gateway import make_handler
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.usecases import Service

Picture = Callable[..., bytes]
Behind = Callable[..., httpx.Client]

TO_ACCEPT = ["GetQueueAttributes", "TransactWriteItems", "SendMessage"]


@pytest.fixture
def client(aws: Service, behind_gateway: Behind) -> httpx.Client:
    return behind_gateway(make_handler(aws, form_bytes=4_400_000), "key", keys={"key": "ann"})


@contextmanager
def calls_of(clients: Clients) -> Iterator[list[str]]:
    """Collect the operations that are called, such as "PutObject", in order."""
    calls: list[str] = []

    def note(model: Any, **_: object) -> None:
        calls.append(model.name)

    watched = [clients.s3, clients.dynamodb, clients.sqs]
    for each in watched:
        each.meta.events.register("before-call", note)
    try:
        yield calls
    finally:
        for each in watched:
            each.meta.events.unregister("before-call", note)


def send(client: httpx.Client, files: Mapping[str, bytes], **headers: str) -> dict[str, Any]:
    data = {} if "style" in files else {"style": "ink"}
    answer = client.post("/v1/stylizations", files=files, data=data, headers=headers)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def test_form_with_a_photo_takes_one_put_and_four_calls(
    client: httpx.Client, clients: Clients, aws: Service, picture: Picture
) -> None:
    photo = picture(400, 300, "TIFF")
    with calls_of(clients) as calls:
        job = send(client, {"content": photo})

    assert sorted(calls) == sorted([*TO_ACCEPT, "PutObject"])
    with aws.ports.blobs.open(f"jobs/{job['id']}/content") as file:
        assert file.read() == photo


def test_each_file_of_a_form_takes_one_put(client: httpx.Client, clients: Clients, picture: Picture) -> None:
    files = {"content": picture(), "mask": picture(format="JPEG"), "style": picture(40, 40)}
    with calls_of(clients) as calls:
        send(client, files, **{"Idempotency-Key": "one"})

    assert sorted(calls) == sorted(["GetItem", *TO_ACCEPT, *["PutObject"] * 3])


def test_repeated_form_stores_no_file(client: httpx.Client, clients: Clients, picture: Picture) -> None:
    first = send(client, {"content": picture()}, **{"Idempotency-Key": "one"})
    with calls_of(clients) as calls:
        again = send(client, {"content": picture()}, **{"Idempotency-Key": "one"})

    assert calls == ["GetItem", "GetItem", "SendMessage"]
    assert again["id"] == first["id"]


def test_upload_is_copied_and_read_once(client: httpx.Client, clients: Clients, aws: Service, picture: Picture) -> None:
    upload = store_upload(aws, picture())
    with calls_of(clients) as calls:
        answer = client.post("/v1/stylizations", json={"content": upload, "style": "ink"})

    assert answer.status_code == 202
    assert sorted(calls) == sorted([*TO_ACCEPT, "GetItem", "CopyObject", "GetObject"])
