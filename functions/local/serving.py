"""How HTTP is spoken here."""

from __future__ import annotations

from collections.abc import Sequence

import uvicorn
from fastapi import FastAPI

THIS_MACHINE = ("127.0.0.1", "::1")


def serving_config(app: FastAPI, proxies: Sequence[str] = THIS_MACHINE) -> uvicorn.Config:
    """What uvicorn is to serve, and how.

    Args:
        app: What answers.
        proxies: Whose X-Forwarded-For is believed: addresses or networks.
    """
    return uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=10,
    )
