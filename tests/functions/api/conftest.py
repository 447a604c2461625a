"""The API over real HTTP: a server in a thread on the local adapters; jobs stay queued unless a test paints them."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pictures import slope, write_style
from waiting import PATIENCE

from stylizer_server.app_factory import create_local_app
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.jobs.leases import claim
from stylizer_service.settings import Settings

MAX_BYTES = 100_000
_CONTRACT: dict[str, Any] = {}
"""Of every app here, made once: to make it takes longer than most tests."""


def hold_to_contract(answer: httpx.Response, contract: dict[str, Any]) -> None:
    """Fail if a call of the contract answers what the contract does not say."""
    call = operation(contract, answer.request)
    if call is None:
        return
    status = str(answer.status_code)
    assert status in call["responses"], f"{call['operationId']} answers {status}, which the contract does not say"
    said = call["responses"][status]
    shown = {name for name in ("Location", "ETag", "Retry-After", "Preference-Applied") if name in answer.headers}
    assert shown <= set(said["headers"]), f"{call['operationId']} {status} has {shown}"
    assert "X-Request-Id" in answer.headers
    if answer.headers.get("content-type") == "application/problem+json":
        kind = json.loads(answer.read())["type"].removeprefix("/problems/")
        assert kind in said["content"]["application/problem+json"]["examples"], f"{call['operationId']} answers {kind}"


def operation(contract: dict[str, Any], request: httpx.Request) -> dict[str, Any] | None:
    """The call that the contract has at the path of a request, if it has one."""
    for template, calls in contract["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), request.url.path):
            found: dict[str, Any] | None = calls.get(request.method.lower())
            return found
    return None


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    # Named as TCP, or asyncio would leave Nagle's algorithm on: each answer on a kept connection 40 ms late.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None, server_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            contract = _CONTRACT or app.openapi()
            _CONTRACT.update(contract)
            hooks = {"response": [lambda answer: hold_to_contract(answer, contract)]}
            with httpx.Client(base_url=address, timeout=PATIENCE, event_hooks=hooks) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def settings_in() -> Callable[[Path], Settings]:
    """Settings of a service that keeps everything in a folder, with two styles in it."""

    def made(folder: Path) -> Settings:
        for name in ("ink", "oil"):
            write_style(folder / "styles", name)
        data_dir, styles_dir = folder / "data", folder / "styles"
        return Settings(data_dir=data_dir, styles_dir=styles_dir, max_bytes=MAX_BYTES, max_wait=5)

    return made


@pytest.fixture
def local(settings_in: Callable[[Path], Settings], tmp_path: Path) -> Iterator[Local]:
    with closing(open_local(settings_in(tmp_path))) as local:
        yield local


@pytest.fixture
def stopping() -> threading.Event:
    return threading.Event()


@pytest.fixture
def client(local: Local, stopping: threading.Event) -> Iterator[httpx.Client]:
    with serving(create_local_app(local, stopping=stopping.is_set)) as client:
        yield client


@pytest.fixture(scope="session")
def serve() -> Callable[[FastAPI], object]:
    """Serve another app: `with serve(app) as client`."""
    return serving


@pytest.fixture(scope="session")
def photo() -> bytes:
    return slope(format="JPEG")


@pytest.fixture
def accepted(client: httpx.Client, photo: bytes) -> Callable[..., str]:
    """Have a painting accepted; gives its id."""

    def accept(**fields: str) -> str:
        answer = client.post("/v1/stylizations", files={"content": ("cat.jpg", photo)}, data={"style": "ink", **fields})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    return accept


@pytest.fixture
def finish(local: Local) -> Callable[[str], None]:
    """Paint a job to its end, the quick way."""

    def finished(job_id: str) -> None:
        lease = claim(local.service.ports, local.service.settings, job_id)
        assert lease is not None
        for _ in range(lease.job.variants - 1):
            lease.add_variant(slope(64, 43, "JPEG"), preview=slope(32, 21, "JPEG"), width=64, height=43)
        lease.succeed(slope(64, 43, "JPEG"), preview=slope(32, 21, "JPEG"), width=64, height=43)

    return finished
