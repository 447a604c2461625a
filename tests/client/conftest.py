"""A local API server over real HTTP, for tests of the client and the command line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
import uvicorn
from pictures import disk_photo
from PIL import Image

from stylizer_cli.main import run as run_command
from stylizer_client import Client
from stylizer_painter.painting import paint_job
from stylizer_server.app_factory import create_local_app
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.settings import Settings

MAX_BYTES = 200_000
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def photo() -> bytes:
    """JPEG of a disk before a gradient, 96 x 72."""
    return disk_photo()


@pytest.fixture
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """The service behind the API, for direct access to its stores."""
    folder = tmp_path_factory.mktemp("service")
    with closing(open_local(Settings(data_dir=folder, max_bytes=MAX_BYTES, max_wait=5))) as local:
        yield local


@pytest.fixture
def address(local: Local) -> Iterator[str]:
    """Base URL of the API; no painter runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_local_app(local)
        server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def painting(local: Local) -> Callable[[], AbstractContextManager[None]]:
    """Run the real painter during a block: `with painting()`."""

    @contextmanager
    def running() -> Iterator[None]:
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                job_id = local.queue.receive()
                if job_id is None:
                    stop.wait(0.05)
                else:
                    paint_job(local.service.ports, local.service.settings, job_id, should_stop=stop.is_set)

        painter = threading.Thread(target=run)
        painter.start()
        try:
            yield
        finally:
            stop.set()
            painter.join()

    return running


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the client's sleeps, in seconds, instead of sleeping."""
    pauses: list[float] = []
    monkeypatch.setattr("stylizer_client.clients.time.sleep", pauses.append)
    return pauses


@pytest.fixture
def folder(tmp_path: Path, photo: bytes) -> Path:
    """A folder with a photo, a mask of its left half, and a text file named as a photo."""
    (tmp_path / "cat.jpg").write_bytes(photo)
    mask = Image.new("L", (96, 72))
    mask.paste(255, (0, 0, 48, 72))
    mask.save(tmp_path / "left.png")
    (tmp_path / "text.jpg").write_text("I am no photo")
    return tmp_path


@pytest.fixture
def run(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in a folder with pictures: exit code, stdout, stderr."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("STYLIZER_STYLES", str(folder / "own"))
    for name in ("STYLIZER_API", "STYLIZER_KEY"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run_command(list(arguments))
        return (code, *capfd.readouterr())

    return call
