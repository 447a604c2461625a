"""Feed inputs and summarize the outcomes."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice

from tools.fuzz.corpus import Input
from tools.fuzz.targets import ACCEPTED, Outcome, Targets

Outcomes = dict[str, Outcome]


@dataclass
class Report:
    """Summary of many inputs.

    Attributes:
        tried: Number of inputs by format and kind.
        verdicts: Count of each verdict by target.
        crashes: Inputs that crashed native code, killing only the fork: "target: name: signal".
        defects: Violated invariants.
        misjudged: Inputs that the probe rejects and the decoder accepts.
        slowest: Per target, the maximum time (seconds) and its input.
        greediest: For decoder and library, the peak memory (MiB) and its input.
    """

    tried: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    crashes: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    misjudged: list[str] = field(default_factory=list)
    slowest: dict[str, tuple[float, str]] = field(default_factory=dict)
    greediest: dict[str, tuple[float, str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of inputs tried."""
        return sum(counter.total() for counter in self.tried.values())

    def add(self, case: Input, outcomes: Outcomes) -> None:
        """Record the outcomes of one input."""
        self.tried[case.format][case.kind] += 1
        for target, outcome in outcomes.items():
            self.verdicts[target][outcome.verdict] += 1
            if outcome.crash:
                self.crashes.append(f"{target}: {case.name}: {outcome.crash}")
            if outcome.defect:
                self.defects.append(f"{target}: {case.name}: {outcome.defect}")
            self.slowest[target] = max(self.slowest.get(target, (0.0, "")), (outcome.seconds, case.name))
            self.greediest[target] = max(self.greediest.get(target, (0.0, "")), (outcome.peak, case.name))
        self._compare(case, outcomes["probe"], outcomes["decoder"])

    def _compare(self, case: Input, probe: Outcome, decoder: Outcome) -> None:
        if decoder.verdict != ACCEPTED:
            if case.kind == "seed":
                self.defects.append(f"decoder: {case.name}: a whole picture is {decoder.verdict}")
        elif probe.verdict != ACCEPTED:
            self.misjudged.append(f"{case.name}: {probe.verdict}")
            if case.kind == "seed":
                self.defects.append(f"probe: {case.name}: a whole picture is {probe.verdict}")
        elif probe.size != decoder.size:
            self.defects.append(f"probe: {case.name}: {probe.size} is {decoder.size}")


def feed(targets: Targets, inputs: Iterable[Input], report: Report, *, workers: int = 2, seconds: float) -> bool:
    """Feed each input to each target.

    Args:
        targets: The targets.
        inputs: In order; consumed lazily.
        report: Receives the outcomes.
        workers: Number of concurrent workers.
        seconds: Time after which no more inputs are consumed.

    Returns:
        Whether all inputs were fed.
    """
    deadline = time.monotonic() + seconds
    remaining: Iterator[Input] = iter(inputs)

    def feed_one(case: Input) -> tuple[Input, Outcomes]:
        return case, {target: targets.feed(target, case.data) for target in targets.NAMES}

    with ThreadPoolExecutor(workers) as pool:
        running: set[Future[tuple[Input, Outcomes]]] = {
            pool.submit(feed_one, case) for case in islice(remaining, workers)
        }
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                report.add(*future.result())
            if time.monotonic() < deadline:
                running |= {pool.submit(feed_one, case) for case in islice(remaining, len(done))}
    return next(remaining, None) is None
