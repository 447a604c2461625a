"""The audit: what it asks about, and that it calls nothing clean that it could not ask about."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra import locks
from infra.audit import CLEAN, UNKNOWN, VULNERABLE, audit, audited
from infra.bundles import ROOT

FLAW = {
    "id": "OSV-2026-1",
    "summary": "It falls over.",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "easel", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
        }
    ],
}


class Osv:
    """A service of vulnerabilities that knows one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.url = ""

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(f"{question['package']['name']} {question['version']}")
        return {"vulns": [FLAW]} if self.asked[-1] == "easel 1.0" else {}


@pytest.fixture
def osv() -> Iterator[Osv]:
    service = Osv()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(service.answer(question)).encode()
            self.send_response(service.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        service.url = f"http://127.0.0.1:{server.server_port}/v1/query"
        yield service
        server.shutdown()
        thread.join()


def write(folder: Path, *pins: str) -> list[Path]:
    (folder / "lock.txt").write_text("".join(f"{pin} \\\n    --hash=sha256:{'0' * 64}\n" for pin in pins))
    return [folder / "lock.txt"]


def test_versions_that_nothing_is_known_of_are_clean(
    osv: Osv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(write(tmp_path, "easel==2.0", "varnish==1.0"), osv.url) == CLEAN
    assert sorted(osv.asked) == ["easel 2.0", "varnish 1.0"]
    assert capsys.readouterr().out == "2 versions audited: none is known to be vulnerable\n"


def test_a_vulnerable_version_is_named_with_the_one_that_mends_it(
    osv: Osv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(write(tmp_path, "easel==1.0", "varnish==1.0"), osv.url) == VULNERABLE
    out, err = capsys.readouterr()
    assert out == ""
    for word in ("easel", "OSV-2026-1", "2.0"):
        assert word in err
    assert "none is known" not in err


@pytest.mark.parametrize("trouble", ["nobody is there", "it fails"])
def test_a_service_that_cannot_be_asked_is_not_taken_for_a_clean_bill(
    osv: Osv, tmp_path: Path, trouble: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/v1/query"
    osv.status = 500
    assert audit(write(tmp_path, "varnish==1.0"), nobody if trouble == "nobody is there" else osv.url) == UNKNOWN
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("not audited: ")
    assert "This says nothing about vulnerabilities" in err


def test_everything_that_is_deployed_is_asked_about() -> None:
    names = {path.stem for path in audited()}
    assert names == {"layer", "painter", "torch-cuda", "vgg19", "constraints"}
    assert locks.read("torch-cpu")["torch"].version.partition("+")[0] == locks.read("torch-cuda")["torch"].version
    assert all(path.is_relative_to(ROOT) for path in audited())
