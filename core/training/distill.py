"""Distill the compact encoder from its teachers: `python -m training.distill --help`.

Can be stopped at any time: started again with the same `--out` it goes on from the last checkpoint, and with `--steps`
it then ends with the very weights of an uninterrupted run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from stylizer.compute import autocast_dtype
from stylizer.features.compact import CompactEncoder
from training.canvases import Canvases
from training.descent import Descent
from training.pictures import Collection, disturb, find_pictures
from training.pupil import Pupil, calibrate, losses, painting_loss
from training.teachers import Teachers, load_teachers


@dataclass(frozen=True)
class Settings:
    """What one run is made with.

    Attributes:
        batch: Crops a step, half of them from photographs and half from artworks.
        side: Side of a crop in pixels.
        rate: Peak learning rate of Adam, for the adapters.
        filters_rate: Peak learning rate of Muon, for the encoder's filters.
        warm_up: Steps until the peak; the rates then stay, and fall linearly to zero from `decay_from` of the run on.
        decay_from: Share of the run after which the rate falls.
        statistics: Weight of the statistics' error beside the features' error.
        average: Decay of the exponential average of the weights, which is what ships.
        canvases: Crops of each batch that are paintings by the student itself, from step `canvases_from` on.
        canvases_from: Before it, the student knows too little for its paintings to say anything.
        seed: Of the initial weights and of every step's crops.
    """

    batch: int = 8
    side: int = 192
    rate: float = 1.5e-3
    filters_rate: float = 2.5e-3
    warm_up: int = 100
    decay_from: float = 0.1
    statistics: float = 0.3
    average: float = 0.998
    canvases: int = 3
    canvases_from: int = 400
    seed: int = 0


def share_at(settings: Settings, step: int, progress: float) -> float:
    """Share of the peak learning rates at `step`, with `progress` (0-1) of the run behind it."""
    decay = min(1.0, (1 - min(1.0, progress)) / (1 - settings.decay_from))
    return min(1.0, (step + 1) / settings.warm_up) * max(decay, 1e-3)


class Run:
    """A distillation under way: everything a checkpoint holds, and one step of it."""

    def __init__(self, pupil: Pupil, teachers: Teachers, draw: Callable[[int], Tensor], settings: Settings) -> None:
        self.pupil, self.teachers, self.draw, self.settings = pupil, teachers, draw, settings
        _, *others = pupil.encoder.convolutions()
        self.descent = Descent(pupil, others, rate=settings.rate, filters_rate=settings.filters_rate)
        self.average = {key: value.clone() for key, value in pupil.state_dict().items()}
        self.canvases = Canvases(settings.canvases, settings.side)
        self.step = 0
        self.seconds = 0.0

    def advance(self, progress: float) -> dict[str, object]:
        """Take one step, `progress` (0-1) of the run being done; answer what the log says about it."""
        started = time.monotonic()
        batch = self.draw(self.step).contiguous(memory_format=torch.channels_last)
        precision = self.teachers.dtype
        with torch.autocast(batch.device.type, precision, enabled=precision != torch.float32):
            self.canvases.renew(self.step, batch)
            if self.step >= self.settings.canvases_from:
                painting = partial(painting_loss, self.pupil, self.teachers.layers)
                batch[: self.settings.canvases] = self.canvases.paint(painting)
            errors = losses(self.pupil, self.teachers, batch)
            features = torch.stack([error for error, _ in errors.values()]).mean()
            statistics = torch.stack([error for _, error in errors.values()]).mean()
            loss = features + self.settings.statistics * statistics
        share = share_at(self.settings, self.step, progress)
        self._descend(loss, share)
        self.seconds += time.monotonic() - started
        named = {name: [round(error.item(), 4) for error in pair] for name, pair in errors.items()}
        return {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "rate": round(share, 4),
            "loss": round(loss.item(), 4),
            **named,
        }

    def _descend(self, loss: Tensor, share: float) -> None:
        self.pupil.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.pupil.parameters(), 5.0)
        self.descent.step(share)
        self.step += 1
        # A short memory at first: the average would otherwise remember the random beginning for hundreds of steps.
        decay = min(self.settings.average, self.step / (self.step + 10))
        for key, value in self.pupil.state_dict().items():
            self.average[key].lerp_(value, 1 - decay)

    def save(self, path: Path) -> None:
        """Write the checkpoint whole or not at all."""
        state = {
            "pupil": self.pupil.state_dict(),
            "average": self.average,
            "descent": self.descent.state_dict(),
            "canvases": self.canvases.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from the checkpoint at `path`."""
        state = torch.load(path, weights_only=True)
        self.pupil.load_state_dict(state["pupil"])
        self.average = state["average"]
        self.descent.load_state_dict(state["descent"])
        self.canvases.load_state_dict(state["canvases"])
        self.step, self.seconds = state["step"], state["seconds"]


def drawer(content: Collection, style: Collection, settings: Settings) -> Callable[[int], Tensor]:
    """The batch of each step: of seed and step alone, so that a resumed run sees what it would have seen."""

    def draw(step: int) -> Tensor:
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        half = settings.batch // 2
        photographs = content.crops(half, settings.side, random)
        artworks = style.crops(settings.batch - half, settings.side, random)
        return disturb(torch.cat([photographs, artworks]), random)

    return draw


def begin(teachers: Teachers, draw: Callable[[int], Tensor], settings: Settings, out: Path) -> Run:
    """A run at its last checkpoint in `out`, or at its beginning."""
    torch.manual_seed(settings.seed)
    pupil = Pupil(CompactEncoder(), teachers.layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    checkpoint = out / "checkpoint.pt"
    if not checkpoint.exists():
        # Steps before the first, so that no crop of it is seen again.
        calibrate(pupil, teachers, [draw(-step) for step in range(1, 13)])
    run = Run(pupil, teachers, draw, settings)
    if checkpoint.exists():
        run.restore(checkpoint)
    return run


def train(run: Run, progress: Callable[[], float], out: Path, *, save_every: int = 200) -> None:
    """Take steps until `progress()` reaches 1, with a line in `out/log.jsonl` for every tenth."""
    with (out / "log.jsonl").open("a") as log:
        while (done := progress()) < 1:
            record = run.advance(done)
            if run.step % 10 == 0:
                print(json.dumps(record), file=log, flush=True)
            if run.step % save_every == 0:
                run.save(out / "checkpoint.pt")
    run.save(out / "checkpoint.pt")


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


def main(argv: list[str] | None = None) -> None:
    """Train, from the last checkpoint if there is one."""
    parser = argparse.ArgumentParser(prog="python -m training.distill", description=__doc__)
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of artworks")
    parser.add_argument("--teachers", type=Path, help="folder of the teachers' state dicts (default: torchvision's)")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt and log.jsonl")
    parser.add_argument("--batch", type=int, default=Settings.batch, help="crops a step (%(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor (%(default)s)")
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument("--steps", type=int, help="train this many steps in all")
    end.add_argument("--minutes", type=float, help="train this long in all; the learning rate falls by the clock")
    end.add_argument("--until", type=clock_time, metavar="HH:MM", help="the same, until a time of day")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    settings = replace(Settings(), batch=arguments.batch)
    teachers = load_teachers(arguments.teachers, autocast_dtype())
    content, style = (Collection.load(find_pictures(p, held_out=False)) for p in (arguments.content, arguments.style))
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = begin(teachers, drawer(content, style, settings), settings, arguments.out)
    train(run, schedule(arguments, run), arguments.out)


if __name__ == "__main__":
    main()
