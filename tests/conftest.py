"""A gateway for the tests of several suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from cloud.gateway import Gateway, Handler, event_loop, serving_gateway


@pytest.fixture
def behind_gateway() -> Iterator[Callable[..., httpx.Client]]:
    """A client of a handler: `behind_gateway(handler, key, **attributes of Gateway)`; `key` goes with each request."""

    def client(handler: Handler, key: str | None = None, **attributes: Any) -> httpx.Client:
        gateway = Gateway(handler, **attributes)
        headers = {"X-Api-Key": key} if key else {}
        return httpx.Client(transport=gateway, base_url=f"https://api.test{gateway.prefix}", headers=headers)

    with event_loop():
        yield client


@pytest.fixture
def serve_gateway() -> Iterator[Callable[..., str]]:
    """The same over a real socket: `serve_gateway(handler, **attributes)` gives the address of the stage."""
    with ExitStack() as serving:
        yield lambda handler, **attributes: serving.enter_context(serving_gateway(handler, **attributes))
