"""HTTPS connections to untrusted hosts: public addresses only, one overall deadline, a bounded number of bytes.

The host is resolved once, every address must be public, and the connection goes to one of the checked addresses, which
defeats DNS rebinding. Each step, down to each read, is bounded by the remaining time.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult

from stylizer_service.outbound.addresses import Address, is_public

Resolve = Callable[[str, int], Sequence[Address]]


class NotPublic(OSError):
    """A host has an address that is not public. The message has the address: it is for the log, not for callers."""


class TooManyBytes(OSError):
    """The response has more bytes than are read."""


def resolve(host: str, port: int) -> list[Address]:
    """Return every address of a host, in order of preference. Raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]


class Connector:
    """Opens TLS connections. Thread-safe.

    Args:
        is_allowed: Returns whether requests may be sent to an address.
        resolve: Resolves a host name to addresses.
        context: TLS context; defaults to the system's certificate authorities.
    """

    def __init__(
        self,
        *,
        is_allowed: Callable[[Address], bool] = is_public,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
    ):
        self._is_allowed = is_allowed
        self._resolve = resolve
        self.context = context or ssl.create_default_context()
        self.context.sslsocket_class = BoundedSocket

    def connect(self, host: str, port: int, deadline: Deadline, max_bytes: int) -> BoundedSocket:
        """Open a connection of which at most `max_bytes` are read. Raises OSError, also in place of TLS errors."""
        addresses = _in_time(lambda: self._resolve(host, port), deadline)
        refused = [str(address) for address in addresses if not self._is_allowed(address)]
        if refused:
            raise NotPublic(f"{host} is at {', '.join(refused)}, which is not public")
        with _open(addresses, port, deadline) as plain:
            secure = self.context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        assert isinstance(secure, BoundedSocket)
        secure.readable = max_bytes
        return _shake_hands(secure, deadline)


class Deadline:
    """End of an operation, `seconds` from now."""

    def __init__(self, seconds: float):
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the remaining seconds. Raises TimeoutError if there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("there was no answer in time")
        return seconds


class BoundedSocket(ssl.SSLSocket):
    """TLS socket with one deadline for all reads and writes together, where a timeout would restart with each."""

    deadline: Deadline
    readable: int
    _read = 0

    def send(self, *arguments: Any, **options: Any) -> int:
        """Send within the deadline."""
        self.settimeout(self.deadline.left())
        return super().send(*arguments, **options)

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Receive within the deadline and the limit on bytes."""
        self.settimeout(self.deadline.left())
        count = super().recv_into(*arguments, **options)
        self._read += count
        if self._read > self.readable:
            raise TooManyBytes(f"the answer has more than {self.readable} bytes")
        return count


def _in_time(resolve: Callable[[], Sequence[Address]], deadline: Deadline) -> Sequence[Address]:
    """Call `resolve` with a deadline. A hanging lookup cannot be interrupted, so its thread is abandoned."""
    answers: queue.SimpleQueue[Sequence[Address] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve())
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError("the host name was not resolved in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _open(addresses: Sequence[Address], port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that accepts; each gets an equal share of the remaining time."""
    failed: OSError = OSError("the host has no address")
    for index, address in enumerate(addresses):
        try:
            return socket.create_connection((str(address), port), deadline.left() / (len(addresses) - index))
        except OSError as error:
            failed = error
    raise failed


def _shake_hands(secure: BoundedSocket, deadline: Deadline) -> BoundedSocket:
    secure.deadline = deadline
    try:
        secure.settimeout(deadline.left())
        secure.do_handshake()
    except BaseException:
        secure.close()
        raise
    return secure


def request_target(parts: SplitResult) -> str:
    """Return the path and query of a URL."""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
