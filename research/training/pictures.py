"""Training images: decoded into memory, randomly cropped and scaled, and augmented like paintings in progress."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
HELD_OUT_SHARE = 0.05
SHORT_SIDE = 384


def is_held_out(path: Path) -> bool:
    """Return whether an image is held out for evaluation; depends on its file name only, so the split is stable."""
    return hashlib.sha256(path.name.encode()).digest()[0] < HELD_OUT_SHARE * 256


def find_pictures(folder: Path, *, held_out: bool) -> list[Path]:
    """Return the training or held-out images in `folder`, sorted by name."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and is_held_out(p) == held_out)
    if not paths:
        raise FileNotFoundError(f"no {'held-out' if held_out else 'training'} pictures in {folder}")
    return paths


def read_picture(path: Path, *, short_side: int = SHORT_SIDE) -> NDArray[np.uint8]:
    """Read an upright RGB image (H, W, 3) with a short side of at most `short_side`."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    scale = short_side / min(picture.size)
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(picture)


def as_image(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert pixels (H, W, 3) to float32 (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


@dataclass(frozen=True)
class Collection:
    """Images in memory with their sampling probabilities."""

    pictures: Sequence[NDArray[np.uint8]]
    chances: Tensor

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Collection:
        """Decode `paths`; sources (the file name up to the first `_`) are weighted by the square root of their size.

        Uniform sampling of files would favor the largest source, uniform sampling of sources the smallest ones.
        """
        sources = [path.name.split("_")[0] for path in paths]
        sizes = Counter(sources)
        chances = torch.tensor([sizes[source] ** -0.5 for source in sources], dtype=torch.float64)
        return cls([read_picture(path) for path in paths], chances / chances.sum())

    def crops(self, count: int, side: int, random: torch.Generator) -> Tensor:
        """Sample crops (`count`, 3, side, side) in [0, 1], scaled by 0.6 to 1.5, half of them flipped."""
        chosen = torch.multinomial(self.chances, count, replacement=True, generator=random)
        return torch.cat([crop(self.pictures[int(i)], side, random) for i in chosen])


def crop(picture: NDArray[np.uint8], side: int, random: torch.Generator) -> Tensor:
    """Return a random crop (1, 3, side, side) of `picture`."""
    scale = 0.6 * 2.5 ** float(torch.rand((), generator=random))
    height, width = picture.shape[:2]
    span = min(round(side / scale), height, width)
    top = int(torch.randint(height - span + 1, (), generator=random))
    left = int(torch.randint(width - span + 1, (), generator=random))
    window = as_image(picture[top : top + span, left : left + span])
    if torch.rand((), generator=random) < 0.5:
        window = window.flip(3)
    return functional.interpolate(window, (side, side), mode="bilinear", antialias=True, align_corners=False)


def augment(crops: Tensor, random: torch.Generator) -> Tensor:
    """Randomly mix, recolor and add noise to crops (B, 3, H, W), like stages of a painting during optimization."""

    def chosen(share: float) -> Tensor:
        return (torch.rand(len(crops), 1, 1, 1, generator=random) < share).float()

    mix = 0.7 * chosen(0.15) * torch.rand(len(crops), 1, 1, 1, generator=random)
    crops = torch.lerp(crops, crops.roll(1, 0), mix)
    colors = torch.eye(3) + 0.35 * chosen(0.3)[..., 0] * torch.randn(len(crops), 3, 3, generator=random)
    shift = 0.15 * chosen(0.3) * torch.randn(len(crops), 3, 1, 1, generator=random)
    crops = torch.einsum("bij,bjhw->bihw", colors, crops - 0.45) + 0.45 + shift
    strength = 0.15 * chosen(0.3) * torch.rand(len(crops), 1, 1, 1, generator=random)
    return (crops + strength * torch.randn(crops.shape, generator=random)).clamp(0, 1)
