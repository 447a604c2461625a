"""The stages of a run, from the baseline alone to every client while the painter uses all cores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from waiting import wait_for

from tools.load.clients import Plan, Report
from tools.load.processes import Server, Usage, baseline, painter_held, run_clients, serving
from tools.load.requests import OPTIONS

MIX = {
    "poll": 60.0,
    "list": 8.0,
    "page": 6.0,
    "image": 10.0,
    "upload": 6.0,
    "create": 5.0,
    "create with file": 5.0,
}
"""Visits in a hundred: mostly people who watch a painting."""

_NO_LIMIT = {"queue_limit": "1000000"}
_LEAVE_SECONDS = 1.0
"""After so long the server has closed the connections that clients have closed."""
_SPARE_FILES = 16
"""Open files more than before that are no leak: each thread of the server may keep one."""


@dataclass(frozen=True)
class Stage:
    """What one crowd has seen.

    Attributes:
        name: What was asked of whom.
        clients: How many at a time.
        report: What came of it.
        usage: What the server held afterward; None of the baseline.
        cores: How many cores the server has used meanwhile, without the painter.
        painted: Jobs painted a minute meanwhile; None where the painter was not at work.
    """

    name: str
    clients: int
    report: Report
    usage: Usage | None = None
    cores: float = 0.0
    painted: float | None = None

    @property
    def rate(self) -> float:
        """Requests a second."""
        return sum(map(len, self.report.took.values())) / self.report.seconds


@dataclass
class Run:
    """Everything that was seen.

    Attributes:
        stages: In their order.
        undisturbed: Jobs painted a minute while nobody asks for anything.
        before: What the server held before the first client.
        after: What it held when the last one had left.
        accepted: Jobs that it said it would paint.
        lost: Those that were neither painted nor stopped nor failed with a reason.
    """

    stages: list[Stage] = field(default_factory=list)
    undisturbed: float = 0.0
    before: Usage | None = None
    after: Usage | None = None
    accepted: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def broken(self) -> Iterator[str]:
        """Every promise that was not kept."""
        for stage in self.stages:
            bad = {name: count for name, count in stage.report.answers.items() if not name.startswith(("2", "3"))}
            if bad:
                yield f"{stage.name}, {stage.clients} clients: {bad}"
            if stage.report.unserved:
                yield f"{stage.name}, {stage.clients} clients: {stage.report.unserved} of them were never served"
        if self.lost:
            yield f"{len(self.lost)} jobs lost, such as {self.lost[0]}"
        if self.before and self.after and self.after.files > self.before.files + _SPARE_FILES:
            yield f"{self.after.files} open files when all had left, {self.before.files} before the first came"


def run(folder: Path, photo: Path, *, clients: Sequence[int], seconds: float, backlog: int = 400) -> Run:
    """Run every stage.

    Args:
        folder: To keep everything in.
        photo: What is sent.
        clients: How many at a time, stage by stage.
        seconds: Of each stage.
        backlog: Jobs that wait before the painter is let to work, so that it always has some.
    """
    result = Run()
    with baseline() as address:
        for count in clients:
            plan = Plan(address=address, clients=count, seconds=seconds / 2, mix={"health": 1})
            result.stages.append(Stage("baseline", count, run_clients(plan)))
    data = folder / "data"
    painted = _paint_some(data, photo)
    with ExitStack() as hold, ExitStack() as until_left:
        hold.enter_context(painter_held(data))
        server = until_left.enter_context(serving(data, **_NO_LIMIT))
        plan = _plan(server, photo, painted, seconds)
        run_clients(
            plan.model_copy(update={"clients": max(clients), "seconds": 1.0})
        )  # every thread and cache is there now
        result.before = server.usage()
        for count in clients:
            _stage(result, server, plan, "polls", count, {"poll": 1})
        for count in clients:
            _stage(result, server, plan, "mix, painter idle", count, MIX)
        while len(result.accepted) < backlog:
            more = run_clients(plan.model_copy(update={"seconds": 1.0, "mix": {"create": 1}}))
            if not more.accepted:
                raise RuntimeError(f"the server takes no more jobs: {more.answers}")
            result.accepted += more.accepted
        hold.close()
        result.undisturbed = _undisturbed(server, 2 * seconds)
        for count in clients:
            _stage(result, server, plan, "mix, painter busy", count, MIX, is_painting=True)
        _stop_all(server)
        result.lost = [job for job in result.accepted if not _is_accounted_for(server, job)]
        time.sleep(_LEAVE_SECONDS)
        result.after = server.usage()
    return result


def draw_photo(path: Path) -> Path:
    """Make a photo of some 200 KB."""
    slope = Image.linear_gradient("L").resize((1280, 960))
    grain = Image.effect_noise((1280, 960), 30)
    Image.merge("RGB", (slope, grain, slope.rotate(180))).save(path, quality=70)
    return path


def _paint_some(data: Path, photo: Path) -> list[str]:
    """Have a few jobs painted, to be looked at; gives their ids."""
    with serving(data) as server:
        files = {"content": ("photo.jpg", photo.read_bytes())}
        fields = {name: str(value) for name, value in OPTIONS.items()}
        answers = [server.api.post("/v1/stylizations", files=files, data=fields) for _ in range(3)]
        ids = [str(answer.raise_for_status().json()["id"]) for answer in answers]
        wait_for(lambda: _painted(server) == len(ids), "the first paintings")
    return ids


def _plan(server: Server, photo: Path, painted: list[str], seconds: float) -> Plan:
    upload = server.api.post("/v1/uploads", json={"media_type": "image/jpeg"}).raise_for_status().json()
    files = {"file": ("photo.jpg", photo.read_bytes())}
    server.api.post(upload["url"], data=upload["fields"], files=files).raise_for_status()
    return Plan(
        address=server.address,
        clients=1,
        seconds=seconds,
        mix=MIX,
        jobs=painted,
        painted=painted,
        upload=upload["id"],
        photo=str(photo),
    )


def _stage(
    result: Run,
    server: Server,
    plan: Plan,
    name: str,
    clients: int,
    mix: dict[str, float],
    *,
    is_painting: bool = False,
) -> None:
    painted, cpu, began = _painted(server), server.usage().cpu, time.monotonic()
    report = run_clients(plan.model_copy(update={"clients": clients, "mix": mix}))
    usage, seconds = server.usage(), time.monotonic() - began
    result.accepted += report.accepted
    rate = 60 * (_painted(server) - painted) / seconds if is_painting else None
    result.stages.append(Stage(name, clients, report, usage, (usage.cpu - cpu) / report.seconds, rate))


def _undisturbed(server: Server, seconds: float) -> float:
    """Jobs painted a minute by a painter that has begun, while nobody asks for anything."""
    seen = _painted(server)
    wait_for(lambda: _painted(server) > seen, "the first painting of the backlog")
    painted, began = _painted(server), time.monotonic()
    time.sleep(seconds)
    return 60 * (_painted(server) - painted) / (time.monotonic() - began)


def _painted(server: Server) -> int:
    """How many jobs the painter says that it has painted; to ask its log costs the server nothing."""
    return server.log.read_text().count(": succeeded\n")


def _stop_all(server: Server) -> None:
    """Cancel what waits, and wait for what is being painted."""

    def none_is_left() -> bool:
        for status in ("queued", "running"):
            page = server.api.get("/v1/stylizations", params={"status": status, "limit": 100}).raise_for_status()
            for job in page.json()["items"]:
                server.api.post(f"/v1/stylizations/{job['id']}/cancel")
            if page.json()["items"]:
                return False
        return True

    wait_for(none_is_left, "the end of every job")


def _is_accounted_for(server: Server, job_id: str) -> bool:
    """Whether a job has ended in a way that tells its caller what became of it."""
    answer = server.api.get(f"/v1/stylizations/{job_id}")
    if not answer.is_success:
        return False
    job = answer.json()
    return job["status"] == "canceled" or bool(job["result"] if job["status"] == "succeeded" else job["error"])
