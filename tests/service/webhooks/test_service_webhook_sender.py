from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from stylizer_service.outbound.addresses import Address
from stylizer_service.webhooks.delivery import NotSent
from stylizer_service.webhooks.sender import HttpsSender

HEADERS = {"Content-Type": "application/json", "webhook-id": "one"}
SOON = 0.15
"""Seconds after which a sender here gives up. What it waits for never comes: the test would hang if it did not."""


class Receiver(Protocol):
    url: str
    heard: list[Any]
    answers: list[int | Callable[[BaseHTTPRequestHandler], object]]
    stopping: threading.Event

    def sender(self, timeout: float = ..., **options: Any) -> HttpsSender: ...


def addresses(*texts: str) -> Callable[[str, int], list[Address]]:
    return lambda host, port: [ip_address(text) for text in texts]  # noqa: ARG005


def test_a_request_arrives_as_it_was_sent(receiver: Receiver) -> None:
    status = receiver.sender().post(receiver.url, HEADERS, b'{"a": 1}')

    assert status == 204
    [heard] = receiver.heard
    assert (heard.path, heard.body) == ("/painted?by=us", b'{"a": 1}')
    assert heard.headers["Host"] == receiver.url.split("/")[2]
    assert "Stylizer" in heard.headers["User-Agent"]
    assert heard.headers.items() >= HEADERS.items()


def test_name_with_any_private_address_is_never_connected_to(receiver: Receiver) -> None:
    for found in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "2606:4700::1111"], ["fd00:ec2::254"]):
        with pytest.raises(NotSent, match="not public"):
            HttpsSender(30, resolve=addresses(*found)).post(receiver.url, HEADERS, b"{}")
    assert receiver.heard == []


def test_names_of_the_machine_itself_are_refused() -> None:
    with pytest.raises(NotSent, match="not public"):
        HttpsSender(30).post("https://localhost/", HEADERS, b"{}")


def test_connection_uses_the_checked_address(receiver: Receiver) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    checked: list[str] = []

    def is_allowed(address: Address) -> bool:
        checked.append(str(address))
        return True

    sender = receiver.sender(resolve=lambda *_: list(map(ip_address, answers.pop(0))), is_allowed=is_allowed)

    assert sender.post(receiver.url, HEADERS, b"{}") == 204
    assert (checked, len(answers)) == (["127.0.0.1"], 1)


def test_a_dead_address_is_passed_over_for_one_that_lives(receiver: Receiver) -> None:
    sender = receiver.sender(resolve=addresses("127.0.0.2", "127.0.0.1"))

    assert sender.post(receiver.url, HEADERS, b"{}") == 204


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [302, 308]

    assert [receiver.sender().post(receiver.url, HEADERS, b"{}") for _ in range(2)] == [302, 308]
    assert len(receiver.heard) == 2


def test_certificate_of_wrong_name_or_authority_is_refused(receiver: Receiver) -> None:
    other_name = receiver.url.replace("hooks.example", "other.example")
    with pytest.raises(NotSent, match=r"CERTIFICATE_VERIFY_FAILED.*other\.example"):
        receiver.sender().post(other_name, HEADERS, b"{}")

    stranger = HttpsSender(30, is_allowed=lambda _: True, resolve=addresses("127.0.0.1"))
    with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.post(receiver.url, HEADERS, b"{}")
    assert receiver.heard == []


def drip(first: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that begins so, and never ends: a byte at a time, each sooner than any timeout of one read."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(first)
        while True:  # until the client hangs up
            handler.wfile.write(b"x")
            threading.Event().wait(SOON / 10)

    return answer


@pytest.mark.parametrize("first", [b"HTTP/1.1 2", b"HTTP/1.1 204 No Content\r\nX-A: ", b"HTTP/1.1 100 Continue\r\n"])
def test_an_answer_that_drips_is_cut_off(receiver: Receiver, first: bytes) -> None:
    receiver.answers = [drip(first)]

    with pytest.raises(NotSent, match=r"Timeout|timed out"):
        receiver.sender(SOON).post(receiver.url, HEADERS, b"{}")


def test_a_receiver_that_does_not_read_is_cut_off(receiver: Receiver) -> None:
    def answer(_: BaseHTTPRequestHandler) -> None:
        receiver.stopping.wait()

    receiver.answers = [answer]

    with pytest.raises(NotSent, match=r"Timeout|timed out"):
        receiver.sender(SOON).post(receiver.url, HEADERS, bytes(50_000_000))


def test_a_receiver_that_reads_and_never_answers_is_cut_off(receiver: Receiver) -> None:
    receiver.answers = [lambda _: receiver.stopping.wait()]

    with pytest.raises(NotSent, match=r"Timeout|timed out"):
        receiver.sender(SOON).post(receiver.url, HEADERS, b"{}")
    assert len(receiver.heard) == 1


def test_slow_receiver_is_cut_off_at_the_total_deadline(receiver: Receiver) -> None:
    def sip(handler: BaseHTTPRequestHandler) -> None:
        while not receiver.stopping.wait(SOON / 10) and handler.connection.recv(65_536):
            pass

    receiver.answers = [sip]

    with pytest.raises(NotSent, match=r"Timeout|timed out|no answer in time"):
        receiver.sender(SOON).post(receiver.url, HEADERS, bytes(50_000_000))


def test_a_receiver_that_accepts_nothing_is_cut_off(receiver: Receiver) -> None:
    with socket.socket() as deaf, ExitStack() as callers:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # more than its backlog holds: further connections wait
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        url = f"https://hooks.example:{deaf.getsockname()[1]}/"
        with pytest.raises(NotSent, match=r"Timeout|timed out"):
            receiver.sender(SOON).post(url, HEADERS, b"{}")


def test_a_receiver_that_never_answers_the_handshake_is_cut_off(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://hooks.example:{mute.getsockname()[1]}/"
        with pytest.raises(NotSent, match=r"Timeout|timed out"):
            receiver.sender(SOON).post(url, HEADERS, b"{}")


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    over = threading.Event()
    yield over
    over.set()


def test_a_name_that_takes_too_long_to_resolve_is_cut_off(receiver: Receiver, hanging: threading.Event) -> None:
    def resolve(*_: object) -> list[Address]:
        hanging.wait()
        return []

    with pytest.raises(NotSent, match="not resolved in time"):
        receiver.sender(SOON, resolve=resolve).post(receiver.url, HEADERS, b"{}")


def test_name_resolved_after_the_deadline_is_not_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]

    def resolve(*_: object) -> list[Address]:
        seconds.append(30.0)
        return [ip_address("127.0.0.1")]

    monkeypatch.setattr("stylizer_service.outbound.https.time", SimpleNamespace(monotonic=lambda: seconds[-1]))
    with pytest.raises(NotSent, match="no answer in time"):
        receiver.sender(30, resolve=resolve).post(receiver.url, HEADERS, b"{}")
    assert receiver.heard == []


def endless(start: bytes, piece: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(start)
        while True:  # until the client hangs up
            handler.wfile.write(piece)

    return answer


def test_of_an_answer_without_end_only_a_little_is_read(receiver: Receiver) -> None:
    receiver.answers = [
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000),
        endless(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"y" * 1000 + b"\r\n"),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ]
    sender = receiver.sender()

    assert sender.post(receiver.url, HEADERS, b"{}") == 200  # delivered; the body is ignored
    for _ in range(2):
        with pytest.raises(NotSent, match="more than 65536 bytes"):
            sender.post(receiver.url, HEADERS, b"{}")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 100])
def test_what_is_no_http_counts_as_not_sent(receiver: Receiver, answer: bytes) -> None:
    receiver.answers = [lambda handler: handler.wfile.write(answer)]

    with pytest.raises(NotSent):
        receiver.sender().post(receiver.url, HEADERS, b"{}")


def test_unreachable_receiver_counts_as_not_sent(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def fails(*_: object) -> list[Address]:
        raise socket.gaierror(-2, "Name or service not known")

    for sender in (
        receiver.sender(),
        receiver.sender(resolve=fails),
        receiver.sender(resolve=addresses()),
    ):
        with pytest.raises(NotSent):
            sender.post(f"https://hooks.example:{port}/", HEADERS, b"{}")


@pytest.mark.parametrize("url", ["https://[::1/", "https://hooks.example:https/", "https://" + "a" * 64 + ".example/"])
def test_an_address_that_cannot_be_read_counts_as_not_sent(url: str) -> None:
    with pytest.raises(NotSent):
        HttpsSender(30).post(url, HEADERS, b"{}")
