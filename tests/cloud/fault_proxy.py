"""A line between boto3 and a fake AWS, on which requests and answers can go wrong."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar
from urllib.parse import urlsplit

from waiting import PATIENCE

Answer = tuple[int, list[tuple[str, str]], bytes]
Carry = Callable[[], Answer]
Wrong = Callable[[Carry], Answer | None]
"""What happens to a request instead of being carried; None: the line is cut."""

THROTTLED = {
    "dynamodb": (400, b'{"__type": "x#ProvisionedThroughputExceededException", "message": "too much"}'),
    "s3": (503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"),
}


@dataclass(frozen=True)
class Request:
    """As it came.

    Attributes:
        name: The operation, of DynamoDB and its like; otherwise the method and the path.
        headers: By their names in lower case.
        body: What was sent.
    """

    name: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Line:
    """Carries requests to the fake AWS. The first that fit what is to go wrong fare badly.

    Attributes:
        address: Where it listens.
        target: Where it carries them.
        seen: Each request, oldest first.
    """

    address: str
    target: str
    seen: list[Request] = field(default_factory=list)
    _wrongs: list[tuple[str, Wrong]] = field(default_factory=list)

    def go_wrong(self, request: str, wrong: Wrong, *, times: int = 1) -> None:
        """Have `wrong` answer the next requests whose name starts with `request`."""
        self._wrongs += [(request, wrong)] * times

    def reset(self) -> None:
        """Forget what has been seen and what was to go wrong."""
        self.seen.clear()
        self._wrongs.clear()

    def answer(self, request: Request, carry: Carry) -> Answer | None:
        """What comes back for a request, None if nothing does."""
        self.seen.append(request)
        for index, (name, wrong) in enumerate(self._wrongs):
            if request.name.startswith(name):
                del self._wrongs[index]
                return wrong(carry)
        return carry()

    def count(self, request: str) -> int:
        """How many requests whose name starts so have come."""
        return sum(seen.name.startswith(request) for seen in self.seen)


def refuse(status: int, body: bytes) -> Wrong:
    """Not done, and said so."""
    return lambda _: (status, [], body)


def lose(carry: Carry) -> None:
    """Perform the request and drop its response."""
    carry()


def break_off(carry: Carry) -> Answer:
    """Answered, but the line breaks before the end."""
    status, headers, body = carry()
    # How long the whole is has been said by then.
    told = [header for header in headers if header[0].lower() != "content-length"]
    return status, [*told, ("Content-Length", str(len(body)))], body[: len(body) // 2]


AnyLine = TypeVar("AnyLine", bound=Line)


@contextmanager
def carrying(target: str, make: Callable[[str, str], AnyLine]) -> Iterator[AnyLine]:
    """Carry requests to the address `target` until the block ends.

    Args:
        target: Where the fake AWS is.
        make: Makes the line, of its address and the target.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    line = make(f"http://127.0.0.1:{server.server_port}", target)
    server.RequestHandlerClass = _handler(line)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield line
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fault_proxy(target: str) -> AbstractContextManager[Line]:
    """Carry requests to the address `target` until the block ends."""
    return carrying(target, Line)


def _handler(line: Line) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))

            def carry() -> Answer:
                connection = http.client.HTTPConnection(urlsplit(line.target).netloc, timeout=PATIENCE)
                try:
                    connection.request(self.command, self.path, body, dict(self.headers))
                    answer = connection.getresponse()
                    return answer.status, answer.getheaders(), answer.read()
                finally:
                    connection.close()

            operation = self.headers.get("x-amz-target")
            name = operation.partition(".")[2] if operation else f"{self.command} {self.path}"
            headers = {key.lower(): value for key, value in self.headers.items()}
            answer = line.answer(Request(name, headers, body), carry)
            self.close_connection = True
            if answer is None:
                return
            status, said, sent = answer
            self.send_response(status)
            self.send_header("Connection", "close")
            for key, value in said:
                if key.lower() not in ("connection", "transfer-encoding", "date", "server"):
                    self.send_header(key, value)
            if not any(key.lower() == "content-length" for key, _ in said):
                self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the names that the base class asks for

        def log_message(self, *arguments: object) -> None:
            """Nothing to say."""

    return Handler
