"""Train the decoder of coarse paintings: `python -m training.coarse_decoder --help`.

It differs from the decoder of `feedforward` in residual blocks at stride 8 and in seeing no more of the photo's pixels
than their means over 8x8 areas, and starts from its weights. Resumes from the last checkpoint in `--out`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple, cast

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from stylizer.compute import autocast, autocast_dtype
from stylizer.features.compact import CompactEncoder, load
from stylizer.feedforward.decoder import ModulatedBlock, ModulatedConv, StyleDecoder
from stylizer.feedforward.grain import GRAIN
from stylizer.feedforward.network import COARSE, FEEDFORWARD
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.losses import total_variation
from stylizer.synthesis.pyramid import resize, size_within
from training.batches import paint_batch, step_generator
from training.checkpoints import CHECKPOINT
from training.finisher import StyleTargets, pair_losses
from training.pictures import Collection, as_image, find_pictures
from training.runs import Run, RunSettings, run_parser, schedule, train
from training.teachers import Teachers, load_compressed_vgg

WEIGHTS_FILE = Path(COARSE.path.name)  # averaged weights, in the folder of the run


class Scale(NamedTuple):
    """Scale of a batch.

    Attributes:
        style_side: Long side in pixels of the artworks.
        photo_side: Side in pixels of the photos' crops, before they are reduced to `Settings.side`.
        chance: Probability of a batch at this scale.
        draft: Index in `SCALES` of half this scale; None for the first level of a painting.
    """

    style_side: int
    photo_side: int
    chance: float
    draft: int | None = None


SCALES = (Scale(128, 352, 0.35), Scale(160, 352, 0.1), Scale(256, 280, 0.35, 0), Scale(512, 160, 0.2, 2))


@dataclass(frozen=True, kw_only=True)
class Settings(RunSettings):
    """Settings of a training run of the coarse decoder.

    Attributes:
        batch: Paintings per step.
        side: Side of a painting, pixels; twice a multiple of 8.
        margin: Pixels on each side of a painting that are excluded from the loss.
        revised: Share of the batches at scales with a draft that revise one, as at inference.
        style, neighbors, content: Weights of `pair_losses`.
        variation: Weight of total variation.
    """

    rate: float = 7e-4
    filters_rate: float = 1.5e-3
    warm_up: int = 60
    decay_from: float = 0.5
    average: float = 0.99
    clip: float = 1.0
    batch: int = 8
    side: int = 144
    margin: int = 8
    revised: float = 0.7
    style: float = 1.0
    neighbors: float = 1.0
    content: float = 0.25
    variation: float = 0.03


class Batch(NamedTuple):
    """Inputs of a training step.

    Attributes:
        photos: (B, 3, H, W).
        grain: (B, 1, H, W), noise added to the photos.
        artworks: Index of an artwork for each photo.
        scale: Index in `SCALES`.
        is_revision: Whether the photos are painted at half the size first.
    """

    photos: Tensor
    grain: Tensor
    artworks: list[int]
    scale: int
    is_revision: bool


class CoarseDecoderTraining(Run):
    """A training run of the coarse decoder."""

    def __init__(
        self,
        decoder: StyleDecoder,
        encoder: CompactEncoder,
        teacher: Teachers,
        artworks: Collection,
        draw: Callable[[int], Batch],
        settings: Settings,
    ) -> None:
        self.decoder, self.encoder, self.teacher = decoder, encoder, teacher
        self.artworks, self.draw, self.settings = artworks, draw, settings
        blocks = cast(Sequence[ModulatedBlock], decoder.blocks)
        # The last convolution outputs colors; like a first layer, it is trained with Adam.
        modulated = chain(list(decoder.convolutions)[:-1], *((block.first, block.second) for block in blocks))
        super().__init__(decoder, [cast(ModulatedConv, module).convolution for module in modulated], settings)
        self._style = lru_cache(maxsize=3000)(self._measure)  # 1.5 MB each

    def losses(self) -> tuple[Tensor, dict[str, object]]:
        """Return the weighted sum of the losses of a batch; logged by name."""
        s, batch = self.settings, self.draw(self.step)
        styles = [self._style(artwork, batch.scale) for artwork in batch.artworks]
        inside = slice(s.margin, -s.margin)
        with autocast(self.teacher.dtype, "cpu"):
            paintings = self._paint(self._input(batch), [statistics for statistics, _ in styles])[..., inside, inside]
            seen, of_photos = self.teacher.features(paintings), self.teacher(batch.photos[..., inside, inside])
        total, logged = s.variation * total_variation(paintings), dict[str, list[float]]()
        for i, (_, targets) in enumerate(styles):
            ours, photo = ({name: x[i : i + 1] for name, x in all_.items()} for all_ in (seen, of_photos))
            for name, loss in pair_losses(ours, photo, targets).items():
                total = total + getattr(s, name) * loss / len(styles)
                logged.setdefault(name, []).append(loss.item())
        return total, {name: round(sum(values) / len(values), 4) for name, values in logged.items()}

    def save(self, out: Path) -> None:
        """Write the checkpoint, and the averaged weights in half precision."""
        super().save(out)
        self.export(out / WEIGHTS_FILE)

    @torch.no_grad()
    def _input(self, batch: Batch) -> Tensor:
        """Return the photos of a batch with grain; for a revision, with the change of a painting at half the size."""
        pictures = batch.photos + batch.grain
        draft = SCALES[batch.scale].draft
        if batch.is_revision and draft is not None:
            styles = [self._style(artwork, draft)[0] for artwork in batch.artworks]
            small = functional.interpolate(batch.photos, scale_factor=0.5, mode="bicubic", antialias=True).clamp(0, 1)
            change = self._paint(small, styles) - small
            pictures = (pictures + functional.interpolate(change, scale_factor=2.0, mode="bicubic")).clamp(0, 1)
        return pictures

    def _paint(self, pictures: Tensor, styles: Sequence[StyleStatistics]) -> Tensor:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        return paint_batch(self.decoder, self.encoder, pictures, styles)[0]

    @torch.no_grad()
    def _measure(self, artwork: int, scale: int) -> tuple[StyleStatistics, StyleTargets]:
        """Measure an artwork at a scale by the encoder and by the teacher."""
        image = as_image(self.artworks.pictures[artwork])
        height, width = size_within((image.shape[2], image.shape[3]), SCALES[scale].style_side)
        image = resize(image[0], (max(64, height), max(64, width)))[None].clamp(0, 1)
        with autocast(self.teacher.dtype, "cpu"):
            return StyleStatistics.from_features(image, self.encoder(image)), StyleTargets.of(self.teacher(image))


def batch_sampler(content: Collection, artworks: Collection, settings: Settings) -> Callable[[int], Batch]:
    """Return a function that draws a step's batch from seed and step alone, so that runs resume exactly."""

    def draw(step: int) -> Batch:
        random = step_generator(settings.seed, step)
        scale = int(torch.multinomial(torch.tensor([scale.chance for scale in SCALES]), 1, generator=random))
        side = settings.side
        photos = content.crops(settings.batch, SCALES[scale].photo_side, random)
        photos = functional.interpolate(photos, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
        chosen = torch.multinomial(artworks.chances, settings.batch, replacement=True, generator=random)
        grain = GRAIN * torch.randn(settings.batch, 1, side, side, generator=random)
        is_revision = SCALES[scale].draft is not None and float(torch.rand((), generator=random)) < settings.revised
        return Batch(photos, grain, chosen.tolist(), scale, is_revision)

    return draw


def start_or_resume(
    teacher: Teachers,
    artworks: Collection,
    draw: Callable[[int], Batch],
    settings: Settings,
    out: Path,
    start: Path = FEEDFORWARD.path,
) -> CoarseDecoderTraining:
    """Return a run restored from its last checkpoint in `out`, or one that starts from the weights in `start`."""
    torch.manual_seed(settings.seed)
    decoder = COARSE.create()
    # The decoder of `feedforward` lacks the residual blocks, whose initial weights change nothing.
    decoder.load_state_dict(decoder.state_dict() | {key: x.float() for key, x in load_file(start).items()})
    decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = CoarseDecoderTraining(decoder, load().encoder, teacher, artworks, draw, settings)
    if (out / CHECKPOINT).exists():
        run.restore(out)
    return run


def main(argv: list[str] | None = None) -> None:
    """Train, resuming from the last checkpoint if there is one."""
    parser = run_parser("training.coarse_decoder", __doc__, compressed_vgg=True)
    parser.add_argument(
        "--start", type=Path, default=FEEDFORWARD.path, help="weights to start from (default: those of feedforward)"
    )
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings, teacher = Settings(), load_compressed_vgg(arguments.teachers, autocast_dtype())
    content, artworks = (
        Collection.load(find_pictures(folder, held_out=False)) for folder in (arguments.content, arguments.style)
    )
    draw = batch_sampler(content, artworks, settings)
    run = start_or_resume(teacher, artworks, draw, settings, arguments.out, arguments.start)
    train(run, schedule(arguments, run), arguments.out)


if __name__ == "__main__":
    main()
