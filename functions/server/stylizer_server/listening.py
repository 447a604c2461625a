"""Listening socket and startup banner."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stylizer_server.addresses import is_loopback
from stylizer_server.command_line import CommandError
from stylizer_service import __version__

_BACKLOG = 1024


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind the port before anything else starts, so that a port in use is one line of error.

    Raises:
        CommandError: The address cannot be bound.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise CommandError(f"cannot listen on {host}:{port}: {error}") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)  # before the banner, so that no reader of it is refused
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CommandError(f"cannot listen on {host}:{port}: {reason}") from error
        yield listener


def is_public(listener: socket.socket) -> bool:
    """Whether other machines can connect."""
    return not is_loopback(listener.getsockname()[0])


def print_banner(listener: socket.socket, data_dir: Path, *, key_count: int | None) -> None:
    """Print URLs and data folder to stdout.

    Args:
        listener: The listening socket.
        data_dir: The data folder.
        key_count: Number of keys; None without keys.
    """
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "localhost", "::": "localhost", "127.0.0.1": "localhost"}.get(  # noqa: S104 - only compared
        host, f"[{host}]" if ":" in host else host
    )
    address = f"http://{shown}:{port}"
    keys = "" if key_count is None else f"  Keys      required; {key_count} exist{'s' if key_count == 1 else ''}\n"
    sys.stdout.write(
        f"\n  Image Stylizer {__version__}\n\n"
        f"  Page      {address}/\n"
        f"  API       {address}/docs\n"
        f"  Data      {data_dir}\n"
        f"{keys}\n"
        f"  Ctrl-C stops it; queued jobs are painted after the next start.\n\n"
    )
    sys.stdout.flush()
