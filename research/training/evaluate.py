"""Compare the encoder with its teachers on held-out images: `python -m training.evaluate --help`."""

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
from training.perceptual_distance import (
    FeatureExtractor,
    content_distance,
    student_extractor,
    style_distance,
    teacher_extractor,
)
from training.pictures import as_image, find_pictures, read_picture
from training.student import positions
from training.teachers import Teachers, add_teachers_flag, load_teachers

SIDE = 256
# Mixing weights of an image with another: from unrelated to nearly identical, like a painting during optimization.
SHARES = (0.0, 0.3, 0.6, 0.85, 0.95)


def center_crop(path: Path, side: int = SIDE) -> Tensor:
    """Return the center square (1, 3, side, side) in [0, 1] of an image resized to a short side of `side` / 0.8."""
    picture = as_image(read_picture(path))
    scale = side / 0.8 / min(picture.shape[2:])
    size = [max(side, round(x * scale)) for x in picture.shape[2:]]
    picture = functional.interpolate(picture, size, mode="bilinear", antialias=True).clamp(0, 1)
    top, left = ((x - side) // 2 for x in size)
    return picture[:, :, top : top + side, left : left + side].contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def unexplained(features: CompactFeatures, teachers: Teachers, pictures: Sequence[Tensor]) -> dict[str, float]:
    """Return the unexplained share of each layer's variance over `pictures` when predicted by the views."""
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
def distances(extract: FeatureExtractor, pictures: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return style and content distances of each picture to its mixtures with the previous one."""
    style, content = [], []
    for other, picture in pairwise(pictures):
        itself = extract(picture)
        for share in SHARES:
            mixed = extract(torch.lerp(other, picture, share))
            style.append(style_distance(mixed, itself))
            content.append(content_distance(mixed, itself))
    return torch.stack(style), torch.stack(content)


def correlation(a: Tensor, b: Tensor) -> float:
    """Return Pearson's correlation of logarithms: distances span orders of magnitude, and small ones matter."""
    return float(torch.corrcoef(torch.stack([a.log(), b.log()]))[0, 1])


def evaluate(features: CompactFeatures, teachers: Teachers, pictures: Sequence[Tensor]) -> dict[str, dict[str, float]]:
    """Return all figures of the model card."""
    style, content = distances(teacher_extractor(teachers), pictures)
    result = {"unexplained variance": unexplained(features, teachers, pictures)}
    near = style < style.median()
    ways = {"taps": (True, False), "views": (False, True), "both": (True, True)}
    for name, (taps, views) in ways.items():
        ours = distances(student_extractor(features, taps=taps, views=views), pictures)
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
    parser.add_argument("--pictures", type=int, default=40, help="maximum per folder (%(default)s)")
    arguments = parser.parse_args(argv)
    paths = [
        find_pictures(folder, held_out=True)[: arguments.pictures] for folder in (arguments.content, arguments.style)
    ]
    # Alternate photographs and artworks, so that each is mixed with one of the other kind.
    pictures = [center_crop(path) for pair in zip(*paths, strict=False) for path in pair]
    result = evaluate(compact.load(), load_teachers(arguments.teachers), pictures)
    print(json.dumps({"pictures": len(pictures), **result}, indent=1))


if __name__ == "__main__":
    main()
