"""The API on the local adapters."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from functions.api.app import create_app
from functions.local.transfers import transfers
from stylizer_service.local import Local

OWNER = "local"
"""On one's own machine there is one caller."""


def create_local_app(
    local: Local,
    *,
    stopping: Callable[[], bool] = lambda: False,
    worker_alive: Callable[[], bool | None] = lambda: None,
) -> FastAPI:
    """Make the app that `stylizer-server` serves.

    Args:
        local: The open service.
        stopping: See `create_app`.
        worker_alive: See `create_app`.
    """
    return create_app(
        local.service,
        identify=lambda request: OWNER,  # noqa: ARG005
        stopping=stopping,
        worker_alive=worker_alive,
        routers=[transfers(local)],
    )
