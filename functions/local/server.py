"""`stylizer-server`: the whole service on one machine."""

from __future__ import annotations

import argparse
import fcntl
import logging
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import FrameType

import uvicorn
from pydantic import ValidationError

from functions.local.messenger import Messenger
from functions.local.supervisor import Supervisor
from functions.local.wiring import create_local_app
from stylizer_service import __version__
from stylizer_service.local import Local, open_local
from stylizer_service.settings import Settings
from stylizer_service.webhook_sender import HttpsSender


class _CannotStartError(Exception):
    """Why not, in one line."""


def main() -> None:
    """Run the server until Ctrl-C or SIGTERM."""
    arguments = _parser().parse_args()
    _log_to_stderr()
    _end_in_order()
    try:
        _serve(arguments.host, arguments.port, arguments.data_dir)
    except _CannotStartError as error:
        sys.exit(f"stylizer-server: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stylizer-server",
        description="Serve the Image Stylizer: its page, its REST API and a painter.",
        epilog="STYLIZER_* environment variables set limits and lifetimes, such as STYLIZER_MAX_BYTES.",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 lets others in (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="port to listen on; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--data-dir", type=Path, help="folder that keeps uploads, jobs and paintings (default: ./data)")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _serve(host: str, port: int, data_dir: Path | None) -> None:
    settings = _settings(data_dir)
    with _only_one(settings.data_dir), _listening(host, port) as listener:
        local = _open(settings)
        supervisor = Supervisor(settings.data_dir)
        messenger = Messenger(local.service.ports, settings, HttpsSender(settings.webhook_timeout))
        app = create_local_app(local, stopping=lambda: server.should_exit, worker_alive=supervisor.is_alive)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=10,
            )
        )
        supervisor.start()
        messenger.start()
        _greet(listener, settings.data_dir)
        try:
            server.run(sockets=[listener])
        finally:
            messenger.stop()
            supervisor.stop()
            local.close()


def _end_in_order() -> None:
    """Have Ctrl-C and SIGTERM unwind the stack, so that the painter is taken along and no traceback is shown.

    uvicorn ends gracefully first, and then raises the signal anew for this handler.
    """

    def leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)


class _WorthTelling(logging.Filter):
    """Keeps out of the access log what the page asks for all the time while it watches a painting."""

    _ROUTINE = re.compile(r"/healthz|/v1/files/.*|/v1/stylizations/stz_\w+(/preview.*)?")

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the line; its arguments are client, method, path, HTTP version and status."""
        match record.args:
            case (_, "GET", str(path), _, int(status)) if status < HTTPStatus.BAD_REQUEST:
                return not self._ROUTINE.fullmatch(path)
        return True


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s server: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(_WorthTelling())


def _open(settings: Settings) -> Local:
    try:
        return open_local(settings)
    except (OSError, RuntimeError, sqlite3.Error) as error:
        raise _CannotStartError(str(error)) from error


def _settings(data_dir: Path | None) -> Settings:
    try:
        settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as error:
        first = error.errors()[0]
        raise _CannotStartError(f"{first['loc'][0]} is {first['input']!r}: {first['msg']}") from error
    folder = settings.data_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _CannotStartError(f"the data folder {folder} cannot be made: {error.strerror}") from error
    return settings.model_copy(update={"data_dir": folder})


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data folder: the lock goes with the process, however it ends."""
    with (data_dir / "server.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _CannotStartError(
                f"another stylizer-server uses {data_dir}: stop it, or give another --data-dir"
            ) from error
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port before anything else is started, so that a taken one is one line and not half a start."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise _CannotStartError(f"cannot listen on {host}:{port}: {error}") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(1024)  # now, so that nobody who reads the greeting is turned away
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise _CannotStartError(f"cannot listen on {host}:{port}: {reason}") from error
        yield listener


def _greet(listener: socket.socket, data_dir: Path) -> None:
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "localhost", "::": "localhost", "127.0.0.1": "localhost"}.get(
        host, f"[{host}]" if ":" in host else host
    )
    address = f"http://{shown}:{port}"
    sys.stdout.write(
        f"\n  Image Stylizer {__version__}\n\n"
        f"  Page      {address}/\n"
        f"  API       {address}/docs\n"
        f"  Data      {data_dir}\n\n"
        f"  Ctrl-C stops it; what waits is painted after the next start.\n\n"
    )
    sys.stdout.flush()
