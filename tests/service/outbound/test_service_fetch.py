"""Fetching a picture by URL, from a real HTTPS server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address

import pytest
from cloud.receiver import Receiver, file_answer

from stylizer_service.outbound.addresses import Address, is_public
from stylizer_service.outbound.fetch import HttpsFetcher
from stylizer_service.problems import Problem

Refusal = Callable[..., Problem]
PICTURE = b"\xff\xd8 a picture"
SOON = 0.15
"""Seconds after which a fetcher gives up on an answer that never ends."""


def redirect(location: str, status: int = 302) -> Callable[[BaseHTTPRequestHandler], None]:
    return file_answer(b"", status, {"Location": location})


def test_fetch_returns_the_file_and_sends_no_secret(site: Receiver) -> None:
    site.answers = [file_answer(PICTURE)]

    assert site.fetcher().fetch(site.url, field="content_url") == PICTURE
    [heard] = site.heard
    assert heard.path == "/painted?by=us"
    assert {name.lower() for name in heard.headers} == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_redirects_are_followed_up_to_three_times(site: Receiver, refusal: Refusal) -> None:
    site.answers = [redirect("/a", 301), redirect("b?c=1", 307), redirect(site.url, 308), file_answer(PICTURE)]
    assert site.fetcher().fetch(site.url, field="content_url") == PICTURE
    assert [heard.path for heard in site.heard] == ["/painted?by=us", "/a", "/b?c=1", "/painted?by=us"]

    site.answers = [redirect(site.url)] * 5
    refused = refusal(site.fetcher().fetch, site.url, field="style_url")
    assert (refused.code, refused.status, refused.field) == ("unfetchable-url", 422, "style_url")
    assert "more than 3 times" in refused.detail
    assert len(site.heard) == 8


@pytest.mark.parametrize(
    "location",
    [
        "http://example.com/cat.jpg",
        "https://169.254.169.254/latest/meta-data",
        "https://0x7f.1/cat.jpg",
        "https://me:secret@example.com/cat.jpg",
        "file:///etc/passwd",
        "//[::1]/",
    ],
)
def test_redirect_to_a_private_or_odd_address_is_refused(site: Receiver, refusal: Refusal, location: str) -> None:
    site.answers = [redirect(location)]

    refused = refusal(site.fetcher().fetch, site.url, field="content_url")
    assert (refused.code, refused.field, len(site.heard)) == ("unfetchable-url", "content_url", 1)
    assert "secret" not in refused.detail


def test_redirect_to_a_name_of_a_private_address_is_refused(site: Receiver, refusal: Refusal) -> None:
    site.answers = [redirect("https://intranet.example/cat.jpg")]
    found = {"hooks.example": "127.0.0.1", "intranet.example": "10.0.0.7"}

    def resolve(host: str, port: int) -> list[Address]:  # noqa: ARG001
        return [ip_address(found[host])]

    fetcher = site.fetcher(resolve=resolve, is_allowed=lambda address: str(address) == "127.0.0.1")
    refused = refusal(fetcher.fetch, site.url, field="content_url")
    assert refused.detail == "content_url is at a host that is not public"
    assert len(site.heard) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "fd00:ec2::254"])
def test_name_of_a_private_address_is_never_connected_to(site: Receiver, refusal: Refusal, address: str) -> None:
    fetcher = site.fetcher(resolve=lambda *_: [ip_address("8.8.8.8"), ip_address(address)], is_allowed=is_public)

    refused = refusal(fetcher.fetch, site.url, field="content_url")
    assert refused.code == "unfetchable-url"
    assert address not in refused.detail
    assert site.heard == []


def test_connection_uses_the_checked_address(site: Receiver) -> None:
    site.answers = [file_answer(PICTURE)]
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    fetcher = site.fetcher(resolve=lambda *_: list(map(ip_address, answers.pop(0))))

    assert fetcher.fetch(site.url, field="content_url") == PICTURE
    assert len(answers) == 1


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:  # until the client hangs up
        handler.wfile.write(b"x" * 10_000)


@pytest.mark.parametrize("answer", [endless, file_answer(b"x" * 50_001)])
def test_file_above_max_bytes_is_too_large(site: Receiver, refusal: Refusal, answer: Callable[..., object]) -> None:
    site.answers = [file_answer(b"x" * 50_000), answer]

    assert len(site.fetcher(max_bytes=50_000).fetch(site.url, field="content_url")) == 50_000
    refused = refusal(site.fetcher(max_bytes=50_000).fetch, site.url, field="content_url")
    assert (refused.code, refused.status, refused.field) == ("image-too-large", 413, "content_url")
    assert refused.allowed == "at most 50,000 bytes"


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_slow_answer_ends_at_the_total_time(site: Receiver, refusal: Refusal, first: bytes) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(first)
        while True:  # each byte sooner than any timeout of one read
            handler.wfile.write(b"x")
            threading.Event().wait(SOON / 10)

    site.answers = [drip]
    refused = refusal(site.fetcher(timeout=SOON).fetch, site.url, field="content_url")
    assert refused.detail == f"content_url was not sent within {SOON:g} s"


def test_other_status_than_200_is_named(site: Receiver, refusal: Refusal) -> None:
    for status in (204, 304, 404, 503):
        site.answers = [file_answer(b"", status)]
        refused = refusal(site.fetcher().fetch, site.url, field="content_url")
        assert refused.detail == f"content_url was answered with status {status}"


def test_file_that_breaks_off_is_refused(site: Receiver, refusal: Refusal) -> None:
    site.answers = [file_answer(b"half", headers={"Content-Length": "8"})]
    assert "broke off" in refusal(site.fetcher().fetch, site.url, field="content_url").detail


def test_unreachable_or_untrusted_host_is_refused(site: Receiver, refusal: Refusal) -> None:
    untrusted = HttpsFetcher(30, 1000, is_allowed=lambda _: True, resolve=lambda *_: [ip_address("127.0.0.1")])
    assert "without a valid certificate" in refusal(untrusted.fetch, site.url, field="content_url").detail

    def unknown(*_: object) -> list[Address]:
        raise OSError("Name or service not known")

    assert "cannot be reached" in refusal(site.fetcher(resolve=unknown).fetch, site.url, field="content_url").detail
    assert site.heard == []
