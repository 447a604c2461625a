"""Load clients in a process of their own: reads a `Plan`, writes a `Report`, both as JSON.

Each client has one connection, and sends its next request right after each response: `clients` is the number of
concurrent requests, more than as many people would make.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from pydantic import BaseModel

from tools.load.requests import VISITS, Visitor

_TICK = 0.01  # sampling interval of the event loop's lag, seconds
_PATIENCE = 30.0  # timeout of a response, seconds


class Plan(BaseModel):
    """Plan of a load run.

    Attributes:
        address: URL of the server.
        clients: Number of concurrent clients.
        seconds: Duration in which clients start new visits.
        mix: Relative weights of the visits.
        jobs: Jobs that can be polled.
        painted: Those of them that have an image.
        upload: An upload that can be painted.
        photo: Path of the file to send.
        headers: Headers of each request.
        seed: Seed of the order of visits.
    """

    address: str
    clients: int
    seconds: float
    mix: dict[str, float]
    jobs: list[str] = []
    painted: list[str] = []
    upload: str = ""
    photo: str = ""
    headers: dict[str, str] = {}
    seed: int = 1


class Report(BaseModel):
    """Results of a load run.

    Attributes:
        seconds: Duration up to the last response.
        took: Seconds of each completed request, by its kind.
        answers: Number of requests by outcome: a status, or the name of an error.
        accepted: Jobs that the server accepted.
        unserved: Clients that got no response at all.
        busy: CPU share of this process: close to 1, the client itself is the bottleneck.
        late: 99th percentile of the event loop's lag, seconds.
    """

    seconds: float
    took: dict[str, list[float]]
    answers: dict[str, int]
    accepted: list[str]
    unserved: int
    busy: float
    late: float


class _Notes:
    """Combined measurements of all clients."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = defaultdict(list)
        self.answers: Counter[str] = Counter()
        self.accepted: list[str] = []
        self.lags: list[float] = []

    @contextmanager
    def request(self, kind: str) -> Iterator[list[int]]:
        """Time a request; the caller appends its status to the list."""
        began = time.perf_counter()
        status: list[int] = []
        try:
            yield status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self.answers[type(error).__name__] += 1
            raise
        self.took[kind].append(time.perf_counter() - began)
        self.answers[str(status[0])] += 1


async def run(plan: Plan) -> Report:
    """Run until the time is over."""
    notes = _Notes()
    began, cpu = time.perf_counter(), time.process_time()
    ticker = asyncio.create_task(_tell_lags(notes.lags))
    served = await asyncio.gather(*(_client(plan, notes, number) for number in range(plan.clients)))
    ticker.cancel()
    seconds = time.perf_counter() - began
    lags = sorted(notes.lags) or [0.0]
    return Report(
        seconds=seconds,
        took=notes.took,
        answers=dict(notes.answers),
        accepted=notes.accepted,
        unserved=sum(count == 0 for count in served),
        busy=(time.process_time() - cpu) / seconds,
        late=lags[int(0.99 * (len(lags) - 1))],
    )


async def _client(plan: Plan, notes: _Notes, number: int) -> int:
    """Run one client's visits; return the number of successful ones."""
    chance = random.Random(f"{plan.seed} {number}")
    end = time.perf_counter() + plan.seconds
    count = 0
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(
        plan.address, connector=connector, timeout=timeout, headers=plan.headers
    ) as session:
        visitor = Visitor(session=session, plan=plan, notes=notes, chance=chance)
        while time.perf_counter() < end:
            [kind] = chance.choices(list(plan.mix), list(plan.mix.values()))
            try:
                await VISITS[kind](visitor)
                count += 1
            except (TimeoutError, aiohttp.ClientError, OSError):
                await asyncio.sleep(_TICK)  # already counted where it occurred; continue with the next visit
    return count


async def _tell_lags(lags: list[float]) -> None:
    while True:
        due = time.perf_counter() + _TICK
        await asyncio.sleep(_TICK)
        lags.append(time.perf_counter() - due)


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(run(Plan.model_validate_json(sys.stdin.read()))).model_dump_json())
