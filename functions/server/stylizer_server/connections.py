"""Connections that nobody can hold for nothing: how many there may be, and how long each waits for the other end.

uvicorn waits for ever for the rest of a request, and for whoever does not take the answer. Here all connections are
looked at several times a second, and those whose time is up are answered, or if there is nobody to answer, cut.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from functools import partial
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from stylizer_api.contract_problems import MEDIA_TYPE
from stylizer_api.middleware import HEADERS
from stylizer_server.addresses import Network, parse, site
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.problems import KINDS, problem

_TICK = 0.25
_FAREWELL = 1.0
"""How long what still comes is thrown away after the last word, seconds."""
_LINGER = 30.0
"""How long what still comes is thrown away once the request has been answered, seconds; and of it, at most one file."""
HEAD_BYTES = 16 * 1024
"""Longest head of a request, and of a chunk of its body."""
_CHUNK = 64
"""Bytes that the chunks of a body have to have on average: one of them costs as much time as some thousand bytes do."""
_FEW_CHUNKS = 1000  # which may be shorter


class Connections:
    """All connections of a server.

    Args:
        settings: How many there may be, and how long they wait.
        proxies: Those who speak for many, and may open as many connections as there are.
    """

    def __init__(self, settings: LocalSettings, proxies: Collection[Network]):
        self.settings = settings
        self._proxies = proxies
        self._open: dict[Connection, str] = {}  # and whose each is
        self._by_site: Counter[str] = Counter()
        self._patrol: asyncio.TimerHandle | None = None

    def protocol(self) -> type[asyncio.Protocol]:
        """What uvicorn is to make a connection with."""
        return cast(type[asyncio.Protocol], partial(Connection, self))

    def enter(self, connection: Connection) -> bool:
        """Count a new connection; whether it may stay."""
        host = connection.client[0] if connection.client else ""
        whose = "" if self._is_proxy(host) else site(host)
        is_welcome = len(self._open) < self.settings.max_connections and (
            not whose or self._by_site[whose] < self.settings.address_connections
        )
        self._open[connection] = whose
        self._by_site[whose] += 1
        self._patrol = self._patrol or connection.loop.call_later(_TICK, self._look, connection.loop)
        return is_welcome

    @property
    def are_flooding(self) -> bool:
        """Whether even those who are being refused are so many that there is no time for a word."""
        return len(self._open) > 2 * self.settings.max_connections

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        whose = self._open.pop(connection)
        self._by_site[whose] -= 1
        if not self._by_site[whose]:
            del self._by_site[whose]

    def _is_proxy(self, host: str) -> bool:
        address = parse(host)
        return address is not None and any(address in network for network in self._proxies)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._patrol = loop.call_later(_TICK, self._look, loop) if self._open else None
        for connection in list(self._open):
            connection.look(_TICK)


class Connection(H11Protocol):
    """One connection.

    Args:
        connections: Those it is one of.
        **arguments: As uvicorn gives them.
    """

    def __init__(self, connections: Connections, **arguments: Any):
        super().__init__(**arguments)
        self.conn = _Conversation(h11.SERVER, HEAD_BYTES)
        self._connections = connections
        self._request: object = None  # what `_waited` is counted for
        self._came = 0  # bytes of it
        self._waited = 0.0  # seconds for the rest of it
        self._late = 0  # bytes of it that came when it had been answered
        self._stalled = 0.0  # seconds since any of the answer was taken
        self._leaving: float | None = None  # seconds since the last word was said

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room for one more."""
        super().connection_made(transport)
        if self._connections.enter(self):
            return
        if self._connections.are_flooding:
            self.transport.abort()
        else:
            self._refuse("too-many-connections", "too many connections are open; try again in a moment")

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._connections.leave(self)

    def data_received(self, data: bytes) -> None:
        """Go on with the request."""
        if self._leaving is not None or self.transport.is_closing():
            return
        self._came += len(data)
        is_late = self.conn.their_state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete
        self._late = self._late + len(data) if is_late else 0
        if self._late > self._connections.settings.max_bytes:
            self.transport.close()  # whoever would read the answer has had every chance
            return
        super().data_received(data)

    def resume_writing(self) -> None:
        """Some of the answer was taken."""
        self._stalled = 0.0
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer what is not HTTP, or too long for a head."""
        self._refuse("malformed-request", "this is not a request by the rules of HTTP/1.1, or its head is too long")

    def look(self, seconds: float) -> None:
        """See how it goes on; called again and again.

        Args:
            seconds: Since the last time.
        """
        self._stalled = self._stalled + seconds if self.transport.get_write_buffer_size() else 0.0
        if self._stalled > self._connections.settings.send_timeout:
            self.transport.abort()
        elif self._leaving is not None:
            self._leaving += seconds
            if self._leaving > _FAREWELL:
                self.transport.close()
        elif not self.transport.is_closing():
            self._look_at_request(seconds)

    def _look_at_request(self, seconds: float) -> None:
        answered = self.cycle is not None and self.cycle.response_complete
        if self._request != (self.cycle, answered):
            self._request, self._came, self._waited = (self.cycle, answered), 0, 0.0
        settings = self._connections.settings
        match self.conn.their_state:
            case h11.IDLE if self.cycle is None or self.conn.trailing_data[0]:
                limit = settings.head_timeout
            case h11.SEND_BODY if answered:
                limit = _LINGER
            case h11.SEND_BODY if not self.flow.read_paused:
                limit = min(settings.body_timeout, settings.head_timeout + self._came / settings.body_rate)
            case _:
                return
        self._waited += seconds
        if self._waited > limit:
            self._refuse("request-timeout", "the rest of the request did not come in time")

    def _refuse(self, code: str, detail: str) -> None:
        """Close the connection, with a word where one can still be said."""
        is_silent = self.cycle is None and not self._came and code == "request-timeout"
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not is_silent:
            body = problem(code, detail).model_dump_json().encode()
            headers = [
                ("Content-Type", MEDIA_TYPE),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("Connection", "close"),
                *HEADERS.items(),
                *([("Retry-After", "5")] if code == "too-many-connections" else []),
            ]
            for event in (
                h11.Response(status_code=KINDS[code][0], headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            # Not closed at once: an answer is lost to whoever is still sending when nobody takes it any more.
            self.transport.write_eof()
            self._leaving = 0.0
        else:
            self.transport.close()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()


class _Conversation(h11.Connection):
    """Takes no body in crumbs, and none whose length is told in two ways: a proxy may go by the other (smuggling)."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._chunks = self._bytes = 0

    def next_event(self) -> Any:
        """What comes next, as h11 has it."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
            if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
                raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding")
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > _FEW_CHUNKS and self._bytes < _CHUNK * self._chunks:
                raise h11.RemoteProtocolError(f"a body in {self._chunks} chunks of {self._bytes} bytes")
        return event
