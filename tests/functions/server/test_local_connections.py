"""Slow, excessive and endless requests over plain sockets: each gets an error response or is closed."""

from __future__ import annotations

import itertools
import json
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import pytest
from waiting import PATIENCE, wait_for

Serve = Callable[..., AbstractContextManager[Any]]

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/stylizations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
FORM = b"POST /v1/stylizations HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=X\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def send(connection: socket.socket, pieces: Iterable[bytes], pause: float = 0.0) -> None:
    """Send all pieces, or until the server responds or closes."""
    connection.settimeout(PATIENCE)
    with suppress(ConnectionError):
        for piece in pieces:
            connection.sendall(piece)
            if pause and _is_readable(connection, pause):
                return


def _is_readable(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1, socket.MSG_PEEK) is not None
    except TimeoutError:
        return False
    finally:
        connection.settimeout(PATIENCE)


def read_problem(connection: socket.socket) -> tuple[int, str]:
    """Read to the end; status and problem type, or (0, "") without a response."""
    got = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            got += piece
    if not got:
        return 0, ""
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower(), got
    problem = json.loads(body)
    assert problem["status"] == int(head.split()[1])
    return problem["status"], problem["type"].removeprefix("/problems/")


def read_one(connection: socket.socket) -> int:
    """Read the next response only; its status."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, f"closed after {head!r}"
        head += byte
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    connection.recv(int(length.split(b":")[1]), socket.MSG_WAITALL)
    return int(head.split()[1])


def single_bytes(text: bytes) -> Iterator[bytes]:
    return (text[index : index + 1] for index in range(len(text)))


@pytest.mark.parametrize("earlier_requests", [0, 2])
def test_connection_slow_head_times_out(serve: Serve, earlier_requests: int) -> None:
    with serve(head_timeout=1) as running, running.connect() as connection:
        for _ in range(earlier_requests):
            connection.sendall(GET)
            assert read_one(connection) == 200
        send(connection, itertools.chain(single_bytes(GET[:-2]), itertools.repeat(b"a: b\r\n")), pause=0.02)
        assert read_problem(connection) == (408, "request-timeout")


def test_connection_silent_client_is_closed(serve: Serve) -> None:
    with serve(head_timeout=0.3) as running, running.connect() as connection:
        assert read_problem(connection) == (0, "")


def test_connection_keep_alive_ends_after_idle_timeout(serve: Serve) -> None:
    with serve(idle_timeout=1) as running, running.connect() as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert read_one(connection) == 200
        assert read_problem(connection) == (0, "")


@pytest.mark.parametrize(
    ("settings", "head", "piece"),
    [
        ({"head_timeout": 0.4, "body_rate": 10**6}, POST + b"Content-Length: 100000\r\n\r\n", b"["),
        ({"body_rate": 1, "body_timeout": 0.6}, FORM + CHUNKED + b"5\r\n--X\r\n\r\n", b"1\r\na\r\n"),
    ],
    ids=["slow", "long"],
)
def test_connection_slow_or_long_body_times_out(
    serve: Serve, settings: dict[str, float], head: bytes, piece: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(**settings) as running, running.connect() as connection:
        send(connection, itertools.chain([head], itertools.repeat(piece)), pause=0.05)

        assert read_problem(connection) == (408, "request-timeout")
        wait_for(lambda: running.connections == 0)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_connection_steady_body_outlasts_head_timeout(serve: Serve) -> None:
    with serve(head_timeout=0.5, body_rate=10) as running, running.connect() as connection:
        connection.sendall(POST + b"Content-Length: 200\r\n\r\n")
        send(connection, itertools.repeat(b"[" * 20, 10), pause=0.1)
        assert read_one(connection) == 400


def test_connection_aborted_request_logs_nothing(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    with serve() as running:
        for head in (GET[:20], POST + b"Content-Length: 9\r\n\r\n[", FORM + CHUNKED + b"5\r\n--X\r\n\r\n"):
            with running.connect() as connection:
                connection.sendall(head)
                wait_for(lambda: running.connections == 1)
            wait_for(lambda: running.connections == 0)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(("head", "piece"), [(POST, b"[" * 4096), (FORM, b"\r\n--X\r\n" * 512)])
def test_connection_endless_body_is_refused_while_streaming(serve: Serve, head: bytes, piece: bytes) -> None:
    chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
    with serve(max_bytes=100_000) as running, running.connect() as connection:
        connection.sendall(head + CHUNKED)
        send(connection, itertools.repeat(chunk), pause=0.001)
        assert read_one(connection) in (413, 422)


def test_connection_drain_after_refusal_times_out(
    serve: Serve,
) -> None:
    with serve(max_bytes=100_000, uvicorn_options={"drain_timeout": 0.5}) as running, running.connect() as connection:
        connection.sendall(POST + b"Content-Length: 999999999\r\n\r\n")
        send(connection, itertools.repeat(b"[" * 4096))
        wait_for(lambda: running.connections == 0)


def test_connection_wrong_content_length_is_refused(serve: Serve) -> None:
    with serve(head_timeout=1, body_rate=10**6) as running:
        with running.connect() as short:  # the excess is not a request
            short.sendall(POST + b"Content-Length: 2\r\n\r\n{}" + b"[" * 100 + b"\r\n\r\n")
            assert read_one(short) == 422
            assert read_problem(short) == (400, "malformed-request")
        with running.connect() as long:
            long.sendall(POST + b"Content-Length: 200\r\n\r\n{}")
            assert read_problem(long) == (408, "request-timeout")
        with running.connect() as two:
            two.sendall(POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")
            assert read_problem(two) == (400, "malformed-request")


def test_connection_two_body_lengths_are_refused_as_smuggling(serve: Serve) -> None:
    for lengths in (b"Content-Length: 5\r\n" + CHUNKED, b"transfer-encoding: chunked\r\nCONTENT-LENGTH: 5\r\n\r\n"):
        with serve() as running, running.connect() as connection:
            send(connection, [POST + lengths + b"0\r\n\r\n" + GET])
            assert read_problem(connection) == (400, "malformed-request")


def test_connection_body_in_tiny_chunks_is_refused(serve: Serve) -> None:
    with serve() as running, running.connect() as connection:
        send(connection, [FORM + CHUNKED, b"1\r\n-\r\n" * 5000])
        assert read_problem(connection) == (400, "malformed-request")


def test_connection_many_or_long_headers_are_refused(serve: Serve) -> None:
    with serve() as running:
        for more in (b"a: b\r\n" * 5000, b"a: " + b"b" * 100_000, b"b" * 100_000):
            with running.connect() as connection:
                send(connection, [b"GET / HTTP/1.1\r\nHost: localhost\r\n", more])
                assert read_problem(connection) == (400, "malformed-request")


def test_connection_form_of_many_parts_is_refused(serve: Serve) -> None:
    part = b'--X\r\nContent-Disposition: form-data; name="style"\r\n\r\nink\r\n'
    with serve() as running, running.connect() as connection:
        send(connection, [FORM + b"Content-Length: %d\r\n\r\n" % (5000 * len(part)), *itertools.repeat(part, 5000)])
        assert read_one(connection) == 422


def test_connection_unread_response_is_aborted(serve: Serve) -> None:
    with serve(send_timeout=0.5) as running, running.connect() as connection:
        path = running.local.service.settings.data_dir / "large"
        path.write_bytes(bytes(50_000_000))
        with path.open("rb") as file:
            running.local.blobs.put("jobs/large/result.png", file, "image/png")
        now = running.local.service.ports.clock.now()
        link = running.local.blobs.url("jobs/large/result.png", expires_at=now.replace(year=9999), filename="large.png")

        connection.sendall(f"GET {link} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        wait_for(lambda: running.connections == 0)


def test_connection_above_max_connections_gets_503(serve: Serve) -> None:
    with serve(max_connections=2) as running:
        with running.connect() as one, running.connect(), running.connect() as third:
            assert read_problem(third) == (503, "too-many-connections")
            one.sendall(GET)
            assert read_one(one) == 200
        wait_for(lambda: running.connections == 0)
        with running.connect() as again:
            again.sendall(GET)
            assert read_one(again) == 200


def test_connection_flood_is_aborted_without_response(serve: Serve) -> None:
    with serve(max_connections=1, uvicorn_options={"close_grace": 60.0}) as running, ExitStack() as stack:
        first, *others = [stack.enter_context(running.connect()) for _ in range(4)]
        assert sorted(read_problem(other) for other in others) == [(0, ""), (0, ""), (503, "too-many-connections")]
        first.sendall(GET)
        assert read_one(first) == 200


def test_connection_limit_per_address_exempts_proxies(serve: Serve) -> None:
    with serve(address_connections=1) as running, running.connect(), running.connect() as second:
        second.sendall(GET)
        assert read_one(second) == 200
    no_proxies = {"loopback": ()}
    with (
        serve(address_connections=1, uvicorn_options=no_proxies) as running,
        running.connect("127.0.0.2"),
        running.connect("127.0.0.2") as second,
    ):
        assert read_problem(second) == (503, "too-many-connections")
        with running.connect() as other:
            other.sendall(GET)
            assert read_one(other) == 200
