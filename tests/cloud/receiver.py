"""HTTPS server of a webhook receiver, or of a host with pictures."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

import trustme

from stylizer_service.outbound.addresses import Address
from stylizer_service.outbound.fetch import HttpsFetcher
from stylizer_service.webhooks.sender import HttpsSender

HOST = "hooks.example"


@dataclass(frozen=True)
class Heard:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Keeps what it hears, and answers with the next of `answers`: a status, or code that does as it likes."""

    url: str
    authority: trustme.CA
    stopping: threading.Event
    heard: list[Heard] = field(default_factory=list)
    answers: list[int | Callable[[BaseHTTPRequestHandler], object]] = field(default_factory=list)

    def sender(self, timeout: float = 30.0, **options: Any) -> HttpsSender:
        """A sender that trusts this server, and finds it on loopback."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        loopback: list[Address] = [ip_address("127.0.0.1")]
        defaults: dict[str, Any] = {"is_allowed": lambda _: True, "resolve": lambda host, port: loopback}  # noqa: ARG005
        return HttpsSender(timeout, **{"context": context, **defaults, **options})

    def fetcher(self, timeout: float = 30.0, max_bytes: int = 1_000_000, **options: Any) -> HttpsFetcher:
        """A fetcher that trusts this server, and finds every name on loopback."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        loopback: list[Address] = [ip_address("127.0.0.1")]
        defaults: dict[str, Any] = {"is_allowed": lambda _: True, "resolve": lambda host, port: loopback}  # noqa: ARG005
        return HttpsFetcher(timeout, max_bytes, **{"context": context, **defaults, **options})


def file_answer(
    content: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer to GET."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@contextmanager
def stranger(authority: trustme.CA) -> Iterator[Receiver]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            # What is too long for a webhook is left unread.
            body = self.rfile.read(length) if length < 1_000_000 else b""
            receiver.heard.append(Heard(self.path, dict(self.headers), body))
            answer = receiver.answers.pop(0) if receiver.answers else 204
            if callable(answer):
                answer(self)
                return
            self.send_response(answer)
            if answer in range(300, 400):
                self.send_header("Location", receiver.url)
            self.end_headers()

        def do_GET(self) -> None:
            receiver.heard.append(Heard(self.path, dict(self.headers), b""))
            answer = receiver.answers.pop(0)
            assert callable(answer)
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # a client that hangs up, on purpose

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "127.0.0.1").configure_cert(context)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        receiver = Receiver(f"https://{HOST}:{server.server_port}/painted?by=us", authority, threading.Event())
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.stopping.set()
            server.shutdown()
            thread.join()
