"""The app of `stylizer-server` in a thread, over real sockets; nobody paints."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from pictures import slope
from PIL import Image
from waiting import PATIENCE

from stylizer_server.serving import serving_config
from stylizer_server.wiring import create_local_app
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.settings import LocalSettings


class Running:
    """A server that runs.

    Attributes:
        local: The service in it.
        address: Where it listens.
        connections: How many are open.
    """

    def __init__(self, local: Local, server: uvicorn.Server, address: tuple[str, int]):
        self.local = local
        self._server = server
        self.address = address

    def client(self, key: str | bytes | None = None, **headers: str) -> httpx.Client:
        """A client that shows a key, or has other headers, in each request."""
        shown = {"X-Api-Key": key.decode("latin-1") if isinstance(key, bytes) else key} if key else {}
        base_url = f"http://{self.address[0]}:{self.address[1]}"
        return httpx.Client(
            base_url=base_url, headers=httpx.Headers({**shown, **headers}, encoding="latin-1"), timeout=PATIENCE
        )

    @property
    def connections(self) -> int:
        return len(self._server.server_state.connections)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A bare connection from an address of this machine; nothing on it waits for longer than any test takes."""
        return socket.create_connection(self.address, timeout=PATIENCE, source_address=(source, 0))


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., object]:
    """Run a server: `with serve(with_keys=…, allowed_hosts=…, **settings) as running`."""

    @contextmanager
    def served(*, with_keys: bool = False, allowed_hosts: tuple[str, ...] = (), **changes: object) -> Iterator[Running]:
        style = tmp_path / "styles" / "ink"
        style.mkdir(parents=True, exist_ok=True)
        (style / "style.toml").write_text('title = "In ink"\n')
        Image.new("RGB", (32, 32)).save(style / "swatch.webp")
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
            server = uvicorn.Server(serving_config(app, settings))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield Running(local, server, listener.getsockname()[:2])
            finally:
                server.should_exit = True
                thread.join()

    return served


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small PNG."""
    return slope()
