"""Connection limits: how many may be open, and how long each may wait for its client.

uvicorn waits forever for the rest of a request, and for a client that reads no response. Here a watchdog checks all
connections several times a second, and times out with a response, or closes the connection.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Any, cast

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from stylizer_api.middleware import HEADERS
from stylizer_api.openapi_problems import MEDIA_TYPE
from stylizer_server.addresses import Network, parse, site
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.problems import KINDS, problem

LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1"))
_CHECK_INTERVAL = 0.25  # seconds
DRAIN_TIMEOUT = 30.0
"""Seconds for which the rest of a request is discarded after its response; at most the bytes of one file."""
CLOSE_GRACE = 1.0
"""Seconds for which input is discarded after an error response of ours."""
MAX_HEAD_BYTES = 16 * 1024
"""Longest head of a request, and of a chunk of its body."""
_MIN_CHUNK_BYTES = 64
"""Least average chunk size of a body: parsing a chunk costs as much as some thousand bytes."""
_SHORT_CHUNKS = 1000  # chunks of any size that are always accepted


def uvicorn_config(
    app: FastAPI,
    settings: LocalSettings,
    proxies: Sequence[Network] = (),
    *,
    loopback: Sequence[Network] = LOOPBACK,
    drain_timeout: float = DRAIN_TIMEOUT,
    close_grace: float = CLOSE_GRACE,
) -> uvicorn.Config:
    """Configure uvicorn with these limits.

    Args:
        app: App to serve.
        settings: Limits and timeouts of connections.
        proxies: Networks whose X-Forwarded-For is trusted, besides `loopback`.
        loopback: Networks of this machine.
        drain_timeout: See `DRAIN_TIMEOUT`.
        close_grace: See `CLOSE_GRACE`.
    """
    trusted = [*loopback, *proxies]
    connections = ConnectionTracker(settings, trusted, drain_timeout=drain_timeout, close_grace=close_grace)
    return uvicorn.Config(
        app,
        http=connections.protocol_factory(),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        forwarded_allow_ips=[str(network) for network in trusted],
        timeout_keep_alive=settings.idle_timeout,
        timeout_graceful_shutdown=10,
    )


class ConnectionTracker:
    """All connections of a server.

    Args:
        settings: Limits and timeouts.
        proxies: Networks exempt from the limit per address.
        drain_timeout: See `DRAIN_TIMEOUT`.
        close_grace: See `CLOSE_GRACE`.
    """

    def __init__(
        self, settings: LocalSettings, proxies: Collection[Network], *, drain_timeout: float, close_grace: float
    ):
        self.settings = settings
        self.drain_timeout = drain_timeout
        self.close_grace = close_grace
        self._proxies = proxies
        self._sites: dict[LimitedProtocol, str] = {}  # open connections, and the site of each; "" for a proxy
        self._open_by_site: Counter[str] = Counter()
        self._watchdog: asyncio.TimerHandle | None = None

    def protocol_factory(self) -> type[asyncio.Protocol]:
        """Return the factory for `uvicorn.Config(http=...)`."""
        return cast(type[asyncio.Protocol], partial(LimitedProtocol, self))

    def add(self, connection: LimitedProtocol) -> bool:
        """Add a connection, and return whether it is within the limits."""
        host = connection.client[0] if connection.client else ""
        key = "" if self._is_proxy(host) else site(host)
        is_accepted = len(self._sites) < self.settings.max_connections and (
            not key or self._open_by_site[key] < self.settings.address_connections
        )
        self._sites[connection] = key
        self._open_by_site[key] += 1
        self._watchdog = self._watchdog or connection.loop.call_later(_CHECK_INTERVAL, self._check_all, connection.loop)
        return is_accepted

    @property
    def is_flooded(self) -> bool:
        """Whether too many connections are open to answer those over the limit."""
        return len(self._sites) > 2 * self.settings.max_connections

    def remove(self, connection: LimitedProtocol) -> None:
        """Remove a closed connection."""
        key = self._sites.pop(connection)
        self._open_by_site[key] -= 1
        if not self._open_by_site[key]:
            del self._open_by_site[key]

    def _is_proxy(self, host: str) -> bool:
        address = parse(host)
        return address is not None and any(address in network for network in self._proxies)

    def _check_all(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watchdog = loop.call_later(_CHECK_INTERVAL, self._check_all, loop) if self._sites else None
        for connection in list(self._sites):
            connection.check(_CHECK_INTERVAL)


class LimitedProtocol(H11Protocol):
    """A connection with timeouts.

    Args:
        connections: Tracker of all connections.
        **arguments: Arguments of uvicorn.
    """

    def __init__(self, connections: ConnectionTracker, **arguments: Any):
        super().__init__(**arguments)
        self.conn = _StrictConnection(h11.SERVER, MAX_HEAD_BYTES)
        self._connections = connections
        self._phase: object = None  # request, and whether it was answered: what `_waited` is counted for
        self._received = 0  # bytes in this phase
        self._waited = 0.0  # seconds in this phase
        self._drained = 0  # bytes received after the response
        self._stalled = 0.0  # seconds since the client last read from the response
        self._closing: float | None = None  # seconds since our error response

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or refuse it above the limits."""
        super().connection_made(transport)
        if self._connections.add(self):
            return
        if self._connections.is_flooded:
            self.transport.abort()
        else:
            self._fail("too-many-connections", "too many connections are open; try again in a moment")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._connections.remove(self)

    def data_received(self, data: bytes) -> None:
        """Parse input, unless the connection is closing."""
        if self._closing is not None or self.transport.is_closing():
            return
        self._received += len(data)
        is_draining = self.conn.their_state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete
        self._drained = self._drained + len(data) if is_draining else 0
        if self._drained > self._connections.settings.max_bytes:
            self.transport.close()
            return
        super().data_received(data)

    def resume_writing(self) -> None:
        """Restart the send timeout."""
        self._stalled = 0.0
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer malformed HTTP, or a head that is too long."""
        self._fail("malformed-request", "this is not a valid HTTP/1.1 request, or its head is too long")

    def check(self, seconds: float) -> None:
        """Enforce the timeouts.

        Args:
            seconds: Time since the last check.
        """
        self._stalled = self._stalled + seconds if self.transport.get_write_buffer_size() else 0.0
        if self._stalled > self._connections.settings.send_timeout:
            self.transport.abort()
        elif self._closing is not None:
            self._closing += seconds
            if self._closing > self._connections.close_grace:
                self.transport.close()
        elif not self.transport.is_closing():
            self._check_request(seconds)

    def _check_request(self, seconds: float) -> None:
        is_answered = self.cycle is not None and self.cycle.response_complete
        if self._phase != (self.cycle, is_answered):
            self._phase, self._received, self._waited = (self.cycle, is_answered), 0, 0.0
        settings = self._connections.settings
        match self.conn.their_state:
            case h11.IDLE if self.cycle is None or self.conn.trailing_data[0]:
                timeout = settings.head_timeout
            case h11.SEND_BODY if is_answered:
                timeout = self._connections.drain_timeout
            case h11.SEND_BODY if not self.flow.read_paused:
                timeout = min(settings.body_timeout, settings.head_timeout + self._received / settings.body_rate)
            case _:
                return
        self._waited += seconds
        if self._waited > timeout:
            self._fail("request-timeout", "the rest of the request did not arrive in time")

    def _fail(self, code: str, detail: str) -> None:
        """Close the connection, after an error response where the protocol allows one."""
        is_silent = self.cycle is None and not self._received and code == "request-timeout"
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
            # Not closed at once: a client that still sends would get a reset instead of the response.
            self.transport.write_eof()
            self._closing = 0.0
        else:
            self.transport.close()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()


class _StrictConnection(h11.Connection):
    """Refuses bodies in tiny chunks, and bodies with two lengths, which allow request smuggling behind a proxy."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._chunks = self._bytes = 0

    def next_event(self) -> Any:
        """Return the next event."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
            if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
                raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding")
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > _SHORT_CHUNKS and self._bytes < _MIN_CHUNK_BYTES * self._chunks:
                raise h11.RemoteProtocolError(f"a body in {self._chunks} chunks of {self._bytes} bytes")
        return event
