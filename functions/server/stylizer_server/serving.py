"""How HTTP is spoken here."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

import uvicorn
from fastapi import FastAPI

from stylizer_server.addresses import Network
from stylizer_server.connections import Connections
from stylizer_service.adapters.local.settings import LocalSettings

THIS_MACHINE = (IPv4Network("127.0.0.0/8"), IPv6Network("::1"))


def serving_config(app: FastAPI, settings: LocalSettings, proxies: Sequence[Network] = ()) -> uvicorn.Config:
    """What uvicorn is to serve, and how.

    Args:
        app: What answers.
        settings: How many connections there may be, and how long they wait.
        proxies: Whose X-Forwarded-For is believed, besides that of this machine.
    """
    proxies = [*THIS_MACHINE, *proxies]
    return uvicorn.Config(
        app,
        http=Connections(settings, proxies).protocol(),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        forwarded_allow_ips=[str(network) for network in proxies],
        timeout_keep_alive=settings.idle_timeout,
        timeout_graceful_shutdown=10,
    )
