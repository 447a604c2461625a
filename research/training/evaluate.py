"""How well the student stands in for its teachers, on held-out pictures: `python -m training.evaluate --help`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.features import compact
from stylizer.features.compact import CompactFeatures, View
from training.judges import Judge, by_student, by_teachers, content_distance, style_distance
from training.pictures import as_image, find_pictures, read_picture
from training.student import positions
from training.teachers import Teachers, add_teachers_flag, load_teachers

SIDE = 256
# A picture mixed with another by these shares: from a stranger to nearly the same, as a painting on its way is.
SHARES = (0.0, 0.3, 0.6, 0.85, 0.95)


def middle(path: Path, side: int = SIDE) -> Tensor:
    """The middle square (1, 3, side, side) of a picture at `side` / 0.8 pixels of short side, in [0, 1]."""
    picture = as_image(read_picture(path))
    scale = side / 0.8 / min(picture.shape[2:])
    size = [max(side, round(x * scale)) for x in picture.shape[2:]]
    picture = functional.interpolate(picture, size, mode="bilinear", antialias=True).clamp(0, 1)
    top, left = ((x - side) // 2 for x in size)
    return picture[:, :, top : top + side, left : left + side].contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def unexplained(features: CompactFeatures, teachers: Teachers, pictures: Sequence[Tensor]) -> dict[str, float]:
    """Share of each layer's variance over `pictures` that its view of the student does not explain."""
    errors = {layer.name: 0.0 for layer in teachers.layers}
    sums = {layer.name: torch.zeros(layer.channels) for layer in teachers.layers}
    squares, counts = dict(errors), dict(errors)
    for picture in pictures:
        targets, taps = teachers(picture), features(picture)
        for layer in teachers.layers:
            target = positions(targets[layer.name])[0]
            view = features.views[layer.name]
            assert isinstance(view, View)
            tap = positions(teachers.aligned(taps[layer.tap], layer, targets[layer.name]))[0]
            seen = tap @ view.matrix.T + view.offset
            errors[layer.name] += float((seen - target).square().sum())
            sums[layer.name] += target.sum(0)
            squares[layer.name] += float(target.square().sum())
            counts[layer.name] += len(target)
    return {name: errors[name] / (squares[name] - float(sums[name].square().sum()) / counts[name]) for name in errors}


@torch.no_grad()
def distances(judge: Judge, pictures: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Style and content distance of every picture, mixed in turn with the one before it, to itself."""
    style, content = [], []
    for other, picture in pairwise(pictures):
        itself = judge(picture)
        for share in SHARES:
            mixed = judge(torch.lerp(other, picture, share))
            style.append(style_distance(mixed, itself))
            content.append(content_distance(mixed, itself))
    return torch.stack(style), torch.stack(content)


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's, of logarithms: distances span orders of magnitude, and paintings end at the small ones."""
    return float(torch.corrcoef(torch.stack([a.log(), b.log()]))[0, 1])


def evaluate(features: CompactFeatures, teachers: Teachers, pictures: Sequence[Tensor]) -> dict[str, dict[str, float]]:
    """All figures of the model card."""
    style, content = distances(by_teachers(teachers), pictures)
    result = {"unexplained variance": unexplained(features, teachers, pictures)}
    near = style < style.median()
    ways = {"taps": (True, False), "views": (False, True), "both": (True, True)}
    for name, (taps, views) in ways.items():
        ours = distances(by_student(features, taps=taps, views=views), pictures)
        result[name] = {
            "style correlation": correlation(ours[0], style),
            "style correlation, nearer half": correlation(ours[0][near], style[near]),
            "style ratio, median": float((ours[0] / style).median()),
            "content correlation": correlation(ours[1], content),
        }
    return result


def main(argv: list[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of artworks")
    add_teachers_flag(parser)
    parser.add_argument("--pictures", type=int, default=40, help="of each folder at most (%(default)s)")
    arguments = parser.parse_args(argv)
    paths = [
        find_pictures(folder, held_out=True)[: arguments.pictures] for folder in (arguments.content, arguments.style)
    ]
    # Photographs and artworks in turn, so that each is mixed with one of the other kind.
    pictures = [middle(path) for pair in zip(*paths, strict=False) for path in pair]
    result = evaluate(compact.load(), load_teachers(arguments.teachers), pictures)
    print(json.dumps({"pictures": len(pictures), **result}, indent=1))


if __name__ == "__main__":
    main()
