"""Train the finisher of drafts: `python -m training.finisher --help`.

Needs drafts (`training.drafts`). Resumes from the last checkpoint in `--out`.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylizer.compute import autocast, autocast_dtype
from stylizer.features.statistics import Statistics
from stylizer.feedforward.finisher import Finisher
from stylizer.losses import style_loss, style_scales, total_variation
from training.checkpoints import CHECKPOINT
from training.drafts import SUFFIX, Draft, Kind, kind_of
from training.runs import Run, RunSettings, add_end_flags, schedule, train
from training.student import positions, structure
from training.teachers import Teachers, load_compressed_vgg

MARGIN = 16  # pixels on each side of a crop that are excluded from the loss
DEEP = ("relu3_1", "relu4_1")  # for the nearest-feature and content losses
NEIGHBORS = 1024  # style features to search for the nearest one
WEIGHTS_FILE = Path("finisher.safetensors")  # averaged weights, in the folder of the run


@dataclass(frozen=True, kw_only=True)
class Settings(RunSettings):
    """Settings of a finisher training run.

    Attributes:
        batch: Crops per step.
        side: Side of the part that the loss covers, pixels.
        pairs: Share of photos in the batches; the rest are artworks to reconstruct.
        style: Weight of the style loss of pairs.
        neighbors: Weight of the distance to the nearest style features.
        content: Weight of the difference in structure from the photo.
        palette: Weight of the change in color over areas of 16 pixels.
        identity_style, identity_features, identity_pixels: Weights of the differences between artworks and what came
            back: in statistics, features and pixels.
        variation: Weight of total variation.
    """

    rate: float = 1e-3
    filters_rate: float = 2e-3
    warm_up: int = 40
    decay_from: float = 0.5
    average: float = 0.99
    clip: float = 1.0
    batch: int = 3
    side: int = 192
    pairs: float = 0.6
    style: float = 1.0
    neighbors: float = 1.0
    content: float = 0.5
    palette: float = 1.0
    identity_style: float = 1.0
    identity_features: float = 0.5
    identity_pixels: float = 2.0
    variation: float = 0.05


@dataclass(frozen=True)
class Crop:
    """A crop of a draft, (1, C, h, w) in [0, 1]; see `Draft`."""

    path: Path
    kind: Kind
    draft: Tensor
    photo: Tensor
    mask: Tensor
    target: Tensor


@dataclass(frozen=True)
class StyleTargets:
    """Targets of a style by the teacher.

    Attributes:
        statistics: Statistics of each layer.
        neighbors: Centered, normalized features (N, C) of the `DEEP` layers.
    """

    statistics: dict[str, Statistics]
    neighbors: dict[str, Tensor]

    @classmethod
    def of(cls, features: dict[str, Tensor]) -> StyleTargets:
        """Compute the targets from `features` (1, C, h, w)."""
        statistics = {name: Statistics.from_features(x) for name, x in features.items()}
        neighbors = {}
        for name in DEEP:
            rows = positions(features[name])[0].float()
            drawn = torch.linspace(0, len(rows) - 1, min(NEIGHBORS, len(rows))).long()
            neighbors[name] = functional.normalize(rows[drawn] - statistics[name].mean, dim=1)
        return cls(statistics, neighbors)


class FinisherTraining(Run):
    """A training run of the finisher."""

    def __init__(
        self, finisher: Finisher, teacher: Teachers, draw: Callable[[int], list[Crop]], settings: Settings
    ) -> None:
        self.finisher, self.teacher, self.draw, self.settings = finisher, teacher, draw, settings
        ends = (finisher.enter, finisher.leave)  # color input and output are trained with Adam
        inner = [module for module in finisher.modules() if isinstance(module, nn.Conv2d) and module not in ends]
        super().__init__(finisher, [module for module in inner if module.kernel_size == (3, 3)], settings)
        self.wanted = lru_cache(maxsize=4096)(self._wanted)

    def losses(self) -> tuple[Tensor, dict[str, object]]:
        """Return the weighted sum of the losses of a batch; logged by name."""
        crops, s = self.draw(self.step), self.settings
        drafts = torch.cat([crop.draft for crop in crops])
        targets = _without_margin(torch.cat([crop.target for crop in crops]))
        with autocast(autocast_dtype(), "cpu"):
            inputs = (drafts, torch.cat([crop.photo for crop in crops]), torch.cat([crop.mask for crop in crops]))
            correction = self.finisher(*(x.contiguous(memory_format=torch.channels_last) for x in inputs)).float()
        drafts, finished = _without_margin(drafts), _without_margin(drafts + correction)
        seen, sought = self.teacher.features(finished), self.teacher(targets)
        weights = {name: getattr(s, name) for name in (*PAIR_LOSSES, *IDENTITY_LOSSES)}
        logged: dict[str, list[float]] = {}
        total = s.variation * total_variation(finished) + functional.relu((finished - 0.5).abs() - 0.5).mean()
        for i, crop in enumerate(crops):
            ours, theirs = ({name: x[i : i + 1] for name, x in all_.items()} for all_ in (seen, sought))
            if crop.kind == "pair":
                losses = pair_losses(ours, theirs, self.wanted(crop.path))
                losses["palette"] = _change_of_color(finished[i : i + 1], drafts[i : i + 1], 16)
            else:
                losses = identity_losses(ours, theirs)
                # The patches of a likeness come from elsewhere: it can match in color, not per pixel.
                losses["identity_pixels"] = _change_of_color(
                    finished[i : i + 1], targets[i : i + 1], 1 if crop.kind == "pieces" else 8
                )
            for name, loss in losses.items():
                total = total + weights[name] * loss / len(crops)
                logged.setdefault(name, []).append(loss.item())
        return total, {name: round(sum(values) / len(values), 4) for name, values in logged.items()}

    def save(self, out: Path) -> None:
        """Write the checkpoint, and the averaged weights in half precision."""
        super().save(out)
        self.export(out / WEIGHTS_FILE)

    @torch.no_grad()
    def _wanted(self, path: Path) -> StyleTargets:
        return StyleTargets.of(self.teacher(_floats(Draft.load(path).style)))


PAIR_LOSSES = ("style", "neighbors", "content", "palette")
IDENTITY_LOSSES = ("identity_style", "identity_features", "identity_pixels")


def pair_losses(ours: dict[str, Tensor], photo: dict[str, Tensor], style: StyleTargets) -> dict[str, Tensor]:
    """Distances of a painting from its style and its photo, from the teacher's features (1, C, h, w) of each.

    Neighbors are compared as in the relaxed earth mover's distance of Kolkin et al. 2019 (arXiv 1904.12785), from the
    painting to the style: statistics can be met by wrinkles, the most similar feature cannot.
    """
    nearest, structures = [], []
    for name in DEEP:
        centered = positions(ours[name])[0].float() - style.statistics[name].mean
        rows = functional.normalize(centered, dim=1)
        with torch.no_grad():
            found = (rows @ style.neighbors[name].T).argmax(1)
        nearest.append(1 - (rows * style.neighbors[name][found]).sum(1).mean())
        structures.append((structure(positions(ours[name])) - structure(positions(photo[name]))).square().mean())
    return {
        "style": _style_error(ours, style.statistics),
        "neighbors": torch.stack(nearest).mean(),
        "content": torch.stack(structures).mean(),
    }


def identity_losses(ours: dict[str, Tensor], artwork: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return reconstruction losses of an artwork from the teacher's features (1, C, h, w) of both."""
    features = [
        (ours[name].float() - x.float()).square().mean() / (x.float().var((2, 3)).mean() + 1e-6)
        for name, x in artwork.items()
    ]
    return {
        "identity_style": _style_error(ours, {name: Statistics.from_features(x) for name, x in artwork.items()}),
        "identity_features": torch.stack(features).mean(),
    }


def _style_error(ours: dict[str, Tensor], wanted: dict[str, Statistics]) -> Tensor:
    seen, sought = [Statistics.from_features(x) for x in ours.values()], [wanted[name] for name in ours]
    return style_loss(seen, sought, [style_scales(layer) for layer in sought], [1.0] * len(sought))


def _change_of_color(a: Tensor, b: Tensor, side: int) -> Tensor:
    """Return the mean absolute difference of `a` and `b` averaged over areas of `side` pixels."""
    return functional.avg_pool2d(a - b, side).abs().mean()


def _without_margin(x: Tensor) -> Tensor:
    return x[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]


def _floats(picture: Tensor) -> Tensor:
    return picture[None].float() / 255


def batch_sampler(paths: Sequence[Path], settings: Settings) -> Callable[[int], list[Crop]]:
    """Return a function that draws a step's crops from seed and step alone, so that runs resume exactly.

    Raises:
        ValueError: There are no drafts of a required kind.
    """
    of_kind: dict[bool, list[Path]] = {True: [], False: []}
    for path in paths:
        of_kind[kind_of(path) == "pair"].append(path)
    if (settings.pairs > 0 and not of_kind[True]) or (settings.pairs < 1 and not of_kind[False]):
        found = f"{len(of_kind[True])} pairs and {len(of_kind[False])} artworks"
        raise ValueError(f"there are drafts of {found}; with a share of pairs of {settings.pairs} both are needed")

    def draw(step: int) -> list[Crop]:
        chance = random.Random(settings.seed * 1_000_003 + step)  # noqa: S311 (no secret)
        chosen = [chance.choice(of_kind[chance.random() < settings.pairs]) for _ in range(settings.batch)]
        return [_crop(path, settings.side + 2 * MARGIN, chance) for path in chosen]

    return draw


def _crop(path: Path, side: int, chance: random.Random) -> Crop:
    """Return a random crop of a draft, flipped with probability 0.5, reflect-padded if the draft is smaller."""
    draft = Draft.load(path)
    height, width = draft.draft.shape[1:]
    # Align to multiples of the stride, to preserve the phase of the patch grid.
    top, left = (8 * chance.randrange(max(0, length - side) // 8 + 1) for length in (height, width))
    flipped = chance.random() < 0.5
    pictures = []
    for picture in (draft.draft, draft.photo, draft.mask, draft.target):
        part = _floats(picture[:, top : top + side, left : left + side])
        part = functional.pad(part, (0, side - part.shape[3], 0, side - part.shape[2]), mode="reflect")
        pictures.append(part.flip(3) if flipped else part)
    return Crop(path, draft.kind, *pictures)


def start_or_resume(
    teacher: Teachers, draw: Callable[[int], list[Crop]], settings: Settings, out: Path
) -> FinisherTraining:
    """Return a run restored from its last checkpoint in `out`, or a new one."""
    torch.manual_seed(settings.seed)
    finisher = Finisher().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = FinisherTraining(finisher, teacher, draw, settings)
    if (out / CHECKPOINT).exists():
        run.restore(out)
    return run


def main(argv: list[str] | None = None) -> None:
    """Train, resuming from the last checkpoint if there is one."""
    parser = argparse.ArgumentParser(prog="python -m training.finisher", description=__doc__)
    parser.add_argument("--drafts", type=Path, required=True, help="folder made by training.drafts")
    parser.add_argument("--teachers", type=Path, required=True, help="folder of compressed_vgg19*.safetensors")
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {CHECKPOINT}, the log and {WEIGHTS_FILE}")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor (%(default)s)")
    add_end_flags(parser)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    teacher, settings = load_compressed_vgg(arguments.teachers, autocast_dtype()), Settings()
    run = start_or_resume(
        teacher, batch_sampler(sorted(arguments.drafts.glob(f"*{SUFFIX}")), settings), settings, arguments.out
    )
    train(run, schedule(arguments, run), arguments.out)


if __name__ == "__main__":
    main()
