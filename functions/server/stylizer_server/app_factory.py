"""The API app on the local adapters."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fastapi import FastAPI, Request
from starlette.middleware import Middleware

from stylizer_api.app import create_app
from stylizer_server.auth import ApiKeyMiddleware, LocalOnlyMiddleware
from stylizer_server.origin_guard import OriginGuard
from stylizer_server.signed_urls import signed_url_router
from stylizer_service.adapters.local import Local
from stylizer_service.adapters.local.settings import LocalSettings


def create_local_app(
    local: Local,
    *,
    stopping: Callable[[], bool] = lambda: False,
    worker_alive: Callable[[], bool | None] = lambda: None,
    key_settings: LocalSettings | None = None,
    allowed_hosts: Collection[str] = (),
) -> FastAPI:
    """Create the app of `stylizer-server`.

    Args:
        local: The open service.
        stopping: See `create_app`.
        worker_alive: See `create_app`.
        key_settings: Settings of keys and rate limits; None serves this machine only, without keys.
        allowed_hosts: Allowed Host headers besides the names of this machine, without keys.
    """
    if key_settings is None:
        auth = Middleware(LocalOnlyMiddleware, guard=OriginGuard(allowed_hosts))
    else:
        auth = Middleware(ApiKeyMiddleware, keys=local.keys, settings=key_settings)
    return create_app(
        local.service,
        identify=_owner,
        stopping=stopping,
        worker_alive=worker_alive,
        needs_key=key_settings is not None,
        middleware=[auth],
        routers=[signed_url_router(local)],
    )


def _owner(request: Request) -> str:
    # Raises for a request that bypassed the middleware.
    owner: str = request.state.owner
    return owner
