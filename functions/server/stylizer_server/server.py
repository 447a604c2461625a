"""`stylizer-server`: the whole service on one machine."""

from __future__ import annotations

import argparse
import fcntl
import logging
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import FrameType

import uvicorn
from pydantic import ValidationError

from stylizer_server import arguments, keys_command
from stylizer_server.failures import CannotStartError
from stylizer_server.listening import greet, is_open_to_others, listening
from stylizer_server.messenger import Messenger
from stylizer_server.serving import serving_config
from stylizer_server.supervisor import Supervisor
from stylizer_server.wiring import create_local_app
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.ports import Unavailable
from stylizer_service.webhooks.sender import HttpsSender

_CONNECTION_FILES = 6
_OTHER_FILES = 256


def main(command: Sequence[str] | None = None) -> None:
    """Run the server until Ctrl-C or SIGTERM, or do one thing with its keys.

    Args:
        command: What follows the name on the command line; None takes it from there.
    """
    options = arguments.parser().parse_args(command)
    try:
        settings = _settings(options.data_dir)
        if options.command == "keys":
            keys_command.run(options, settings)
        else:
            _log_to_stderr()
            _end_in_order()
            _allow_files(settings.max_connections)
            _serve(options, settings)
    except CannotStartError as error:
        sys.exit(f"stylizer-server: {error}")


def _serve(options: argparse.Namespace, settings: LocalSettings) -> None:
    with _only_one(settings.data_dir), listening(options.host, options.port) as listener:
        local = _open(settings)
        needs_key = options.require_keys or is_open_to_others(listener)
        # Forms are put down here while they come in: the usual place is often in memory, which strangers could fill.
        tempfile.tempdir = str(settings.data_dir / "drafts")
        callers = len(local.keys.all())
        if needs_key and not callers:
            raise CannotStartError(_no_keys(options, settings.data_dir))
        supervisor = Supervisor(settings.data_dir)
        messenger = Messenger(local.service.ports, settings, HttpsSender(settings.webhook_timeout))
        app = create_local_app(
            local,
            stopping=lambda: server.should_exit,
            worker_alive=supervisor.is_alive,
            key_settings=settings if needs_key else None,
            allowed_hosts=options.allowed_host,
        )
        server = uvicorn.Server(serving_config(app, settings, options.proxy))
        supervisor.start()
        messenger.start()
        greet(listener, settings.data_dir, callers=callers if needs_key else None)
        try:
            server.run(sockets=[listener])
        finally:
            messenger.stop()
            supervisor.stop()
            local.close()


def _no_keys(options: argparse.Namespace, data_dir: Path) -> str:
    why = "--require-keys" if options.require_keys else f"--host {options.host}"
    return (
        f"{why} lets others in, who each need a key, and there is none yet: "
        f"make one with 'stylizer-server --data-dir {data_dir} keys add NAME'"
    )


def _end_in_order() -> None:
    """Have Ctrl-C and SIGTERM unwind the stack, so that the painter is taken along and no traceback is shown.

    uvicorn ends gracefully first, and then raises the signal anew for this handler.
    """

    def leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)


def _allow_files(connections: int) -> None:
    """Have room for the files of so many connections: each is one, and can bring four pictures and wait for one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OTHER_FILES + _CONNECTION_FILES * connections
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class _WorthTelling(logging.Filter):
    """Keeps out of the access log what the page asks for all the time while it watches a painting, and every query.

    Queries hold the signatures of links, and whatever people put there that they should not.
    """

    _ROUTINE = re.compile(r"/healthz|/v1/files/.*|/v1/stylizations/stz_\w+(/preview)?")

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the line; its arguments are client, method, path, HTTP version and status."""
        match record.args:
            case (client, method, str(target), version, int(status)):
                path = target.partition("?")[0]
                record.args = (client, method, path, version, status)
                return method != "GET" or status >= HTTPStatus.BAD_REQUEST or not self._ROUTINE.fullmatch(path)
        return True


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s server: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(_WorthTelling())


def _open(settings: LocalSettings) -> Local:
    try:
        return open_local(settings, limits=settings)
    except (OSError, RuntimeError, Unavailable) as error:
        raise CannotStartError(str(error)) from error


def _settings(data_dir: Path | None) -> LocalSettings:
    try:
        settings = LocalSettings() if data_dir is None else LocalSettings(data_dir=data_dir)
    except ValidationError as error:
        first = error.errors()[0]
        raise CannotStartError(f"{first['loc'][0]} is {first['input']!r}: {first['msg']}") from error
    folder = settings.data_dir.absolute()
    try:
        # What people send is nobody else's business who has an account on this machine.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStartError(f"the data folder {folder} cannot be made: {error.strerror}") from error
    return settings.model_copy(update={"data_dir": folder})


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data folder: the lock goes with the process, however it ends."""
    with (data_dir / "server.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStartError(
                f"another stylizer-server uses {data_dir}: stop it, or give another --data-dir"
            ) from error
        yield
