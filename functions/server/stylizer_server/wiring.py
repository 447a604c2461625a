"""The API on the local adapters."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fastapi import FastAPI, Request
from starlette.middleware import Middleware

from stylizer_api.app import create_app
from stylizer_server.entrance import OneCaller, WithKeys
from stylizer_server.hosts import Hosts
from stylizer_server.transfers import transfers
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
    """Make the app that `stylizer-server` serves.

    Args:
        local: The open service.
        stopping: See `create_app`.
        worker_alive: See `create_app`.
        key_settings: How keys are treated, where each call takes one; None serves this machine alone, without.
        allowed_hosts: Names besides those of this machine that it is reached by, where no key is asked for.
    """
    if key_settings is None:
        entrance = Middleware(OneCaller, hosts=Hosts(allowed_hosts))
    else:
        entrance = Middleware(WithKeys, keys=local.keys, settings=key_settings)
    return create_app(
        local.service,
        identify=_owner,
        stopping=stopping,
        worker_alive=worker_alive,
        needs_key=key_settings is not None,
        middleware=[entrance],
        routers=[transfers(local)],
    )


def _owner(request: Request) -> str:
    # Whoever has not come through the entrance has no owner, and gets no further.
    owner: str = request.state.owner
    return owner
