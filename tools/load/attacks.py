"""Malicious clients on raw sockets: no HTTP library would send what they send."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

_PIECE = bytes(64 * 1024)
_CONNECT_SECONDS = 10.0


def connect(address: str) -> socket.socket:
    """Connect to a server."""
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname or "", parts.port or 80), _CONNECT_SECONDS)


class HalfOpen:
    """Connections that start a request and never complete it.

    They cycle through `BEGINNINGS`; each call of `drip` sends one more byte of the unfinished part.

    Args:
        address: URL of the server.
        count: Number of connections.
    """

    BEGINNINGS: Final = {
        "silent": b"",
        "in its headers": b"POST /v1/stylizations HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        "in its body": b"POST /v1/stylizations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100000\r\n\r\n",
    }

    def __init__(self, address: str, count: int):
        self._open: dict[socket.socket, str] = {}
        self._began = time.monotonic()
        self.closed_after: dict[str, float] = {}
        names = list(self.BEGINNINGS)
        for number in range(count):
            name = names[number % len(names)]
            connection = connect(address)
            connection.sendall(self.BEGINNINGS[name])
            connection.setblocking(False)
            self._open[connection] = name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open:
            connection.close()

    def drip(self) -> int:
        """Send a byte on each connection; return the number still open.

        `closed_after` then has, for each beginning, the seconds after which its last connection was closed.
        """
        for connection, name in list(self._open.items()):
            if not self._goes_on(connection, name):
                connection.close()
                del self._open[connection]
                self.closed_after[name] = time.monotonic() - self._began
        return len(self._open)

    def _goes_on(self, connection: socket.socket, name: str) -> bool:
        try:
            while answer := connection.recv(4096):
                del answer  # an error response to the incomplete request
            return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        try:
            if name != "silent":
                connection.send(b"x")
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Flood:
    """Outcome of an oversized body.

    Attributes:
        status: Status of the response; None if there was none.
        answered: Bytes of the body accepted up to then.
        taken: Bytes accepted until the connection was closed, or until the client stopped at `most`.
        is_cut: Whether the server closed the connection.
    """

    status: int | None
    answered: int
    taken: int
    is_cut: bool


def flood(address: str, head: bytes, *, piece: bytes = _PIECE, most: int) -> Flood:
    """Send a head, and then pieces of a body until the server closes the connection.

    Args:
        address: URL of the server.
        head: Up to and including the empty line.
        piece: Data to send repeatedly.
        most: Bytes after which to stop.
    """
    with connect(address) as connection:
        connection.sendall(head)
        connection.setblocking(False)
        sent, answered, answer = 0, 0, b""
        rest = memoryview(piece)
        while sent < most:
            readable, writable, _ = select.select([connection], [connection], [], _CONNECT_SECONDS)
            try:
                if readable:
                    received = connection.recv(65536)
                    if not received:
                        return Flood(_status(answer), answered, sent, is_cut=True)
                    if not answer:
                        answered = sent
                    answer += received
                if writable:
                    count = connection.send(rest)
                    sent, rest = sent + count, rest[count:] or memoryview(piece)
            except OSError:
                return Flood(_status(answer), answered, sent, is_cut=True)
            if not readable and not writable:
                return Flood(_status(answer), answered, sent, is_cut=False)
    return Flood(_status(answer), answered, sent, is_cut=False)


def _status(answer: bytes) -> int | None:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None
