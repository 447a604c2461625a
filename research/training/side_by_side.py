"""Paintings by the student's eyes beside paintings by its teachers': `python -m training.side_by_side --help`.

A plain optimization of the pixels, the same for every judge, so that what differs between the paintings is what the
judges see. The distances printed are the teachers', whoever painted.
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
from training.judges import Judge, Seen, by_student, by_teachers, by_vgg, content_distance, style_distance
from training.pictures import as_image, read_picture
from training.teachers import Teachers, add_teachers_flag, load_teachers

CONTENT_WEIGHT = 0.15
JUDGES: dict[str, Callable[[CompactFeatures, Teachers], Judge]] = {
    "taps": lambda features, _: by_student(features, taps=True),
    "views": lambda features, _: by_student(features, views=True),
    "both": lambda features, _: by_student(features, taps=True, views=True),
    "teachers": lambda _, teachers: by_teachers(teachers),
    "vgg19": lambda _, teachers: by_vgg(teachers),
}


def paint(judge: Judge, photo: Tensor, style: Tensor, *, steps: Sequence[int], content_weight: float) -> Tensor:
    """`photo` (1, 3, H, W) painted in `style`, coarse to fine: `steps[-1]` at full size, each before at half that."""
    image = photo
    for level, count in enumerate(steps):
        factor = 2.0 ** (level + 1 - len(steps))
        target, wanted = (_scaled(x, factor) for x in (photo, style))
        with torch.no_grad():
            seen_photo, seen_style = judge(target), judge(wanted)
        image = functional.interpolate(image, target.shape[2:], mode="bicubic").clamp(0, 1)
        descent = LBFGS(image)
        for _ in range(count):
            descent.step(partial(_loss, judge, seen_style, seen_photo, content_weight))
        image = descent.image
    return image


def _loss(judge: Judge, style: Seen, photo: Seen, content_weight: float, image: Tensor) -> Tensor:
    seen = judge(image)
    return style_distance(seen, style) + content_weight * content_distance(seen, photo)


def _scaled(x: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return x
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", antialias=True)


def sheet(pictures: Sequence[Tensor]) -> Image.Image:
    """The pictures (1, 3, h, w) side by side, all as high as the first."""
    height = pictures[0].shape[2]
    resized = [
        functional.interpolate(x, (height, round(x.shape[3] * height / x.shape[2])), mode="bilinear", antialias=True)
        for x in pictures
    ]
    return to_image(torch.cat(resized, 3).detach())


def main(argv: list[str] | None = None) -> None:
    """Paint one photo in one style by every judge, and write them all into one picture."""
    parser = argparse.ArgumentParser(prog="python -m training.side_by_side", description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    add_teachers_flag(parser)
    parser.add_argument("--side", type=int, default=256, help="short side in pixels (%(default)s)")
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 80], help="of each level, coarse to fine")
    parser.add_argument("--content-weight", type=float, default=CONTENT_WEIGHT, help="(%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="picture to write: photo, style, then the paintings")
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=["taps", "views", "teachers", "vgg19"])
    arguments = parser.parse_args(argv)
    precision = autocast_dtype()
    features, teachers = compact.load(), load_teachers(arguments.teachers)
    photo, style = (
        as_image(read_picture(path, short_side=arguments.side)) for path in (arguments.photo, arguments.style)
    )
    pictures, teachers_judge = [photo, style], by_teachers(teachers)
    for name in arguments.judges:
        judge = JUDGES[name](features, teachers)
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            painted = paint(judge, photo, style, steps=arguments.steps, content_weight=arguments.content_weight)
        pictures.append(painted)
        with torch.no_grad():
            ours, wanted, kept = (teachers_judge(x) for x in (painted, style, photo))
        print(
            f"{name}: style {style_distance(ours, wanted):.4f}, content {content_distance(ours, kept):.4f}", flush=True
        )
    sheet(pictures).save(arguments.out)


if __name__ == "__main__":
    main()
