"""Train the feed-forward network's decoder: `python -m training.feedforward --help`.

Resumes from the last checkpoint in `--out`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.compute import autocast, autocast_dtype
from stylizer.features.compact import CompactFeatures, load
from stylizer.feedforward.decoder import ModulatedConv, PCABasis, StyleDecoder
from stylizer.feedforward.grain import GRAIN
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.losses import total_variation
from training.batches import paint_batch, step_generator
from training.checkpoints import CHECKPOINT
from training.pictures import Collection, find_pictures
from training.runs import Run, RunSettings, run_parser, schedule, train
from training.student import Moments
from training.style_library import Style, StyleLibrary
from training.style_target import content_errors, moments_of, style_errors, toward
from training.teachers import Teachers, load_teachers

KEPT_DECODERS = "decoder-*.safetensors"
KEEP_EVERY = 400
MARGIN = 8  # pixels on each side of a crop that are painted but excluded from the loss: padding at inference


@dataclass(frozen=True, kw_only=True)
class Settings(RunSettings):
    """Settings of a decoder training run.

    Attributes:
        batch: Paintings per step.
        side: Side of the part that the loss covers, pixels.
        content_weight: Weight of the content loss relative to the style loss.
        variation_weight: Weight of total variation.
        halos_weight: Weight of lightness contrast over large areas that the photo lacks.
        between: Probability that a step's first painting targets statistics between photo and style, or the photo's.
        identity_weight: Weight of the difference from the photo, scaled by (1 - strength) squared.
    """

    batch: int = 4
    side: int = 256
    warm_up: int = 50
    decay_from: float = 0.3
    clip: float = 1.0
    content_weight: float = 0.15
    variation_weight: float = 0.3
    halos_weight: float = 3.0
    between: float = 0.3
    identity_weight: float = 1.0


@dataclass(frozen=True)
class Batch:
    """Inputs of a training step.

    Attributes:
        photos: (B, 3, H, W), with margin.
        grain: (B, 1, H, W), noise added to the photos.
        styles: One per photo.
        strengths: Interpolation from the photo's statistics (0) to the style's (1).
    """

    photos: Tensor
    grain: Tensor
    styles: list[Style]
    strengths: list[float]


class DecoderTraining(Run):
    """A training run of the decoder."""

    def __init__(
        self,
        decoder: StyleDecoder,
        features: CompactFeatures,
        teachers: Teachers,
        draw: Callable[[int], Batch],
        settings: Settings,
    ) -> None:
        self.decoder, self.encoder, self.teachers = decoder, features.encoder, teachers
        self.draw, self.settings = draw, settings
        self.device = next(decoder.parameters()).device
        # The last convolution outputs colors; like a first layer, it is trained with Adam.
        filters = [cast(ModulatedConv, module).convolution for module in list(decoder.convolutions)[:-1]]
        super().__init__(decoder, filters, settings)

    def losses(self) -> tuple[Tensor, dict[str, object]]:
        """Return the weighted sum of the losses of a batch; logged by name."""
        batch, s = self.draw(self.step), self.settings
        with autocast(self.teachers.dtype, self.device.type):
            photos, paintings, recolored = (x[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN] for x in self.paint(batch))
            of_photos, seen = self.teachers(photos), self.teachers.features(paintings)
            theirs, ours = moments_of(of_photos), moments_of(seen)
        gone = torch.tensor(batch.strengths, device=self.device)
        unchanged = (paintings - photos).abs().mean((1, 2, 3))
        losses = {
            "style": style_errors(ours, _wanted(batch, theirs)).mean(),
            "content": content_errors(seen, of_photos).mean(),
            "variation": total_variation(paintings),
            "halos": halos(paintings, recolored),
            "identity": (unchanged * (1 - gone).square()).mean(),
        }
        weights = (1.0, s.content_weight, s.variation_weight, s.halos_weight, s.identity_weight)
        total = torch.stack([weight * loss for weight, loss in zip(weights, losses.values(), strict=True)]).sum()
        return total, {name: round(loss.item(), 4) for name, loss in losses.items()}

    def paint(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the photos, their paintings, and the recolored photos, (B, 3, H, W) each."""
        photos = batch.photos.to(self.device, memory_format=torch.channels_last)
        grainy = photos + batch.grain.to(self.device)
        targets = [style.statistics for style in batch.styles]
        paintings, weights = paint_batch(self.decoder, self.encoder, grainy, targets, batch.strengths)
        recolored = [each.recolor(grainy[i : i + 1]).detach().float().clamp(0, 1) for i, each in enumerate(weights)]
        return photos, paintings, torch.cat(recolored)

    def save(self, out: Path) -> None:
        """Write the checkpoint and, every `KEEP_EVERY` steps, a shippable decoder for `training.choose`."""
        super().save(out)
        if self.step % KEEP_EVERY == 0:
            self.export(out / KEPT_DECODERS.replace("*", f"{self.step:06}"))


def _wanted(batch: Batch, theirs: dict[str, Moments]) -> list[dict[str, Moments]]:
    """Return the target statistics of each painting, interpolated from the photo's to the style's by strength."""
    wanted = []
    for i, (style, strength) in enumerate(zip(batch.styles, batch.strengths, strict=True)):
        own = {name: (mean[i : i + 1], covariance[i : i + 1]) for name, (mean, covariance) in theirs.items()}
        wanted.append(style.targets if strength == 1 else toward(own, style.targets, strength))
    return wanted


def halos(paintings: Tensor, recolored: Tensor) -> Tensor:
    """Halo loss: contrast of neighboring 16-pixel areas in the paintings beyond that of the recolored photos."""
    ours, theirs = (functional.avg_pool2d(x, 16) for x in (paintings, recolored))
    excess = [functional.relu(ours.diff(dim=axis).abs() - theirs.diff(dim=axis).abs()).mean() for axis in (2, 3)]
    return excess[0] + excess[1]


def batch_sampler(content: Collection, library: StyleLibrary, settings: Settings) -> Callable[[int], Batch]:
    """Return a function that draws a step's batch from seed and step alone, so that runs resume exactly."""

    def draw(step: int) -> Batch:
        random = step_generator(settings.seed, step)
        photos = content.crops(settings.batch, settings.side + 2 * MARGIN, random)
        styles = [library.draw(random) for _ in range(settings.batch)]
        strengths = [1.0] * settings.batch
        if float(torch.rand((), generator=random)) < settings.between:
            strengths[0] = max(0.0, 1.25 * float(torch.rand((), generator=random)) - 0.25)
        grain = GRAIN * torch.randn(len(photos), 1, *photos.shape[2:], generator=random)
        return Batch(photos, grain, styles, strengths)

    return draw


@torch.no_grad()
def find_bases(decoder: StyleDecoder, features: CompactFeatures, draws: list[Batch]) -> None:
    """Set the decoder's PCA bases from the statistics of photos and artworks."""
    by_side = [style.statistics for batch in draws for style in batch.styles]
    for batch in draws:
        photos = batch.photos.to(features.encoder.rgb_mean.device)
        by_side.extend(
            StyleStatistics.from_features(photo, features.encoder(photo, replicate_pad=True))
            for photo in torch.split(photos, 1)
        )
    pooled = StyleStatistics.pool([(statistics, 1 / len(by_side)) for statistics in by_side])
    for basis, level in zip(decoder.bases, pooled.levels, strict=True):
        cast(PCABasis, basis).fit(level)


def start_or_resume(
    features: CompactFeatures, teachers: Teachers, draw: Callable[[int], Batch], settings: Settings, out: Path
) -> DecoderTraining:
    """Return a run restored from its last checkpoint in `out`, or a new one."""
    torch.manual_seed(settings.seed)
    decoder = StyleDecoder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    decoder.to(features.encoder.rgb_mean.device)
    resumed = (out / CHECKPOINT).exists()
    if not resumed:
        # Negative steps, so that training sees none of these batches again.
        find_bases(decoder, features, [draw(-step) for step in range(1, 41)])
    run = DecoderTraining(decoder, features, teachers, draw, settings)
    if resumed:
        run.restore(out)
    return run


def main(argv: list[str] | None = None) -> None:
    """Train, resuming from the last checkpoint if there is one."""
    parser = run_parser("training.feedforward", __doc__)
    parser.add_argument("--styles", type=Path, help="folder for cached style statistics (default: in --out)")
    parser.add_argument("--batch", type=int, default=Settings.batch, help="paintings per step (%(default)s)")
    parser.add_argument("--side", type=int, default=Settings.side, help="side of a painting, pixels (%(default)s)")
    parser.add_argument("--content-weight", type=float, default=Settings.content_weight, help="(%(default)s)")
    parser.add_argument("--device", type=torch.device, default="cpu", help="cpu or cuda (%(default)s)")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    settings = replace(Settings(), batch=arguments.batch, side=arguments.side, content_weight=arguments.content_weight)
    teachers = load_teachers(arguments.teachers, autocast_dtype(arguments.device.type)).to(arguments.device)
    features = load().to(arguments.device)
    content = Collection.load(find_pictures(arguments.content, held_out=False))
    artworks = find_pictures(arguments.style, held_out=False)
    arguments.out.mkdir(parents=True, exist_ok=True)
    library = StyleLibrary(artworks, features, teachers, arguments.styles or arguments.out / "styles")
    run = start_or_resume(features, teachers, batch_sampler(content, library, settings), settings, arguments.out)
    train(run, schedule(arguments, run), arguments.out)


if __name__ == "__main__":
    main()
