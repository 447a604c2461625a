"""Sends webhooks: HTTPS to public addresses only, no redirects, and never for longer than it may take.

A receiver is a stranger's machine. The host is resolved once, every address of it must be public, and the connection
goes to one that was looked at: a name that changes in between (DNS rebinding) leads nowhere. Each step, down to each
read, gets only what is left of the time.
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
"""Most that is read of an answer: its status and headers; nobody needs its body."""


def resolve(host: str, port: int) -> list[Address]:
    """Every address of a host, best first. Raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]


class HttpsSender:
    """Sends one request at a time; safe to share between threads.

    Args:
        timeout: Longest that one request may take, from the name to the answer, seconds.
        is_allowed: Says of each address of a host whether requests may go there.
        resolve: Gives the addresses of a host name.
        context: What to trust; the machine's certificate authorities unless given.
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
        """The status of the answer. Raises `NotSent`."""
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
        """Seconds. Raises TimeoutError when there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("there was no answer in time")
        return seconds


class _BoundedSocket(ssl.SSLSocket):
    """Has one deadline for all reads and writes together, where a timeout starts anew with each."""

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
    """What `resolve` gives. Nothing can stop a look-up that hangs, so it is left behind."""
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
    """A connection to the first address that takes one; each gets its share of the time."""
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
