"""Compare paintings with the student's and the teachers' features: `python -m training.side_by_side --help`.

The same plain pixel optimization for every feature extractor. The printed distances always use the teachers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from stylizer.compute import autocast_dtype
from stylizer.features import compact
from stylizer.features.compact import CompactFeatures
from stylizer.lbfgs import LBFGS
from stylizer.tensors import to_image
from training.perceptual_distance import (
    ExtractedFeatures,
    FeatureExtractor,
    content_distance,
    student_extractor,
    style_distance,
    teacher_extractor,
    vgg_extractor,
)
from training.pictures import as_image, read_picture
from training.teachers import Teachers, add_teachers_flag, load_teachers

CONTENT_WEIGHT = 0.15
EXTRACTORS: dict[str, Callable[[CompactFeatures, Teachers], FeatureExtractor]] = {
    "taps": lambda features, _: student_extractor(features, taps=True),
    "views": lambda features, _: student_extractor(features, views=True),
    "both": lambda features, _: student_extractor(features, taps=True, views=True),
    "teachers": lambda _, teachers: teacher_extractor(teachers),
    "vgg19": lambda _, teachers: vgg_extractor(teachers),
}


def paint(
    extract: FeatureExtractor, photo: Tensor, style: Tensor, *, steps: Sequence[int], content_weight: float
) -> Tensor:
    """Paint `photo` (1, 3, H, W) in `style`, coarse to fine: `steps[-1]` at full size, halved for each level before."""
    image = photo
    for level, count in enumerate(steps):
        factor = 2.0 ** (level + 1 - len(steps))
        target, wanted = (_scaled(x, factor) for x in (photo, style))
        with torch.no_grad():
            seen_photo, seen_style = extract(target), extract(wanted)
        image = functional.interpolate(image, target.shape[2:], mode="bicubic").clamp(0, 1)
        descent = LBFGS(image)
        for _ in range(count):
            descent.step(partial(_loss, extract, seen_style, seen_photo, content_weight))
        image = descent.image
    return image


def _loss(
    extract: FeatureExtractor, style: ExtractedFeatures, photo: ExtractedFeatures, content_weight: float, image: Tensor
) -> Tensor:
    seen = extract(image)
    return style_distance(seen, style) + content_weight * content_distance(seen, photo)


def _scaled(x: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return x
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", antialias=True)


def sheet(pictures: Sequence[Tensor]) -> Image.Image:
    """Return the images (1, 3, h, w) side by side, resized to the height of the first."""
    height = pictures[0].shape[2]
    resized = [
        functional.interpolate(x, (height, round(x.shape[3] * height / x.shape[2])), mode="bilinear", antialias=True)
        for x in pictures
    ]
    return to_image(torch.cat(resized, 3).detach())


def main(argv: list[str] | None = None) -> None:
    """Paint a photo in a style with every feature extractor, and write all paintings into one image."""
    parser = argparse.ArgumentParser(prog="python -m training.side_by_side", description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    add_teachers_flag(parser)
    parser.add_argument("--side", type=int, default=256, help="short side in pixels (%(default)s)")
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 80], help="of each level, coarse to fine")
    parser.add_argument("--content-weight", type=float, default=CONTENT_WEIGHT, help="(%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="picture to write: photo, style, then the paintings")
    parser.add_argument("--judges", nargs="+", choices=EXTRACTORS, default=["taps", "views", "teachers", "vgg19"])
    arguments = parser.parse_args(argv)
    precision = autocast_dtype()
    features, teachers = compact.load(), load_teachers(arguments.teachers)
    photo, style = (
        as_image(read_picture(path, short_side=arguments.side)) for path in (arguments.photo, arguments.style)
    )
    pictures, extract_by_teachers = [photo, style], teacher_extractor(teachers)
    for name in arguments.judges:
        extract = EXTRACTORS[name](features, teachers)
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            painted = paint(extract, photo, style, steps=arguments.steps, content_weight=arguments.content_weight)
        pictures.append(painted)
        with torch.no_grad():
            ours, wanted, kept = (extract_by_teachers(x) for x in (painted, style, photo))
        print(
            f"{name}: style {style_distance(ours, wanted):.4f}, content {content_distance(ours, kept):.4f}", flush=True
        )
    sheet(pictures).save(arguments.out)


if __name__ == "__main__":
    main()
