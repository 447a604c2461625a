"""Distill the compact encoder from its teachers: `python -m training.distill --help`.

Resumes from the last checkpoint in `--out`. With `--steps` a resumed run ends with the same weights as an
uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylizer.compute import autocast, autocast_dtype
from stylizer.features.compact import CompactEncoder
from training.batches import step_generator
from training.canvases import Canvases
from training.checkpoints import CHECKPOINT
from training.pictures import Collection, augment, find_pictures
from training.runs import Run, RunSettings, run_parser, schedule, train
from training.student import Student, calibrate, losses, painting_loss
from training.teachers import Teachers, load_teachers


@dataclass(frozen=True, kw_only=True)
class Settings(RunSettings):
    """Settings of a distillation run.

    Attributes:
        batch: Crops per step, half from photographs and half from artworks.
        side: Side of a crop, pixels.
        statistics: Weight of the statistics error relative to the feature error.
        canvases: Crops of each batch that are paintings by the student itself, from step `canvases_from` on.
        canvases_from: Before that, the student is too poor for its paintings to be informative.
    """

    batch: int = 8
    side: int = 192
    warm_up: int = 100
    decay_from: float = 0.1
    clip: float = 5.0
    statistics: float = 0.3
    canvases: int = 3
    canvases_from: int = 400


class Distillation(Run):
    """A distillation run."""

    def __init__(self, student: Student, teachers: Teachers, draw: Callable[[int], Tensor], settings: Settings) -> None:
        self.student, self.teachers, self.draw, self.settings = student, teachers, draw, settings
        _, *others = student.encoder.convolutions()
        super().__init__(student, others, settings)
        self.canvases = Canvases(settings.canvases, settings.side)

    def losses(self) -> tuple[Tensor, dict[str, object]]:
        """Return feature error plus statistics error, averaged over layers; logged per layer."""
        batch = self.draw(self.step).contiguous(memory_format=torch.channels_last)
        with autocast(self.teachers.dtype, batch.device.type):
            self.canvases.renew(self.step, batch)
            if self.step >= self.settings.canvases_from:
                painting = partial(painting_loss, self.student, self.teachers.layers)
                batch[: self.settings.canvases] = self.canvases.paint(painting)
            errors = losses(self.student, self.teachers, batch)
            features = torch.stack([error for error, _ in errors.values()]).mean()
            statistics = torch.stack([error for _, error in errors.values()]).mean()
            loss = features + self.settings.statistics * statistics
        return loss, {name: [round(error.item(), 4) for error in pair] for name, pair in errors.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return all state that the next step depends on."""
        return super().state_dict() | {"canvases": self.canvases.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        super().load_state_dict(state)
        self.canvases.load_state_dict(state["canvases"])


def batch_sampler(content: Collection, style: Collection, settings: Settings) -> Callable[[int], Tensor]:
    """Return a function that draws a step's batch from seed and step alone, so that runs resume exactly."""

    def draw(step: int) -> Tensor:
        random = step_generator(settings.seed, step)
        half = settings.batch // 2
        photographs = content.crops(half, settings.side, random)
        artworks = style.crops(settings.batch - half, settings.side, random)
        return augment(torch.cat([photographs, artworks]), random)

    return draw


def start_or_resume(teachers: Teachers, draw: Callable[[int], Tensor], settings: Settings, out: Path) -> Distillation:
    """Return a run restored from its last checkpoint in `out`, or a new one."""
    torch.manual_seed(settings.seed)
    student = Student(CompactEncoder(), teachers.layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    resumed = (out / CHECKPOINT).exists()
    if not resumed:
        # Negative steps, so that training sees none of these batches again.
        calibrate(student, teachers, [draw(-step) for step in range(1, 13)])
    run = Distillation(student, teachers, draw, settings)
    if resumed:
        run.restore(out)
    return run


def main(argv: list[str] | None = None) -> None:
    """Train, resuming from the last checkpoint if there is one."""
    parser = run_parser("training.distill", __doc__)
    parser.add_argument("--batch", type=int, default=Settings.batch, help="crops per step (%(default)s)")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    settings = replace(Settings(), batch=arguments.batch)
    teachers = load_teachers(arguments.teachers, autocast_dtype())
    content, style = (Collection.load(find_pictures(p, held_out=False)) for p in (arguments.content, arguments.style))
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = start_or_resume(teachers, batch_sampler(content, style, settings), settings, arguments.out)
    train(run, schedule(arguments, run), arguments.out)


if __name__ == "__main__":
    main()
