"""Fixtures: a whole stage for each test, with stores in moto, the API behind a gateway, the others behind queues."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cloud.event_source import SCHEDULE, Event, LambdaContext, QueueSource, Running
from cloud.moto_server import serving_moto
from cloud.stage import Stage, build
from pictures import disk_photo
from PIL import Image
from waiting import PATIENCE

KEYS = {"key-of-ann": "ann-id", "key-of-ben": "ben-id"}
FUNCTIONS = ("stylizer_api.lambda_handler", "stylizer_painter.lambda_handler", "stylizer_reconciler.lambda_handler")
SMALL = {"size": 64, "quality": "draft"}

Job = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class World:
    """A stage with its callers, stores and event sources.

    Attributes:
        stage: The stores.
        ann: The API for the caller Ann, over HTTP.
        ben: The same for another caller.
        store: Plain HTTP, for forms and links of the object store.
        painter: The paint queue and the painter behind it.
        dead_letters: The dead-letter queue, and the reconciler behind it.
        webhooks: The webhook queue, and the reconciler behind it.
        invoke_reconciler: The reconciler, for other events.
    """

    stage: Stage
    ann: httpx.Client
    ben: httpx.Client
    store: httpx.Client
    painter: QueueSource
    dead_letters: QueueSource
    webhooks: QueueSource
    invoke_reconciler: Callable[[Event, Any], Any]

    def upload(self, file: bytes, media_type: str = "image/jpeg") -> str:
        """Upload a file by the form; return the id of the upload."""
        upload = self.ann.post("v1/uploads", json={"media_type": media_type})
        assert upload.status_code == 201, upload.text
        form = upload.json()
        answer = self.store.post(form["url"], data=form["fields"], files={"file": ("photo", file)})
        assert answer.status_code == 204, answer.text
        return str(form["id"])

    def ask(self, content: str, **fields: Any) -> httpx.Response:
        """Request a painting of an upload."""
        return self.ann.post("v1/stylizations", json={"content": content, "style": "woodcut", **SMALL, **fields})

    def accept(self, content: str, **fields: Any) -> str:
        """Request a painting of an upload, which must be accepted; return its id."""
        answer = self.ask(content, **fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> Job:
        """Return the job."""
        answer = self.ann.get(f"v1/stylizations/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def image(self, job_id: str) -> Image.Image:
        """Download the painting, following the redirect."""
        redirect = self.ann.get(f"v1/stylizations/{job_id}/image")
        assert redirect.status_code == 303, redirect.text
        answer = self.store.get(redirect.headers["location"])
        assert answer.status_code == 200, answer.text
        return Image.open(io.BytesIO(answer.content))

    def reconcile(self) -> None:
        """Invoke the reconciler as its schedule does."""
        self.invoke_reconciler(SCHEDULE, LambdaContext(function_name="reconciler"))

    def painting(self) -> Running:
        """Run the painter in the background while the block lasts."""
        return Running(self.painter)


def handler(module: str) -> Callable[[Event, Any], Any]:
    """Return the handler of a function, imported as late as in Lambda: after its environment is set."""
    __import__(module)
    found: Callable[[Event, Any], Any] = sys.modules[module].handler
    return found


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with serving_moto() as address:
        yield address


@pytest.fixture
def stage(moto: str, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Create the stores, and set the environment variables of the functions."""
    stage = build(moto)
    for name, value in stage.environment.items():
        monkeypatch.setenv(name, value)
    return stage


@pytest.fixture
def reconciler() -> Callable[[Event], None]:
    """Return a function that invokes the reconciler with an event."""
    return lambda event: handler("stylizer_reconciler.lambda_handler")(event, LambdaContext(function_name="reconciler"))


@pytest.fixture
def surround() -> Callable[[str], AbstractContextManager[None]]:
    """Return a context manager for each call of a handler, by the name of its function; tests override it."""
    return lambda _: nullcontext()


@pytest.fixture
def world(
    stage: Stage,
    serve_gateway: Callable[..., str],
    surround: Callable[[str], AbstractContextManager[None]],
    new_process: None,  # noqa: ARG001
) -> Iterator[World]:
    def late(function: str) -> Callable[[Event, Any], Any]:
        def call(event: Event, context: Any) -> Any:
            with surround(function):
                return handler(f"stylizer_{function}.lambda_handler")(event, context)

        return call

    address = serve_gateway(late("api"), keys=KEYS) + "/"

    def client(key: str) -> httpx.Client:
        return httpx.Client(base_url=address, headers={"X-Api-Key": key}, timeout=PATIENCE)

    with client("key-of-ann") as ann, client("key-of-ben") as ben, httpx.Client(timeout=PATIENCE) as store:
        yield World(
            stage=stage,
            ann=ann,
            ben=ben,
            store=store,
            painter=QueueSource(stage.sqs, stage.paint_queue, late("painter")),
            dead_letters=QueueSource(stage.sqs, stage.dead_letters, late("reconciler")),
            webhooks=QueueSource(stage.sqs, stage.webhook_queue, late("reconciler")),
            invoke_reconciler=late("reconciler"),
        )


@pytest.fixture
def new_process() -> Iterator[None]:
    """Reimport the functions for each test: they cache clients for the lifetime of their process."""
    for name in FUNCTIONS:
        sys.modules.pop(name, None)
    yield
    for name in FUNCTIONS:
        sys.modules.pop(name, None)


@pytest.fixture(scope="session")
def photo() -> bytes:
    """Return a photo of a disk before a gradient, 96 x 72."""
    return disk_photo()
