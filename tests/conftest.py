"""What the tests of all suites share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import trustme
from cloud.gateway import Gateway, Handler, event_loop, serving_gateway
from cloud.receiver import Receiver, stranger

# Where the tests are started in the background (nohup), they and their processes ignore SIGINT: those that are to be
# interrupted would never notice.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Container images set this; without bytecode each of the hundreds of processes that are started here compiles all that
# it imports, which takes several times as long as the tests themselves.
os.environ["PYTHONDONTWRITEBYTECODE"] = ""
sys.dont_write_bytecode = False

# Several test processes share the processors: with a thread for each, they would mostly wait for one another. Read
# once, when torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """The same for programs that take every core there is, and would keep them for the tests that follow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stylizer.compute.available_cores", lambda: 1)
        yield


@pytest.fixture
def behind_gateway() -> Iterator[Callable[..., httpx.Client]]:
    """A client of a handler: `behind_gateway(handler, key, **attributes of Gateway)`; `key` goes with each request."""

    def client(handler: Handler, key: str | None = None, **attributes: Any) -> httpx.Client:
        gateway = Gateway(handler, **attributes)
        headers = {"X-Api-Key": key} if key else {}
        return httpx.Client(transport=gateway, base_url=f"https://api.test{gateway.prefix}", headers=headers)

    with event_loop():
        yield client


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Certificate authority of the HTTPS servers of tests."""
    return trustme.CA()


@pytest.fixture
def site(authority: trustme.CA) -> Iterator[Receiver]:
    """HTTPS server that gives the answers which a test sets."""
    with stranger(authority) as site:
        yield site


@pytest.fixture
def serve_gateway() -> Iterator[Callable[..., str]]:
    """The same over a real socket: `serve_gateway(handler, **attributes)` gives the address of the stage."""
    with ExitStack() as serving:
        yield lambda handler, **attributes: serving.enter_context(serving_gateway(handler, **attributes))
