"""Make training drafts for the finisher: `python -m training.drafts --help`.

Three kinds, each a file of uint8 tensors:

- `pair`: a photo drafted in the style of an artwork. There is no ground truth.
- `pieces`: an artwork drafted at the two finest levels from patches of its mirror image. The target is the artwork.
- `likeness`: an artwork without its strokes (median filter), drafted at all levels from patches of its mirror image.
  The target is the artwork, less exactly, since most patches come from elsewhere.

Mirrored, because each patch would otherwise match its own position. An interrupted run resumes when restarted.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast, get_args

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from stylizer.capabilities import long_side_to
from stylizer.methods import StyleInput, Task, neighbor
from stylizer.options import Options
from stylizer.synthesis.content_mask import estimate_content_mask
from stylizer.tensors import as_floats
from stylizer.tiles import STRIDE, tiles
from training.pictures import as_image, find_pictures

Kind = Literal["pair", "pieces", "likeness"]
KINDS: tuple[Kind, ...] = ("pair", "pieces", "pair", "likeness")  # in turn
SIDES = (512, 512, 448)  # long side in pixels, drawn from these
MEDIANS = (5, 7, 9)  # sides in pixels of the median filters
SUFFIX = ".safetensors"
COUNT = 600
PICTURES = ("draft", "photo", "mask", "target", "style")


@dataclass(frozen=True)
class Draft:
    """Inputs and targets of the finisher; images (C, H, W) of uint8, with sides that are multiples of 8.

    Attributes:
        kind: See the module docstring.
        draft: Merged patches.
        photo: The photo recolored by the style.
        mask: Content mask, one channel.
        target: The artwork to reconstruct; for a `pair` the original photo.
        style: The artwork, of any size.
    """

    kind: Kind
    draft: Tensor
    photo: Tensor
    mask: Tensor
    target: Tensor
    style: Tensor

    def save(self, path: Path) -> None:
        """Write the file atomically."""
        pictures = {name: getattr(self, name) for name in PICTURES}
        part = path.with_suffix(".part")
        save_file(pictures, part, {"kind": self.kind})
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file written by `save`."""
        with safe_open(path, "pt") as file:
            return cls(kind_of(path), *(file.get_tensor(name) for name in PICTURES))


def kind_of(path: Path) -> Kind:
    """Return the kind of the draft in a file.

    Raises:
        ValueError: The file is not a draft.
    """
    with safe_open(path, "pt") as file:
        kind = (file.metadata() or {}).get("kind")
    if kind not in get_args(Kind):
        raise ValueError(f"{path} is a draft of kind {kind!r}; it must be one of {', '.join(get_args(Kind))}")
    return cast(Kind, kind)


def sample_path(paths: Sequence[Path], chance: random.Random) -> Path:
    """Sample a path; sources (the file name up to the first `_`) are weighted by the square root of their size."""
    sources: dict[str, list[Path]] = {}
    for path in paths:
        sources.setdefault(path.name.split("_")[0], []).append(path)
    weights = [len(source) ** 0.5 for source in sources.values()]
    return chance.choice(chance.choices(list(sources.values()), weights)[0])


def make(index: int, content: Sequence[Path], artworks: Sequence[Path]) -> Draft:
    """Make draft number `index`, deterministically."""
    chance = random.Random(index)  # noqa: S311 (no secret)
    kind, side = KINDS[index % len(KINDS)], chance.choice(SIDES)
    artwork = sample_path(artworks, chance)
    style = _read(artwork, side)
    if kind == "pair":
        photo = _read(sample_path(content, chance), side)
        return _bytes(kind, *_drafted(photo, style, index), target=photo, style=style)
    pieces = style.flip(3)
    if kind == "pieces":
        # The layout is already the artwork's own; fusing with the photo, here the target, would leak it.
        drafted, _, _ = _drafted(style, pieces, index, levels=2, content=torch.zeros(1, 1, *style.shape[2:]))
        photo, mask = _read(artwork, side, median=chance.choice(MEDIANS)), estimate_content_mask(style[0])[None]
        return _bytes(kind, drafted, photo, mask, target=style, style=style)
    photo = _read(artwork, side, median=chance.choice(MEDIANS))
    return _bytes(kind, *_drafted(photo, pieces, index), target=style, style=style)


@torch.inference_mode()
def _drafted(
    photo: Tensor, style: Tensor, seed: int, levels: int = 0, content: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return draft, recolored photo and content mask (1, C, H, W) of `photo` (1, 3, H, W) in `style`.

    Args:
        photo: With even sides.
        style: (1, 3, h, w).
        seed: Seed of the method.
        levels: Number of finest levels to draft at; 0 for all.
        content: Content mask (1, 1, H, W) instead of an estimated one.
    """
    task = Task(photo, (StyleInput(lambda: style),), Options(seed=seed), None, content, lambda *_: None)
    painter = neighbor.CoarseToFineSynthesis(task, levels=levels)
    drafted = as_floats(painter.draft())
    height, width = photo.shape[2:]
    (tile,) = tiles((height, width), max(height, width))
    recolored, mask = painter.guide(tile)
    return drafted, tile.crop(recolored), tile.crop(mask)


def _read(path: Path, side: int, *, median: int = 0) -> Tensor:
    """Read an image (1, 3, H, W) with a long side of about `side` and sides that are multiples of 8."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    size = [max(STRIDE, n // STRIDE * STRIDE) for n in long_side_to(side, *picture.size)]
    picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return as_image(np.asarray(picture.filter(ImageFilter.MedianFilter(median)) if median else picture))


def _bytes(kind: Kind, draft: Tensor, photo: Tensor, mask: Tensor, *, target: Tensor, style: Tensor) -> Draft:
    pictures = (draft, photo, mask, target, style)
    return Draft(kind, *((x[0].clamp(0, 1) * 255).round().to(torch.uint8).contiguous() for x in pictures))


def make_all(count: int, content: Sequence[Path], artworks: Sequence[Path], out: Path) -> None:
    """Make the drafts 0 to `count` - 1 that are missing in `out`."""
    for index in range(count):
        path = out / f"{index:05}{SUFFIX}"
        if not path.exists():
            make(index, content, artworks).save(path)


def main(argv: list[str] | None = None) -> None:
    """Make drafts of the images in two folders."""
    parser = argparse.ArgumentParser(prog="python -m training.drafts", description=__doc__)
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of artworks")
    parser.add_argument("--out", type=Path, required=True, help="folder for the drafts, 1.5 MB each")
    parser.add_argument("--count", type=int, default=COUNT, help="number of drafts (%(default)s)")
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    content, artworks = (find_pictures(f, held_out=False) for f in (arguments.content, arguments.style))
    make_all(arguments.count, content, artworks, arguments.out)


if __name__ == "__main__":
    main()
