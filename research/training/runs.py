"""Common training loop: optimizer steps, averaged weights, checkpoints, learning-rate schedule, log."""

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
from safetensors.torch import save_file
from torch import Tensor, nn

from training.checkpoints import CHECKPOINT, read_checkpoint, write_checkpoint
from training.optimizer import MuonAndAdam
from training.teachers import add_teachers_flag

LOG_EVERY = 10


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings common to all runs.

    Attributes:
        rate: Peak learning rate of Adam, for all parameters except the filters.
        filters_rate: Peak learning rate of Muon, for the 3x3 filters.
        warm_up: Steps of linear warm-up; the rates then stay constant and decay linearly to zero from `decay_from` on.
        decay_from: Share of the run (0-1) after which the rates decay.
        average: Decay of the exponential moving average of the weights, which is exported.
        clip: Maximum gradient norm.
        seed: Seed of the initial weights and of every step's crops.
    """

    rate: float = 1.5e-3
    filters_rate: float = 2.5e-3
    warm_up: int
    decay_from: float
    average: float = 0.998
    clip: float
    seed: int = 0


class Run(ABC):
    """A training run.

    Attributes:
        module: The trained module.
        average: Exponential moving average of its state, which is exported.
        step: Number of steps taken.
        seconds: Their total duration.
    """

    def __init__(self, module: nn.Module, filters: Iterable[nn.Conv2d], settings: RunSettings) -> None:
        """Train the `filters` of `module` with Muon and its other parameters with Adam."""
        self.module, self._pace = module, settings
        self.optimizer = MuonAndAdam(module, filters, rate=settings.rate, filters_rate=settings.filters_rate)
        self.average = {key: value.clone() for key, value in module.state_dict().items()}
        self.step = 0
        self.seconds = 0.0

    @abstractmethod
    def losses(self) -> tuple[Tensor, dict[str, object]]:
        """Return the loss of the next step and its log entries."""

    def advance(self, progress: float) -> dict[str, object]:
        """Take one step at `progress` (0-1) of the run; return its log line."""
        started = time.monotonic()
        share = share_at(self.step, progress, warm_up=self._pace.warm_up, decay_from=self._pace.decay_from)
        loss, named = self.losses()
        self.module.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.module.parameters(), self._pace.clip)
        self.optimizer.step(share)
        self.step += 1
        # A short window at first; otherwise the random initialization would stay in the average for long.
        decay = min(self._pace.average, self.step / (self.step + 10))
        for key, value in self.module.state_dict().items():
            self.average[key].lerp_(value, 1 - decay)
        self.seconds += time.monotonic() - started
        line = {"step": self.step, "seconds": round(self.seconds, 1), "rate": round(share, 4)}
        return line | {"loss": round(loss.item(), 4)} | named

    def state_dict(self) -> dict[str, Any]:
        """Return all state that the next step depends on."""
        return {
            "module": self.module.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        self.module.load_state_dict(state["module"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, out: Path) -> None:
        """Write the checkpoint in `out` atomically."""
        write_checkpoint(self.state_dict(), out)

    def export(self, to: Path) -> None:
        """Write the averaged weights in half precision."""
        save_file({key: value.half().contiguous() for key, value in self.average.items()}, to)
        to.chmod(0o644)  # safetensors creates files readable by the owner only

    def restore(self, out: Path) -> None:
        """Restore the checkpoint in `out`."""
        self.load_state_dict(read_checkpoint(out))


def share_at(step: int, progress: float, *, warm_up: int, decay_from: float) -> float:
    """Return the multiplier of the peak learning rates at `step` and `progress` (0-1) of the run.

    Linear warm-up for `warm_up` steps, then constant, then linear decay to 0.001 from `decay_from` of the run on.
    """
    decay = min(1.0, (1 - min(1.0, progress)) / (1 - decay_from))
    return min(1.0, (step + 1) / warm_up) * max(decay, 1e-3)


def train(run: Run, progress: Callable[[], float], out: Path, *, save_every: int = 200) -> None:
    """Train until `progress()` reaches 1; log every tenth step to `out/log.jsonl` and save checkpoints."""
    with (out / "log.jsonl").open("a") as log:
        while (done := progress()) < 1:
            line = run.advance(done)
            if run.step % LOG_EVERY == 0:
                print(json.dumps(line), file=log, flush=True)
            if run.step % save_every == 0:
                run.save(out)
    run.save(out)


def run_parser(module: str, description: str | None, *, compressed_vgg: bool = False) -> argparse.ArgumentParser:
    """Return a parser with the common flags of training commands; the teacher may be the compressed VGG-19."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of artworks")
    if compressed_vgg:
        parser.add_argument("--teachers", type=Path, required=True, help="folder of compressed_vgg19*.safetensors")
    else:
        add_teachers_flag(parser)
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {CHECKPOINT} and log.jsonl")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads (%(default)s)")
    add_end_flags(parser)
    return parser


def add_end_flags(parser: argparse.ArgumentParser) -> None:
    """Add the mutually exclusive flags for the end of a run; one is required."""
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument("--steps", type=_above_zero(int), help="total number of steps")
    end.add_argument("--minutes", type=_above_zero(float), help="duration; the learning rate follows the clock")
    end.add_argument(
        "--until", type=clock_time, metavar="HH:MM", help="time of day to end at; the learning rate follows the clock"
    )


def _above_zero(kind: type[float]) -> Callable[[str], float]:
    """Return an argparse type for positive numbers."""

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
    """Return the next local time HH:MM."""
    now = datetime.now().astimezone()
    hour, minute = (int(part) for part in text.split(":"))
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return then if then > now else then + timedelta(days=1)


def schedule(arguments: argparse.Namespace, run: Run) -> Callable[[], float]:
    """Return a function for the progress (0-1) of the run, by the chosen end."""
    if arguments.steps:
        return lambda: run.step / arguments.steps
    now, before = time.monotonic(), run.seconds
    left = (
        arguments.minutes * 60 - before
        if arguments.minutes
        else (arguments.until - datetime.now().astimezone()).total_seconds()
    )
    return lambda: (before + time.monotonic() - now) / (before + left)
