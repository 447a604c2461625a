"""What all trainings have in common: steps down, an average of the weights, checkpoints, a schedule, a log."""

from __future__ import annotations

import argparse
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.checkpoints import CHECKPOINT, read_checkpoint, write_checkpoint
from training.optimizer import MuonAndAdam
from training.teachers import add_teachers_flag

LOG_EVERY = 10


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What every run is made with.

    Attributes:
        rate: Peak learning rate of Adam, for all but the filters.
        filters_rate: Peak learning rate of Muon, for the 3x3 filters.
        warm_up: Steps until the peak; the rates then stay, and fall linearly to zero from `decay_from` of the run on.
        decay_from: Share of the run after which the rates fall.
        average: Decay of the exponential average of the weights, which is what ships.
        clip: Norm that the gradients of a step are cut down to.
        seed: Of the initial weights and of every step's crops.
    """

    rate: float = 1.5e-3
    filters_rate: float = 2.5e-3
    warm_up: int
    decay_from: float
    average: float = 0.998
    clip: float
    seed: int = 0


class Run(ABC):
    """A training under way.

    Attributes:
        module: What learns.
        average: The exponential average of its state, which is what ships.
        step: How many have been taken.
        seconds: How long they took.
    """

    def __init__(self, module: nn.Module, filters: Iterable[nn.Conv2d], settings: RunSettings) -> None:
        """Begin with `module`, whose `filters` learn by Muon and whose other parameters by Adam."""
        self.module, self._pace = module, settings
        self.optimizer = MuonAndAdam(module, filters, rate=settings.rate, filters_rate=settings.filters_rate)
        self.average = {key: value.clone() for key, value in module.state_dict().items()}
        self.step = 0
        self.seconds = 0.0

    @abstractmethod
    def losses(self) -> tuple[Tensor, dict[str, object]]:
        """The loss of the next step, and what the log says about it."""

    def advance(self, progress: float) -> dict[str, object]:
        """Take one step, `progress` (0-1) of the run being done; answer a line for the log."""
        started = time.monotonic()
        share = share_at(self.step, progress, warm_up=self._pace.warm_up, decay_from=self._pace.decay_from)
        loss, named = self.losses()
        self.module.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.module.parameters(), self._pace.clip)
        self.optimizer.step(share)
        self.step += 1
        # A short memory at first: the average would otherwise remember the random beginning for hundreds of steps.
        decay = min(self._pace.average, self.step / (self.step + 10))
        for key, value in self.module.state_dict().items():
            self.average[key].lerp_(value, 1 - decay)
        self.seconds += time.monotonic() - started
        line = {"step": self.step, "seconds": round(self.seconds, 1), "rate": round(share, 4)}
        return line | {"loss": round(loss.item(), 4)} | named

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "module": self.module.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` answered."""
        self.module.load_state_dict(state["module"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, out: Path) -> None:
        """Write the checkpoint in `out`, whole or not at all."""
        write_checkpoint(self.state_dict(), out)

    def restore(self, out: Path) -> None:
        """Go on from the checkpoint in `out`."""
        self.load_state_dict(read_checkpoint(out))


def share_at(step: int, progress: float, *, warm_up: int, decay_from: float) -> float:
    """Share of the peak learning rates at `step`, with `progress` (0-1) of the run behind it.

    It rises for `warm_up` steps, then stays, and falls linearly to nearly zero from `decay_from` of the run on.
    """
    decay = min(1.0, (1 - min(1.0, progress)) / (1 - decay_from))
    return min(1.0, (step + 1) / warm_up) * max(decay, 1e-3)


def train(run: Run, progress: Callable[[], float], out: Path, *, save_every: int = 200) -> None:
    """Take steps until `progress()` reaches 1: every tenth leaves a line in `out/log.jsonl`, some a checkpoint."""
    with (out / "log.jsonl").open("a") as log:
        while (done := progress()) < 1:
            line = run.advance(done)
            if run.step % LOG_EVERY == 0:
                print(json.dumps(line), file=log, flush=True)
            if run.step % save_every == 0:
                run.save(out)
    run.save(out)


def run_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """A parser with the flags of every training: what to learn from, where to keep it, and when it is done."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of artworks")
    add_teachers_flag(parser)
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {CHECKPOINT} and log.jsonl")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor (%(default)s)")
    add_end_flags(parser)
    return parser


def add_end_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say when a training is done; one of them is required."""
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument("--steps", type=_above_zero(int), help="train this many steps in all")
    end.add_argument("--minutes", type=_above_zero(float), help="train this long; the learning rate falls by the clock")
    end.add_argument("--until", type=clock_time, metavar="HH:MM", help="the same, until a time of day")


def _above_zero(kind: type[float]) -> Callable[[str], float]:
    """How a flag takes a number that the run ends at."""

    def parse(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = 0
        if not number > 0:
            allowed = "a whole number above 0" if kind is int else "a number above 0"
            raise argparse.ArgumentTypeError(f"it is {text!r}; it must be {allowed}")
        return number

    return parse


def clock_time(text: str) -> datetime:
    """The next time that the local clock shows HH:MM."""
    now = datetime.now().astimezone()
    hour, minute = (int(part) for part in text.split(":"))
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return then if then > now else then + timedelta(days=1)


def schedule(arguments: argparse.Namespace, run: Run) -> Callable[[], float]:
    """How much of the run is done, by whichever end was asked for."""
    if arguments.steps:
        return lambda: run.step / arguments.steps
    now, before = time.monotonic(), run.seconds
    left = (
        arguments.minutes * 60 - before
        if arguments.minutes
        else (arguments.until - datetime.now().astimezone()).total_seconds()
    )
    return lambda: (before + time.monotonic() - now) / (before + left)
