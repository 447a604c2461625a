"""Stages of a load run, from the baseline alone to all clients while the painter uses all cores."""

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
"""Weights of the visits, summing to 100: most clients watch a painting."""

_NO_LIMIT = {"queue_limit": "1000000"}
_LEAVE_SECONDS = 1.0
"""Time by which the server has closed connections that the clients closed."""
_SPARE_FILES = 16
"""Additional open files that do not count as a leak: each server thread may keep one."""


@dataclass(frozen=True)
class Stage:
    """Results of one stage.

    Attributes:
        name: Description.
        clients: Number of concurrent clients.
        report: The clients' report.
        usage: Resource usage of the server afterward; None for the baseline.
        cores: Average cores used by the server meanwhile, without the painter.
        painted: Jobs painted per minute meanwhile; None where the painter was paused.
    """

    name: str
    clients: int
    report: Report
    usage: Usage | None = None
    cores: float = 0.0
    painted: float | None = None

    @property
    def rate(self) -> float:
        """Requests per second."""
        return sum(map(len, self.report.took.values())) / self.report.seconds


@dataclass
class Run:
    """Results of a run.

    Attributes:
        stages: In order.
        undisturbed: Jobs painted per minute without client load.
        before: Resource usage of the server before the first client.
        after: Resource usage after the last client has left.
        accepted: Jobs that the server accepted.
        lost: Accepted jobs that were neither painted nor canceled nor failed with a reason.
    """

    stages: list[Stage] = field(default_factory=list)
    undisturbed: float = 0.0
    before: Usage | None = None
    after: Usage | None = None
    accepted: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def broken(self) -> Iterator[str]:
        """Yield every violated guarantee."""
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
        folder: Working folder.
        photo: The photo to send.
        clients: Number of concurrent clients, stage by stage.
        seconds: Duration of each stage.
        backlog: Jobs queued before the painter is released, so that it always has work.
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
        )  # all threads and caches exist now
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
    """Create a photo of about 200 KB."""
    slope = Image.linear_gradient("L").resize((1280, 960))
    grain = Image.effect_noise((1280, 960), 30)
    Image.merge("RGB", (slope, grain, slope.rotate(180))).save(path, quality=70)
    return path


def _paint_some(data: Path, photo: Path) -> list[str]:
    """Have a few jobs painted for the clients to view; return their ids."""
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
    """Return the jobs painted per minute by a warm painter without client load."""
    seen = _painted(server)
    wait_for(lambda: _painted(server) > seen, "the first painting of the backlog")
    painted, began = _painted(server), time.monotonic()
    time.sleep(seconds)
    return 60 * (_painted(server) - painted) / (time.monotonic() - began)


def _painted(server: Server) -> int:
    """Return the number of jobs painted, counted in the painter's log, which costs the server nothing."""
    return server.log.read_text().count(": succeeded\n")


def _stop_all(server: Server) -> None:
    """Cancel queued jobs, and wait for the one in progress."""

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
    """Return whether a job has ended in a state that tells its caller what happened."""
    answer = server.api.get(f"/v1/stylizations/{job_id}")
    if not answer.is_success:
        return False
    job = answer.json()
    return job["status"] == "canceled" or bool(job["result"] if job["status"] == "succeeded" else job["error"])
