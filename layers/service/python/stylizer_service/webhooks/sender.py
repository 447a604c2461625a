"""HTTPS sender for webhooks: public addresses only, no redirects, one overall deadline.

The receiver is untrusted. The host is resolved once, every address must be public, and the connection goes to one of
the checked addresses, which defeats DNS rebinding. Each step, down to each read, is bounded by the remaining time.
"""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from stylizer_service.webhooks.addresses import Address, is_public
from stylizer_service.webhooks.delivery import NotSent

Resolve = Callable[[str, int], Sequence[Address]]

_HEADERS = {"User-Agent": "Image-Stylizer-Webhooks/1", "Connection": "close"}
_ANSWER_BYTES = 64 * 1024
"""Maximum bytes read of a response: its status and headers; the body is not used."""


def resolve(host: str, port: int) -> list[Address]:
    """Return every address of a host, in order of preference. Raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]


class HttpsSender:
    """`Sender` over HTTPS. Thread-safe.

    Args:
        timeout: Total time for one request, from name resolution to the response headers, seconds.
        is_allowed: Returns whether requests may be sent to an address.
        resolve: Resolves a host name to addresses.
        context: TLS context; defaults to the system's certificate authorities.
    """

    def __init__(
        self,
        timeout: float,
        *,
        is_allowed: Callable[[Address], bool] = is_public,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
    ):
        self._timeout = timeout
        self._is_allowed = is_allowed
        self._resolve = resolve
        self._context = context or ssl.create_default_context()
        self._context.sslsocket_class = _BoundedSocket

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Return the response status. Raises `NotSent`."""
        deadline = _Deadline(self._timeout)
        try:
            parts = urlsplit(url)
            connection = http.client.HTTPSConnection(parts.netloc, context=self._context)
            with self._connect(parts.hostname or "", parts.port or 443, deadline) as connection.sock:
                connection.request("POST", _target(parts), body, {**headers, **_HEADERS})
                with connection.getresponse() as answer:
                    return answer.status
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error

    def _connect(self, host: str, port: int, deadline: _Deadline) -> ssl.SSLSocket:
        addresses = _in_time(lambda: self._resolve(host, port), deadline)
        refused = [str(address) for address in addresses if not self._is_allowed(address)]
        if refused:
            raise NotSent(f"{host} is at {', '.join(refused)}, which is not public")
        with _open(addresses, port, deadline) as plain:
            secure = self._context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        return _shake_hands(secure, deadline)


class _Deadline:
    def __init__(self, seconds: float):
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the remaining seconds. Raises TimeoutError if there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("there was no answer in time")
        return seconds


class _BoundedSocket(ssl.SSLSocket):
    """TLS socket with one deadline for all reads and writes together, where a timeout would restart with each."""

    deadline: _Deadline
    readable = _ANSWER_BYTES

    def send(self, *arguments: Any, **options: Any) -> int:
        self.settimeout(self.deadline.left())
        return super().send(*arguments, **options)

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        self.settimeout(self.deadline.left())
        count = super().recv_into(*arguments, **options)
        self.readable -= count
        if self.readable < 0:
            raise OSError(f"the answer has more than {_ANSWER_BYTES} bytes before its body")
        return count


def _in_time(resolve: Callable[[], Sequence[Address]], deadline: _Deadline) -> Sequence[Address]:
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


def _open(addresses: Sequence[Address], port: int, deadline: _Deadline) -> socket.socket:
    """Connect to the first address that accepts; each gets an equal share of the remaining time."""
    failed: OSError = OSError("the host has no address")
    for index, address in enumerate(addresses):
        try:
            return socket.create_connection((str(address), port), deadline.left() / (len(addresses) - index))
        except OSError as error:
            failed = error
    raise failed


def _shake_hands(secure: ssl.SSLSocket, deadline: _Deadline) -> ssl.SSLSocket:
    assert isinstance(secure, _BoundedSocket)
    secure.deadline = deadline
    try:
        secure.settimeout(deadline.left())
        secure.do_handshake()
    except BaseException:
        secure.close()
        raise
    return secure


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
