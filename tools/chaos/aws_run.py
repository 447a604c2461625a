"""Chaos run on AWS as simulated by moto: over an unreliable network, with painters that are killed."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import trustme
from cloud.control_plane import ControlPlane
from cloud.event_source import SCHEDULE, LambdaContext, QueueSource, Running, notice
from cloud.fault_proxy import carrying
from cloud.gateway import serving_gateway
from cloud.moto_server import serving_moto
from cloud.receiver import Receiver, stranger
from cloud.stage import Stage, build

from stylizer_service.adapters.aws import open_ports
from stylizer_service.adapters.aws.settings import ReconcilerSettings
from stylizer_service.jobs.retention import sweep
from tools.chaos.clients import Client, ClientPool, Ledger
from tools.chaos.figures import Figures, counted
from tools.chaos.invariants import Evidence, judge
from tools.chaos.job_requests import JobRequest, make_job_requests
from tools.chaos.network_faults import NetworkFaults
from tools.chaos.painters import GpuPainter, LambdaPainter, UnrulyQueue, deliver

_CLIENTS = 4
_FEW = 50
"""Number of jobs that one queue painter can handle."""
_GATEWAYS = 3
_CALM_SECONDS = 900.0
_ASKING_SECONDS = 8.0
_KEY = "key-of-ann"
_RECONCILER = "stylizer_reconciler.lambda_handler"


def run(folder: Path, *, jobs: int, seconds: float, pause: float, seed: int, log: Path | None) -> Figures:
    """Run the test; return its figures.

    Args:
        folder: Working folder of the processes.
        jobs: Number of jobs.
        seconds: Maximum duration of the faults.
        pause: Most seconds between two faults.
        seed: Seed of the job requests and faults.
        log: Log file of the functions.
    """
    said = log or folder / "functions.log"
    with said.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        with ExitStack() as everything:
            figures = _run(everything, folder, jobs, seconds, pause, seed)
        for painters in folder.rglob("*r.log"):
            file.write(painters.read_text())
        return figures


def _run(everything: ExitStack, folder: Path, jobs: int, seconds: float, pause: float, seed: int) -> Figures:
    chance = random.Random(seed)
    moto = everything.enter_context(serving_moto())
    line = everything.enter_context(carrying(moto, partial(NetworkFaults, chance=random.Random(f"line-{seed}"))))
    receiver = everything.enter_context(stranger(trustme.CA()))
    world = _World(everything, folder, build(moto, visibility=20), line, receiver, chance, 2 if jobs > _FEW else 1)
    job_requests = make_job_requests(chance, jobs, receiver.url)
    ledger = Ledger()
    deadline = time.monotonic() + seconds + _CALM_SECONDS
    clients = [Client(world.api(index), world.store, ledger, deadline, "chaos") for index in range(_CLIENTS)]
    asking = max(0.7 * seconds, _ASKING_SECONDS)
    pool = ClientPool(clients, job_requests, seconds=asking, seed=seed)
    line.is_rough = True
    pool.start()
    began = time.monotonic()
    faults = _Faults(world, chance, longest_pause=min(pause, seconds / 10))
    faults.happen(until=began + seconds, while_=pool.is_asking)
    pool.join()
    line.is_rough = False
    lasted = time.monotonic() - began
    pool.watch(sorted(ledger.accepted))
    with_pending_webhook = world.wait_until_told(job_requests, ledger)
    figures = Figures(f"Chaos on AWS: {jobs} jobs, seed {seed}, faults for {lasted:.0f} s")
    last = Client(world.api(0), world.store, ledger, time.monotonic() + _CALM_SECONDS, "")
    judge(figures, job_requests, ledger, last, _evidence(world, ledger, faults))
    figures.promise("webhooks that were never told", with_pending_webhook)
    figures.add("webhooks told (more than once)", world.told())
    figures.add("painters killed, of the queue", sum(painter.kills for painter in world.painters))
    figures.add("painters killed, with a GPU", world.gpu.kills)
    figures.add("messages given twice, in any order", world.queue.duplicates)
    figures.add("notices given twice", world.notices_twice)
    figures.add("sweeps, two at a time", world.sweeps)
    figures.add("storms", counted(faults.counts))
    figures.add("requests to AWS that fared badly", line.wrongs.total())
    for service in ("s3", "dynamodb", "sqs"):
        wrongs = {name.partition(" ")[2]: count for name, count in line.wrongs.items() if name.startswith(service)}
        figures.add(f"  {service}", counted(Counter(wrongs)))
    world.stop()
    _add_leftovers(figures, world.stage)
    return figures


class _World:
    """The stage and its environment.

    Attributes:
        stage: The stores.
        line: The proxy between the stores and the functions.
        queue: The paint queue.
        painters: Painters of the queue.
        gpu: The painter of the endpoint.
        store: HTTP client for upload forms and download links.
        notices_twice: Number of duplicated notifications from the endpoint.
        sweeps: Number of scheduled runs of the reconciler.
    """

    def __init__(
        self,
        everything: ExitStack,
        folder: Path,
        stage: Stage,
        line: NetworkFaults,
        receiver: Receiver,
        chance: random.Random,
        painters: int,
    ):
        self.stage = stage
        self.line = line
        self.notices_twice = self.sweeps = 0
        self._receiver = receiver
        self._chance = chance
        self._everything = everything
        self._stopping = threading.Event()
        plane = ControlPlane(stage.s3, stage.results, self._on_notification)
        everything.enter_context(_environment(stage, line, plane))
        everything.enter_context(plane.running())
        self._invoke_reconciler = import_module(_RECONCILER).handler
        everything.enter_context(patch.object(import_module(_RECONCILER), "_sender", receiver.sender))
        api = import_module("stylizer_api.lambda_handler").handler
        self._gateways = [
            everything.enter_context(serving_gateway(api, keys={_KEY: "ann-id"})) for _ in range(_GATEWAYS)
        ]
        self.store = everything.enter_context(httpx.Client(timeout=30))
        self.gpu = GpuPainter(stage, folder, plane)
        self.gpu.start()
        everything.callback(self.gpu.stop)
        self.queue = UnrulyQueue(
            stage.sqs, stage.paint_queue, self._invoke_reconciler, chance=random.Random(chance.random())
        )
        self.painters = [LambdaPainter(stage, _made(folder / f"painter-{index}")) for index in range(painters)]
        for painter in self.painters:
            self._in_background(partial(deliver, self.queue, painter, self._stopping))
        for _ in range(2):
            self._in_background(self._keep_tidy)
        sources = [
            QueueSource(stage.sqs, url, self._invoke_reconciler) for url in (stage.dead_letters, stage.webhook_queue)
        ]
        everything.enter_context(Running(*sources))
        everything.callback(self._stopping.set)

    def api(self, index: int) -> httpx.Client:
        """Return an API client, served by one of several API instances."""
        address = f"{self._gateways[index % len(self._gateways)]}/"
        client = httpx.Client(base_url=address, headers={"X-Api-Key": _KEY}, timeout=60)
        return self._everything.enter_context(client)

    def stop(self) -> None:
        """Stop all background activity."""
        self._stopping.set()

    def told(self) -> str:
        """Return how many callers were notified, and how many more than once."""
        heard = Counter(each.headers["webhook-id"] for each in self._receiver.heard)
        return f"{len(heard)} ({sum(count > 1 for count in heard.values())})"

    def wait_until_told(self, job_requests: list[JobRequest], ledger: Ledger) -> list[str]:
        """Wait for webhooks; return the jobs whose callers were not notified."""
        asked = [job_request.number for job_request in job_requests if "webhook" in job_request.fields]
        ended = {ledger.accepted[number] for number in asked if number in ledger.ends}
        deadline = time.monotonic() + _CALM_SECONDS
        while with_pending_webhook := ended - {each.headers["webhook-id"] for each in self._receiver.heard}:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return sorted(with_pending_webhook)

    def _on_notification(self, message: str) -> None:
        """Deliver a topic's message to the reconciler; sometimes twice, and again after a failure."""
        self.notices_twice += (is_twice := self._chance.random() < 0.5)
        for _ in range(1 + is_twice):
            for _ in range(3):
                try:
                    self._invoke_reconciler(notice(message), LambdaContext(function_name="reconciler"))
                    break
                except Exception:  # redelivered, as by SNS
                    time.sleep(0.5)

    def _keep_tidy(self) -> None:
        while not self._stopping.wait(1):
            self.sweeps += 1
            try:
                self._invoke_reconciler(SCHEDULE, LambdaContext(function_name="reconciler"))
            except Exception:  # the next schedule follows anyway
                sys.stderr.write("a sweep was broken off\n")

    def _in_background(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        self._everything.callback(thread.join)


class _Faults:
    """Faults of the stage, in addition to the constant network faults.

    Attributes:
        counts: Number of fault storms by service.
        overs: End time of each fault.
    """

    def __init__(self, world: _World, chance: random.Random, *, longest_pause: float):
        self.counts: Counter[str] = Counter()
        self.overs: list[datetime] = []
        self._world = world
        self._chance = chance
        self._longest_pause = longest_pause
        self._kinds: list[Callable[[], None]] = [
            self._kill_painter,
            self._kill_gpu,
            *(partial(self._storm, service) for service in ("s3", "dynamodb", "sqs")),
        ]

    def happen(self, *, until: float, while_: Callable[[], bool]) -> None:
        """Inject faults until `until`, or until `while_` is false; at least one of each kind."""
        todo = self._chance.sample(self._kinds, len(self._kinds))
        while todo or (while_() and time.monotonic() < until):
            time.sleep(self._chance.uniform(0, self._longest_pause))
            (todo.pop() if todo else self._chance.choice(self._kinds))()
            self.overs.append(datetime.now(UTC))

    def _kill_painter(self) -> None:
        self._chance.choice(self._world.painters).kill()

    def _kill_gpu(self) -> None:
        self._world.gpu.kill()

    def _storm(self, service: str) -> None:
        self.counts[service] += 1
        with self._world.line.storm(service):
            time.sleep(self._chance.uniform(1, 4))


@contextmanager
def _environment(stage: Stage, line: NetworkFaults, plane: ControlPlane) -> Iterator[None]:
    """Set the functions' environment: AWS through the proxy, and shorter timeouts than in production."""
    stage.environment.update(
        {
            "AWS_ENDPOINT_URL": line.address,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": plane.url,
            "STYLIZER_ENDPOINT_NAME": "painter",
            "STYLIZER_GPU": "true",
            "STYLIZER_PAINTER_SECONDS": "5",
            "STYLIZER_LEASE_SECONDS": "6",
            "STYLIZER_REQUEUE_AFTER": "10",
            "STYLIZER_WEBHOOK_TIMEOUT": "2",
        }
    )
    with patch.dict(os.environ, stage.environment):
        yield


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _evidence(world: _World, ledger: Ledger, faults: _Faults) -> Evidence:
    def results(job_id: str) -> list[str]:
        return [key for key in _keys(world.stage, world.stage.results, f"jobs/{job_id}/") if "/result." in key]

    return Evidence(
        finished=Counter(job for job, _ in world.line.finished),
        results={job_id: results(job_id) for job_id in ledger.accepted.values()},
        moments=[moment for _, moment in world.line.finished],
        recoveries=faults.overs,
        segments=world.line.segments,
    )


class _Later:
    """A clock at a time when everything has expired."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=3)


def _add_leftovers(figures: Figures, stage: Stage) -> None:
    """Sweep when all has expired. Orphans, left to the buckets' lifecycle rules, are counted separately."""
    settings = ReconcilerSettings()
    ports = open_ports(settings, _Later())
    sweep(ports, record_ttl=settings.record_ttl)
    kept = [*_keys(stage, stage.results, "jobs/"), *_keys(stage, stage.uploads, "uploads/")]
    owners = {key: key.split("/")[1] for key in kept}
    orphans = [key for key, name in owners.items() if not (ports.jobs.get(name) or ports.uploads.get(name))]
    figures.add("files without a record, for the lifecycle rules", len(orphans))
    figures.promise("files left when all have expired", sorted(set(kept) - set(orphans)))


def _keys(stage: Stage, bucket: str, prefix: str) -> list[str]:
    pages: Any = stage.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]
