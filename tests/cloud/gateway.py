"""Plays the API Gateway of a deployed stage: HTTP requests become proxy events, proxy answers become HTTP again."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
HeaderList = list[tuple[str, str]]


@dataclass(frozen=True)
class LambdaContext:
    """What a handler is told of its invocation, as far as ours ask."""

    seconds: float
    aws_request_id: str = "c0ffee00-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * self.seconds)


@dataclass(frozen=True)
class Gateway(httpx.BaseTransport):
    """A REST API with proxy integration at "/" and "/{proxy+}", and binary media type "*/*".

    Attributes:
        handler: The function behind it.
        prefix: What callers find before the path: a slash and the stage, or the base path of a custom domain.
        is_custom: Whether the prefix is that of a custom domain, which the gateway leaves in the event's path.
        keys: The id of each API key. It is for the app to refuse a call without one.
        seconds: What is left of the function's time at each call.
        events: What the handler was given, oldest first.
        answers: What it gave back.
    """

    handler: Handler
    prefix: str = "/prod"
    is_custom: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 25.0
    events: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = [(name.decode(), value.decode()) for name, value in request.headers.raw]
        status, answered, body = self.call(request.method, request.url.raw_path.decode(), headers, request.read())
        return httpx.Response(status, headers=answered, content=body)

    def call(self, method: str, target: str, headers: HeaderList, body: bytes) -> tuple[int, HeaderList, bytes]:
        """One request and its answer: status, headers, body."""
        event = self.event(method, target, headers, body)
        self.events.append(event)
        answer = self.handler(event, LambdaContext(self.seconds))
        self.answers.append(answer)
        text: str = answer["body"]
        several = [(name, value) for name, values in answer["multiValueHeaders"].items() for value in values]
        content = base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()
        return answer["statusCode"], [*answer["headers"].items(), *several], content

    def event(self, method: str, target: str, headers: HeaderList, body: bytes) -> dict[str, Any]:
        """The proxy event of a request."""
        parts = urlsplit(target)
        inside = parts.path.removeprefix(self.prefix)
        proxy = unquote(inside).strip("/")
        query = parse_qs(parts.query, keep_blank_values=True)
        lists: dict[str, list[str]] = {}
        for name, value in headers:
            lists.setdefault(name, []).append(value)
        given = {name.lower(): values[-1] for name, values in lists.items()}
        key = given.get("x-api-key")
        return {
            "resource": "/{proxy+}" if proxy else "/",
            "path": parts.path if self.is_custom else inside or "/",
            "httpMethod": method,
            "headers": {name: values[-1] for name, values in lists.items()} or None,
            "multiValueHeaders": lists or None,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": {"proxy": proxy} if proxy else None,
            "stageVariables": None,
            "requestContext": {
                "requestId": secrets.token_hex(16),
                "stage": self.prefix.strip("/") or "prod",
                "path": parts.path,
                "httpMethod": method,
                "protocol": "HTTP/1.1",
                "identity": {"apiKey": key, "apiKeyId": self.keys.get(key or ""), "sourceIp": "203.0.113.7"},
            },
            "body": base64.b64encode(body).decode() if body else None,
            "isBase64Encoded": bool(body),
        }


@contextmanager
def event_loop() -> Iterator[None]:
    """Mangum runs requests in the loop of its thread, and would otherwise make one that is never closed."""
    with closing(asyncio.new_event_loop()) as loop:
        asyncio.set_event_loop(loop)
        try:
            yield
        finally:
            asyncio.set_event_loop(None)


@contextmanager
def serving_gateway(handler: Handler, **attributes: Any) -> Iterator[str]:
    """Serve a handler over a real socket until the block ends; gives the address of the stage.

    Requests are handled one after the other, like those of one instance of a function.
    """
    gateway = Gateway(handler, **attributes)
    server = HTTPServer(("127.0.0.1", 0), _http_handler(gateway))

    def run() -> None:
        with event_loop():
            server.serve_forever(poll_interval=0.05)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{gateway.prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _http_handler(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handling(BaseHTTPRequestHandler):
        timeout = 5  # seconds: browsers open connections ahead, and no other is served while one is waited for

        def _handle(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers, body = gateway.call(self.command, self.path, list(self.headers.items()), sent)
            self.send_response(status)
            for name, value in headers:
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _handle  # noqa: N815 - the names that the base class asks for

        def log_message(self, *arguments: object) -> None:
            """Nothing to say."""

    return Handling
