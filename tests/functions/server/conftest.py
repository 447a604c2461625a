"""The app of `stylizer-server` in a thread, over real sockets, without a painter."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from pictures import slope, write_style
from waiting import PATIENCE

from stylizer_server.app_factory import create_local_app
from stylizer_server.connections import uvicorn_config
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.settings import LocalSettings


class RunningServer:
    """A running server.

    Attributes:
        local: Its service.
        address: Host and port.
        connections: Number of open connections.
    """

    def __init__(self, local: Local, server: uvicorn.Server, address: tuple[str, int]):
        self.local = local
        self._server = server
        self.address = address

    def client(self, key: str | bytes | None = None, **headers: str) -> httpx.Client:
        """A client that sends a key or other headers with each request."""
        key_header = {"X-Api-Key": key.decode("latin-1") if isinstance(key, bytes) else key} if key else {}
        base_url = f"http://{self.address[0]}:{self.address[1]}"
        return httpx.Client(
            base_url=base_url, headers=httpx.Headers({**key_header, **headers}, encoding="latin-1"), timeout=PATIENCE
        )

    @property
    def connections(self) -> int:
        return len(self._server.server_state.connections)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A plain socket, connected from a loopback address."""
        return socket.create_connection(self.address, timeout=PATIENCE, source_address=(source, 0))


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., object]:
    """Run a server: `with serve(with_keys=…, allowed_hosts=…, uvicorn_options=…, **settings) as running`."""

    @contextmanager
    def running_server(
        *,
        with_keys: bool = False,
        allowed_hosts: tuple[str, ...] = (),
        uvicorn_options: dict[str, Any] | None = None,
        **changes: object,
    ) -> Iterator[RunningServer]:
        write_style(tmp_path / "styles", "ink")
        places = {"data_dir": tmp_path / "data", "styles_dir": tmp_path / "styles"}
        settings = LocalSettings.model_validate({**places, **changes})
        with (
            closing(open_local(settings, limits=settings)) as local,
            socket.create_server(("127.0.0.1", 0)) as listener,
        ):
            app = create_local_app(
                local,
                key_settings=settings if with_keys else None,
                allowed_hosts=allowed_hosts,
                stopping=lambda: server.should_exit,
            )
            server = uvicorn.Server(uvicorn_config(app, settings, **(uvicorn_options or {})))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield RunningServer(local, server, listener.getsockname()[:2])
            finally:
                server.should_exit = True
                thread.join()

    return running_server


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small PNG."""
    return slope()
