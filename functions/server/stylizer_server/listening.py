"""Where the server listens, and what it tells whoever has started it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stylizer_server.addresses import is_loopback
from stylizer_server.failures import CannotStartError
from stylizer_service import __version__

_BACKLOG = 1024


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port before anything else is started, so that a taken one is one line and not half a start."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise CannotStartError(f"cannot listen on {host}:{port}: {error}") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)  # now, so that nobody who reads the greeting is turned away
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CannotStartError(f"cannot listen on {host}:{port}: {reason}") from error
        yield listener


def is_open_to_others(listener: socket.socket) -> bool:
    """Whether other machines reach it."""
    return not is_loopback(listener.getsockname()[0])


def greet(listener: socket.socket, data_dir: Path, *, callers: int | None) -> None:
    """Say on standard output where everything is.

    Args:
        listener: The socket that is listened on.
        data_dir: Where everything is kept.
        callers: How many keys there are; None where none is asked for.
    """
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "localhost", "::": "localhost", "127.0.0.1": "localhost"}.get(  # noqa: S104 - compared
        host, f"[{host}]" if ":" in host else host
    )
    address = f"http://{shown}:{port}"
    keys = "" if callers is None else f"  Keys      asked for; there {'is' if callers == 1 else 'are'} {callers}\n"
    sys.stdout.write(
        f"\n  Image Stylizer {__version__}\n\n"
        f"  Page      {address}/\n"
        f"  API       {address}/docs\n"
        f"  Data      {data_dir}\n"
        f"{keys}\n"
        f"  Ctrl-C stops it; what waits is painted after the next start.\n\n"
    )
    sys.stdout.flush()
