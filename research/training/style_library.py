"""Cached statistics of artworks by the encoder and the teachers.

Artworks are measured whole, at the long side used for evaluation, and also smaller and cropped, so that one set of
images covers several stroke scales.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from stylizer.capabilities import long_side_to
from stylizer.compute import autocast
from stylizer.features.compact import CompactFeatures
from stylizer.features.statistics import Statistics
from stylizer.feedforward.style_statistics import StyleStatistics
from training.pictures import Collection, as_image
from training.quality_distances import LONG_SIDE
from training.student import Moments
from training.style_target import moments_of
from training.teachers import Teachers


@dataclass(frozen=True)
class Variant:
    """A crop of an artwork with `share` of each side, at `scale` times the evaluation scale, sampled with `chance`."""

    share: float
    scale: float
    chance: float


VARIANTS = (Variant(1.0, 1.0, 0.5), Variant(1.0, 0.6, 0.2), Variant(0.6, 1.0, 0.15), Variant(0.6, 1.5, 0.15))


@dataclass(frozen=True)
class Style:
    """Statistics of a variant of an artwork.

    Attributes:
        statistics: By the encoder.
        targets: Mean (1, C) and covariance (1, C, C) of each teacher's layer.
    """

    statistics: StyleStatistics
    targets: dict[str, Moments]


class StyleLibrary:
    """Artworks with their statistics, cached in `folder`, one file per variant."""

    def __init__(self, paths: Sequence[Path], features: CompactFeatures, teachers: Teachers, folder: Path) -> None:
        self._names = [path.name for path in paths]
        self._artworks = Collection.load(paths)
        self._features, self._teachers, self._folder = features, teachers, folder
        self._device = features.encoder.rgb_mean.device
        self._known: dict[tuple[int, int], Style] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def draw(self, random: torch.Generator) -> Style:
        """Sample a style."""
        index = int(torch.multinomial(self._artworks.chances, 1, generator=random))
        variant = int(torch.multinomial(torch.tensor([v.chance for v in VARIANTS]), 1, generator=random))
        return self.style(index, variant)

    def style(self, index: int, variant: int) -> Style:
        """Return the statistics of `VARIANTS[variant]` of artwork `index`."""
        key = index, variant
        if key not in self._known:
            path = self._folder / f"{Path(self._names[index]).stem}-{variant}.safetensors"
            if not path.exists():
                self._measure(index, variant, path)
            self._known[key] = _read(path, self._device)
        return self._known[key]

    def picture(self, index: int, variant: int) -> Tensor:
        """Return the image (1, 3, H, W) of a variant."""
        return view(self._artworks.pictures[index], VARIANTS[variant], self._names[index]).to(self._device)

    def _measure(self, index: int, variant: int, path: Path) -> None:
        image = self.picture(index, variant)
        with torch.no_grad(), autocast(self._teachers.dtype, self._device.type):
            statistics = StyleStatistics.from_features(image, self._features(image))
            targets = moments_of(self._teachers(image))
        state = {f"look.{i}.{j}": x for i, level in enumerate(statistics.levels) for j, x in enumerate(level.tensors())}
        for name, pair in targets.items():
            state |= {f"target.{name}.{j}": x for j, x in enumerate(pair)}
        # Half the memory of float32, with errors of thousandths in targets that are matched to tenths.
        save_file({k: v.bfloat16() if k.endswith(".1") else v.contiguous() for k, v in state.items()}, path)


def view(picture: NDArray[np.uint8], variant: Variant, name: str) -> Tensor:
    """Return the variant of an image as (1, 3, H, W) in [0, 1]; the crop is derived from a hash of `name`."""
    height, width = picture.shape[:2]
    h, w = round(height * variant.share), round(width * variant.share)
    chance = hashlib.sha256(name.encode()).digest()
    top, left = chance[0] * (height - h) // 255, chance[1] * (width - w) // 255
    part = as_image(picture[top : top + h, left : left + w])
    out_width, out_height = long_side_to(round(LONG_SIDE * variant.share * variant.scale), w, h)
    image = functional.interpolate(part, (out_height, out_width), mode="bicubic", antialias=True).clamp(0, 1)
    return image.contiguous(memory_format=torch.channels_last)


def _read(path: Path, device: torch.device) -> Style:
    state = load_file(path, str(device))
    levels = len({key.split(".")[1] for key in state if key.startswith("look.")})
    statistics = StyleStatistics(
        tuple(Statistics(state[f"look.{i}.0"].float(), state[f"look.{i}.1"].float()) for i in range(levels))
    )
    names = {key.split(".")[1] for key in state if key.startswith("target.")}
    return Style(statistics, {name: (state[f"target.{name}.0"], state[f"target.{name}.1"]) for name in names})
