"""Pictures given by URL to the command line, from a real HTTPS server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme
from cloud.receiver import Receiver, file_answer, stranger

from stylizer_cli import downloads
from stylizer_cli.jobs import StyleChoice, parse_style
from stylizer_cli.main import run as run_command
from stylizer_cli.sources import file_name
from stylizer_client import Client, ClientError
from stylizer_service.adapters.local import Local

FAST = ("--size", "64", "--method", "color")
Answer = Callable[[BaseHTTPRequestHandler], None]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """An HTTPS server that the command line trusts, at `site.url`."""
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with stranger(authority) as site:
        site.url = site.url.replace("hooks.example", "127.0.0.1").partition("/painted")[0]
        yield site


@pytest.fixture
def paint(run: Run) -> Run:
    """Run `stylizer paint` in a folder with pictures, no style downloaded yet: exit code, stdout, stderr."""
    downloads.download_style.cache_clear()
    return partial(run, "paint")


def redirect(location: str) -> Answer:
    return file_answer(b"", 302, {"Location": location})


def undeclared(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000)


def test_photo_and_style_by_url_paint_as_files_do(paint: Run, site: Receiver, folder: Path, photo: bytes) -> None:
    style = (folder / "left.png").read_bytes()
    site.answers = [redirect("/moved"), file_answer(photo), file_answer(style)]
    assert paint("cat.jpg", "--style", "left.png", *FAST, "-o", "file.png")[0] == 0

    code, stdout, stderr = paint(f"{site.url}/a%20cat.jpg?x=1", "--style", f"{site.url}/left.png", *FAST, "--to", "out")
    assert (code, "painted 1" in stderr) == (0, True), stderr
    assert stdout.split("\n")[0] == "out/a cat-left.jpg"
    assert [heard.path for heard in site.heard] == ["/a%20cat.jpg?x=1", "/moved", "/left.png"]

    site.answers = [file_answer(photo)]
    assert paint(f"{site.url}/cat.jpg", "--style", f"{site.url}/left.png", *FAST, "-o", "url.png")[0] == 0
    assert (folder / "url.png").read_bytes() == (folder / "file.png").read_bytes()
    assert site.answers == [], "the style was not downloaded again"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([file_answer(b"gone", 404)], "was answered with 404 Not Found"),
        ([file_answer(b"<p>", 200, {"Content-Type": "text/html; charset=utf-8"})], "is a web page (text/html)"),
        ([file_answer(b"x" * 2000)], "has more bytes; allowed: at most 1,000 bytes"),
        ([undeclared], "has more bytes; allowed: at most 1,000 bytes"),
        ([redirect("http://example.com/cat.jpg")], "redirects to an address that is not https"),
        ([redirect("/again")] * 4, "redirects more than 3 times"),
        ([file_answer(b"no picture")], "the photo is text"),
    ],
    ids=["404", "html", "declared", "undeclared", "http", "loop", "text"],
)
def test_failed_download_names_the_reason(
    paint: Run, site: Receiver, monkeypatch: pytest.MonkeyPatch, answers: list[Answer], words: str
) -> None:
    monkeypatch.setattr(downloads, "MAX_BYTES", 1000)
    site.answers = list(answers)

    code, _, stderr = paint(f"{site.url}/cat.jpg?key=secret", "--style", "woodcut", *FAST, "-o", "out.jpg")
    assert (code, words in stderr, "secret" in stderr) == (1, True, False), stderr
    assert not Path("out.jpg").exists()


def test_slow_download_ends_after_the_total_time(
    paint: Run, site: Receiver, monkeypatch: pytest.MonkeyPatch, photo: bytes
) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT", 0.5)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not site.stopping.wait(0.1):  # each read is in time
            handler.wfile.write(photo[:1])

    site.answers = [drip]
    code, _, stderr = paint(f"{site.url}/cat.jpg", "--style", "woodcut", *FAST)
    assert (code, "was not sent within 0.5 s" in stderr) == (1, True), stderr


def test_unknown_certificate_is_refused(paint: Run, site: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    code, _, stderr = paint(f"{site.url}/cat.jpg", "--style", "woodcut", *FAST)
    assert (code, "CERTIFICATE_VERIFY_FAILED" in stderr, site.heard) == (1, True, [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("http://example.com/cat.jpg", "--style", "woodcut"),
            "photo is 'http://example.com/cat.jpg'; it must be an https",
        ),
        (
            ("cat.jpg", "--style", "http://example.com/a.jpg"),
            "style is 'http://example.com/a.jpg'; it must be an https",
        ),
        (("https:///cat.jpg", "--style", "woodcut"), "it must be an https address"),
        (("https://example.com/", "--style", "woodcut"), "the photo at this URL has no name"),
    ],
)
def test_unusable_url_exits_with_code_2(paint: Run, arguments: tuple[str, ...], words: str) -> None:
    code, _, stderr = paint(*arguments)

    assert (code, words in stderr) == (2, True), stderr


def test_url_without_httpx_names_the_extra(paint: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer_cli.service.find_spec", lambda _: None)

    code, _, stderr = paint("https://example.com/cat.jpg", "--style", "woodcut")
    assert (code, "photo is a URL, but" in stderr, "image-stylizer[client]" in stderr) == (2, True, True)


def test_urls_are_passed_on_to_the_service(paint: Run, address: str, local: Local, client: Client) -> None:
    photo, quilt = "https://example.com/cat.jpg", "https://example.com/quilt.jpg"
    code, _, stderr = paint(photo, "--style", quilt, "--api", address)
    assert (code, "content_url" in stderr) == (2, True), stderr

    local.service.settings = local.service.settings.model_copy(update={"url_inputs": True})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stylizer_client.AsyncClient.wait", disconnected)
        assert paint(photo, "--style", quilt, "--api", address)[0] == 1
    [job] = client.jobs()
    assert (job.content, [entry.style for entry in job.styles]) == (photo, [quilt])


async def disconnected(*_: object, **__: object) -> None:
    raise ClientError("the connection is gone")


@pytest.mark.parametrize("sources", [("https://a.example/b.jpg", "woodcut"), ("cat.jpg", "https://a.example/b.jpg")])
def test_compare_by_url_exits_with_code_2(capfd: pytest.CaptureFixture[str], sources: tuple[str, str]) -> None:
    assert run_command(["compare", sources[0], "--style", sources[1]]) == 2
    assert "compare takes files, not URLs" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("https://a.example/q.jpg?w=800", StyleChoice("https://a.example/q.jpg?w=800")),
        ("https://a.example/q.jpg?w=800=2", StyleChoice("https://a.example/q.jpg?w=800", 2)),
        ("https://a.example/q.jpg=0.5", StyleChoice("https://a.example/q.jpg", 0.5)),
    ],
)
def test_weight_of_a_url_is_no_query_parameter(text: str, choice: StyleChoice) -> None:
    assert parse_style(text) == choice


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("https://a.example/b/cat.jpg?c=/d.png#e", "cat.jpg"),
        ("https://a.example/%2e%2e%2Fcat%00.jpg", ".._cat_.jpg"),
        ("https://a.example", ""),
        ("pictures/cat.jpg", "cat.jpg"),
    ],
)
def test_file_name_of_a_url_is_its_last_segment(source: str, name: str) -> None:
    assert file_name(source) == name
