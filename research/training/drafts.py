"""Make drafts for the finisher to learn from: `python -m training.drafts --help`.

Three kinds, each a file of tensors in bytes:

- `pair`: a photo drafted in an artwork. There is no right answer, only a style to match and a photo to keep.
- `pieces`: an artwork drafted at the two finest levels in pieces of its own mirror image. The answer is the artwork.
- `likeness`: an artwork with its strokes removed by a median filter, drafted at all levels in pieces of its mirror
  image. The answer is the artwork, less exactly: most pieces lie elsewhere.

Mirrored, because a piece would otherwise be found at its own place. A run that was stopped resumes when started again.
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
    """What the finisher is given and what it is judged by; pictures (C, H, W) in bytes, sides multiples of 8.

    Attributes:
        kind: See above.
        draft: Merged pieces.
        photo: The photo in the style's colors.
        mask: Where the photo must stay recognizable, one channel.
        target: The artwork as it should come back; of a `pair` the photo in its own colors.
        style: The artwork, of any size.
    """

    kind: Kind
    draft: Tensor
    photo: Tensor
    mask: Tensor
    target: Tensor
    style: Tensor

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        pictures = {name: getattr(self, name) for name in PICTURES}
        part = path.with_suffix(".part")
        save_file(pictures, part, {"kind": self.kind})
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with safe_open(path, "pt") as file:
            return cls(kind_of(path), *(file.get_tensor(name) for name in PICTURES))


def kind_of(path: Path) -> Kind:
    """The kind of the draft in a file.

    Raises:
        ValueError: It is no such file.
    """
    with safe_open(path, "pt") as file:
        kind = (file.metadata() or {}).get("kind")
    if kind not in get_args(Kind):
        raise ValueError(f"{path} is a draft of kind {kind!r}; it must be one of {', '.join(get_args(Kind))}")
    return cast(Kind, kind)


def drawn_evenly(paths: Sequence[Path], chance: random.Random) -> Path:
    """One of `paths`; sources (the file name up to the first `_`) count by the root of their size."""
    sources: dict[str, list[Path]] = {}
    for path in paths:
        sources.setdefault(path.name.split("_")[0], []).append(path)
    weights = [len(source) ** 0.5 for source in sources.values()]
    return chance.choice(chance.choices(list(sources.values()), weights)[0])


def make(index: int, content: Sequence[Path], artworks: Sequence[Path]) -> Draft:
    """The draft with this number: of the pictures and of `index` alone."""
    chance = random.Random(index)  # noqa: S311 (no secret)
    kind, side = KINDS[index % len(KINDS)], chance.choice(SIDES)
    artwork = drawn_evenly(artworks, chance)
    style = _read(artwork, side)
    if kind == "pair":
        photo = _read(drawn_evenly(content, chance), side)
        return _bytes(kind, *_drafted(photo, style, index), target=photo, style=style)
    pieces = style.flip(3)
    if kind == "pieces":
        # The layout is the artwork's own from the start; the photo, which is the answer here, must not be mixed in.
        drafted, _, _ = _drafted(style, pieces, index, levels=2, content=torch.zeros(1, 1, *style.shape[2:]))
        photo, mask = _read(artwork, side, median=chance.choice(MEDIANS)), estimate_content_mask(style[0])[None]
        return _bytes(kind, drafted, photo, mask, target=style, style=style)
    photo = _read(artwork, side, median=chance.choice(MEDIANS))
    return _bytes(kind, *_drafted(photo, pieces, index), target=style, style=style)


@torch.inference_mode()
def _drafted(
    photo: Tensor, style: Tensor, seed: int, levels: int = 0, content: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The draft of `photo` (1, 3, H, W) in `style`, the recolored photo and the content mask, (1, C, H, W) each.

    Args:
        photo: Of even sides.
        style: (1, 3, h, w).
        seed: Of the method.
        levels: How many of the finest to draft at; 0 is all.
        content: Content mask (1, 1, H, W) in place of the method's own.
    """
    task = Task(photo, (StyleInput(lambda: style),), Options(seed=seed), None, content, lambda *_: None)
    painter = neighbor.CoarseToFineSynthesis(task, levels=levels)
    drafted = as_floats(painter.draft())
    height, width = photo.shape[2:]
    (tile,) = tiles((height, width), max(height, width))
    recolored, mask = painter.guide(tile)
    return drafted, tile.crop(recolored), tile.crop(mask)


def _read(path: Path, side: int, *, median: int = 0) -> Tensor:
    """A picture (1, 3, H, W) with a long side of about `side`, sides multiples of 8; `median` is one of `MEDIANS`."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    size = [max(STRIDE, n // STRIDE * STRIDE) for n in long_side_to(side, *picture.size)]
    picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return as_image(np.asarray(picture.filter(ImageFilter.MedianFilter(median)) if median else picture))


def _bytes(kind: Kind, draft: Tensor, photo: Tensor, mask: Tensor, *, target: Tensor, style: Tensor) -> Draft:
    pictures = (draft, photo, mask, target, style)
    return Draft(kind, *((x[0].clamp(0, 1) * 255).round().to(torch.uint8).contiguous() for x in pictures))


def make_all(count: int, content: Sequence[Path], artworks: Sequence[Path], out: Path) -> None:
    """Make the drafts 0 to `count` - 1 that `out` lacks."""
    for index in range(count):
        path = out / f"{index:05}{SUFFIX}"
        if not path.exists():
            make(index, content, artworks).save(path)


def main(argv: list[str] | None = None) -> None:
    """Make drafts of the pictures in two folders."""
    parser = argparse.ArgumentParser(prog="python -m training.drafts", description=__doc__)
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of artworks")
    parser.add_argument("--out", type=Path, required=True, help="folder for the drafts, 1.5 MB each")
    parser.add_argument("--count", type=int, default=COUNT, help="how many there shall be (%(default)s)")
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    content, artworks = (find_pictures(f, held_out=False) for f in (arguments.content, arguments.style))
    make_all(arguments.count, content, artworks, arguments.out)


if __name__ == "__main__":
    main()
