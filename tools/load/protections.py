"""Protections against malicious clients, and against too many clients."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path

import httpx
from waiting import wait_for

from tools.load.attacks import HalfOpen, flood
from tools.load.clients import Plan
from tools.load.processes import SERVER, Server, painter_held, run_clients, serving

_CHEAP = {"style": "woodcut", "size": "64", "quality": "draft"}
_BUFFERS = 16 * 2**20
"""Maximum bytes in both ends' socket buffers that the server has not read."""
_ENDLESS = 400 * 2**20
_PIECE = bytes(64 * 1024)
_PART = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a.jpg"\r\n\r\n'


@dataclass
class Protection:
    """Results for one protection.

    Attributes:
        name: What was tried.
        figures: Measurements, as text.
        broken: Violated guarantees.
    """

    name: str
    figures: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def promise(self, is_kept: bool, broken: str) -> None:
        if not is_kept:
            self.broken.append(broken)


def queue_limit(folder: Path, photo: Path, *, limit: int = 8, jobs: int = 24) -> Protection:
    """Submit more jobs than may be queued: rejected clients retry after the stated delay, and all jobs are painted."""
    seen = Protection(f"{jobs} jobs at once where {limit} may wait")
    data = folder / "queue"
    data.mkdir()
    waits: list[float] = []
    with painter_held(data), serving(data, queue_limit=str(limit)) as server:
        full = [_ask(server, photo) for _ in range(limit + 1)]
        seen.promise(full[-1].status_code == HTTPStatus.TOO_MANY_REQUESTS, f"the queue took more than {limit}")
    with serving(data, queue_limit=str(limit)) as server, ThreadPoolExecutor(jobs) as clients:
        ids = [str(answer.json()["id"]) for answer in full[:-1]]
        ids += clients.map(lambda _: _ask_until_accepted(server, photo, waits), range(jobs - limit))
        statuses = [wait_for(partial(_ended, server, job), f"the end of {job}") for job in ids]
    seen.promise(statuses.count("succeeded") == len(set(ids)) == jobs, f"of {jobs} jobs: {sorted(statuses)}")
    seen.figures.append(f"{1 + len(waits)} refused with 429 and Retry-After, {statuses.count('succeeded')} painted")
    return seen


def _ask(server: Server, photo: Path) -> httpx.Response:
    files = {"content": ("photo.jpg", photo.read_bytes())}
    return server.api.post("/v1/stylizations", files=files, data=_CHEAP)


def _ask_until_accepted(server: Server, photo: Path, waits: list[float]) -> str:
    while (answer := _ask(server, photo)).status_code == HTTPStatus.TOO_MANY_REQUESTS:
        waits.append(float(answer.headers["Retry-After"]))
        time.sleep(waits[-1])
    return str(answer.raise_for_status().json()["id"])


def _ended(server: Server, job: str) -> str | None:
    status = str(server.api.get(f"/v1/stylizations/{job}").raise_for_status().json()["status"])
    return None if status in ("queued", "running") else status


def all_protections(folder: Path, photo: Path, *, clients: int, seconds: float) -> Iterator[Protection]:
    """Test every protection.

    Args:
        folder: Working folder.
        photo: The photo to send.
        clients: Number of well-behaved clients beside the malicious ones.
        seconds: Duration of their requests.
    """
    yield queue_limit(folder, photo)
    yield key_rates(folder, clients=clients, seconds=seconds)
    with serving(folder / "attacked") as server:
        job = str(_ask(server, photo).raise_for_status().json()["id"])
        yield half_open(
            server, Plan(address=server.address, clients=clients, seconds=seconds, mix={"poll": 1}, jobs=[job])
        )
        yield from oversized(server)


def half_open(server: Server, plan: Plan, *, count: int = 300, seconds: float = 60.0) -> Protection:
    """Open connections that never complete their requests, beside clients that must still be served."""
    seen = Protection(f"{count} half-open connections")
    before = server.usage()
    with HalfOpen(server.address, count) as connections:
        report = run_clients(plan)
        during = server.usage()
        deadline = time.monotonic() + seconds
        while (left := connections.drip()) and time.monotonic() < deadline:
            time.sleep(0.5)
        after = dict(connections.closed_after)
    served = sum(map(len, report.took.values()))
    seen.promise(report.unserved == 0 and set(report.answers) == {"200"}, f"others were answered {report.answers}")
    seen.promise(left == 0, f"{left} of {count} are still open after {seconds:.0f} s")
    seen.figures.append(f"{plan.clients} others: {served / report.seconds:.0f} polls/s, none unserved")
    seen.figures += [f"{name}: all closed after {closed:.0f} s" for name, closed in after.items()]
    seen.figures.append(f"{before.files} -> {during.files} open files, {before.memory:.0f} -> {during.memory:.0f} MiB")
    return seen


def oversized(server: Server) -> list[Protection]:
    """Send bodies longer than allowed, or longer than declared."""
    form = server.api.post("/v1/uploads", json={"media_type": "image/jpeg"}).raise_for_status().json()
    max_bytes = int(form["max_bytes"])
    json_type, form_type = "application/json", "multipart/form-data; boundary=x"
    content, file = _PART % b"content", _PART % b"file"
    chunk = b"%x\r\n" % len(_PIECE) + _PIECE + b"\r\n"
    said, chunked = "Content-Length: 1000000000", "Transfer-Encoding: chunked"
    cases = [
        ("JSON, announced", "/v1/uploads", json_type, said, b"", _PIECE, 0),
        ("JSON, in chunks", "/v1/uploads", json_type, chunked, b"", chunk, 256 * 1024),
        ("JSON, more than announced", "/v1/uploads", json_type, "Content-Length: 20", b"", _PIECE, 0),
        ("form, announced", "/v1/stylizations", form_type, said, content, _PIECE, 0),
        ("form, in chunks", "/v1/stylizations", form_type, chunked, _chunk(content), chunk, max_bytes),
        ("file by a form, in chunks", form["url"], form_type, chunked, _chunk(file), chunk, max_bytes),
        ("body of a path that is not there", "/nothing", json_type, chunked, b"", chunk, 0),
    ]
    return [_oversized(server, max_bytes, *case) for case in cases]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n" % len(data) + data + b"\r\n"


def _oversized(
    server: Server, max_bytes: int, name: str, path: str, kind: str, length: str, start: bytes, piece: bytes, limit: int
) -> Protection:
    seen = Protection(f"too long: {name}")
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode()
    before = server.usage().memory
    result = flood(server.address, head + start, piece=piece, most=_ENDLESS)
    seen.promise(result.status in range(400, 500), f"{name}: answered {result.status}")
    # After the response the server reads and discards up to one file's size, for clients that read only when they have
    # sent all.
    most = limit + max_bytes + _BUFFERS
    seen.promise(result.is_cut and result.taken <= most, f"{name}: {result.taken >> 20} MiB were taken")
    seen.figures.append(
        f"{result.status} after {result.answered / 2**20:.1f} MiB, cut off after {result.taken / 2**20:.1f} MiB "
        f"of {limit / 2**20:.1f} allowed; {server.usage().memory - before:+.0f} MiB of memory"
    )
    return seen


def key_rates(folder: Path, *, clients: int = 16, seconds: float = 3.0) -> Protection:
    """Exceed a key's rate limit: the client gets a Retry-After, and other keys are unaffected."""
    seen = Protection("a key that asks without pause, beside one that does not")
    data = folder / "keys"
    greedy, modest = (_add_key(data, name) for name in ("greedy", "modest"))
    with serving(data, "--require-keys") as server:
        plan = Plan(address=server.address, clients=clients, seconds=seconds, mix={"list": 1})
        with ThreadPoolExecutor(1) as beside:
            headers = {"X-Api-Key": greedy}
            storm = beside.submit(run_clients, plan.model_copy(update={"headers": headers}))
            answers = list(_now_and_then(server, modest, storm.done))
            report = storm.result()
        refused = server.api.get("/v1/stylizations", headers=headers)
    seen.promise(set(answers) == {HTTPStatus.OK}, f"the other key was answered {sorted(set(answers))}")
    seen.promise(set(report.answers) == {"200", "429"}, f"the greedy key was answered {report.answers}")
    seen.promise("Retry-After" in refused.headers or refused.is_success, "429 without Retry-After")
    allowed = report.answers.get("200", 0)
    seen.figures.append(
        f"{allowed / report.seconds:.0f} a second let in, {report.answers.get('429', 0) / report.seconds:.0f} refused; "
        f"the other key: {len(answers)} of {len(answers)} answered"
    )
    return seen


def _now_and_then(server: Server, key: str, is_over: Callable[[], bool]) -> Iterator[int]:
    while not is_over():
        yield server.api.get("/v1/stylizations", headers={"X-Api-Key": key}).status_code
        time.sleep(0.1)


def _add_key(data: Path, name: str) -> str:
    command = [sys.executable, "-c", SERVER, "--data-dir", str(data), "keys", "add", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()[-1]
