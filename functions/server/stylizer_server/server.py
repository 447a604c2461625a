"""Entry point of `stylizer-server`."""

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

from stylizer_server.app_factory import create_local_app
from stylizer_server.command_line import CommandError, parser, run_keys_command
from stylizer_server.connections import uvicorn_config
from stylizer_server.listening import is_public, listening, print_banner
from stylizer_server.supervisor import Supervisor
from stylizer_server.webhook_worker import WebhookWorker
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.ports import Unavailable
from stylizer_service.webhooks.sender import HttpsSender

_FILES_PER_CONNECTION = 6  # a socket, four pictures of a form and a response
_OTHER_FILES = 256


def main(command: Sequence[str] | None = None) -> None:
    """Run the server until Ctrl-C or SIGTERM, or a command.

    Args:
        command: Arguments; None takes them from the command line.
    """
    options = parser().parse_args(command)
    try:
        settings = _load_settings(options.data_dir)
        if options.command == "keys":
            run_keys_command(options, settings)
        else:
            _configure_logging()
            _exit_on_signals()
            _raise_file_limit(settings.max_connections)
            _serve(options, settings)
    except CommandError as error:
        sys.exit(f"stylizer-server: {error}")


def _serve(options: argparse.Namespace, settings: LocalSettings) -> None:
    with _exclusive(settings.data_dir), listening(options.host, options.port) as listener:
        local = _open_service(settings)
        needs_key = options.require_keys or is_public(listener)
        # Incoming forms are spooled to the data folder: /tmp is often in memory, which callers could fill.
        tempfile.tempdir = str(settings.data_dir / "drafts")
        key_count = len(local.keys.all())
        if needs_key and not key_count:
            raise CommandError(_no_keys_message(options, settings.data_dir))
        if settings.url_inputs is None:  # without keys, any page in a browser here could have pictures fetched
            local.service.settings = local.service.settings.model_copy(update={"url_inputs": needs_key})
        supervisor = Supervisor(settings.data_dir)
        webhook_worker = WebhookWorker(local.service.ports, settings, HttpsSender(settings.webhook_timeout))
        app = create_local_app(
            local,
            stopping=lambda: server.should_exit,
            worker_alive=supervisor.is_alive,
            key_settings=settings if needs_key else None,
            allowed_hosts=options.allowed_host,
        )
        server = uvicorn.Server(uvicorn_config(app, settings, options.proxy))
        supervisor.start()
        webhook_worker.start()
        print_banner(listener, settings.data_dir, key_count=key_count if needs_key else None)
        try:
            server.run(sockets=[listener])
        finally:
            webhook_worker.stop()
            supervisor.stop()
            local.close()


def _no_keys_message(options: argparse.Namespace, data_dir: Path) -> str:
    why = "--require-keys" if options.require_keys else f"--host {options.host}"
    return (
        f"{why} requires keys, and none exists: create one with 'stylizer-server --data-dir {data_dir} keys add NAME'"
    )


def _exit_on_signals() -> None:
    """Raise SystemExit on Ctrl-C and SIGTERM, so that the painter is stopped and no traceback is printed.

    uvicorn shuts down gracefully first, and then raises the signal again for this handler.
    """

    def exit_handler(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(0)

    signal.signal(signal.SIGINT, exit_handler)
    signal.signal(signal.SIGTERM, exit_handler)


def _raise_file_limit(connections: int) -> None:
    """Raise the soft limit of open files to what the connections may need, up to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OTHER_FILES + _FILES_PER_CONNECTION * connections
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class _AccessLogFilter(logging.Filter):
    """Drops successful polls from the access log, and every query string.

    Query strings contain the signatures of links, and possibly other secrets.
    """

    _ROUTINE = re.compile(r"/healthz|/v1/files/.*|/v1/stylizations/stz_\w+(/preview)?")

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log a record, whose arguments are client, method, path, HTTP version and status."""
        match record.args:
            case (client, method, str(target), version, int(status)):
                path = target.partition("?")[0]
                record.args = (client, method, path, version, status)
                return method != "GET" or status >= HTTPStatus.BAD_REQUEST or not self._ROUTINE.fullmatch(path)
        return True


def _configure_logging() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s server: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(_AccessLogFilter())


def _open_service(settings: LocalSettings) -> Local:
    try:
        return open_local(settings, limits=settings)
    except (OSError, RuntimeError, Unavailable) as error:
        raise CommandError(str(error)) from error


def _load_settings(data_dir: Path | None) -> LocalSettings:
    try:
        settings = LocalSettings() if data_dir is None else LocalSettings(data_dir=data_dir)
    except ValidationError as error:
        first = error.errors()[0]
        raise CommandError(f"{first['loc'][0]} is {first['input']!r}: {first['msg']}") from error
    folder = settings.data_dir.absolute()
    try:
        # Uploads are private from other users of this machine.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"the data folder {folder} cannot be created: {error.strerror}") from error
    return settings.model_copy(update={"data_dir": folder})


@contextmanager
def _exclusive(data_dir: Path) -> Iterator[None]:
    """Lock the data folder; the lock ends with the process, however that happens."""
    with (data_dir / "server.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CommandError(
                f"another stylizer-server uses {data_dir}: stop it, or choose another --data-dir"
            ) from error
        yield
