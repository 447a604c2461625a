"""How far a picture is from its style and from its photo.

By what ships: the compact encoder, which the methods themselves look through, so that they look better by it than they
are; and by the teachers that it learned from, where somebody has their weights.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image
from torch.nn import functional

from stylizer.features import compact
from training.perceptual_distance import content_distance, student_extractor, style_distance
from training.quality_distances import Yardstick, read
from training.teachers import load_teachers

Distances = dict[str, tuple[float, float]]
"""By who judges: distance from the style and from the photo, both 0 for the same."""

COMPACT = "compact encoder"
TEACHERS = "VGG-19 and SqueezeNet"


@torch.inference_mode()
def distances(photo: Path, style: Path, picture: Image.Image, teachers: Path | None) -> Distances:
    """Of `picture`, looked at with a long side of 512 pixels.

    Args:
        photo: What was painted.
        style: The picture of its style.
        picture: The painting.
        teachers: Folder of their weights, as `training.teachers.load_teachers` takes it.
    """
    with TemporaryDirectory() as folder:
        painting = Path(folder) / "painting.png"
        picture.save(painting, compress_level=1)
        judge = student_extractor(compact.load(), taps=True, views=True)
        original = read(photo)
        # A small painting's sides are rounded otherwise.
        painted = functional.interpolate(read(painting), original.shape[2:], mode="bilinear", antialias=True)
        ours, wanted, structure = map(judge, (painted, read(style), original))
        found = {COMPACT: (float(style_distance(ours, wanted)), float(content_distance(ours, structure)))}
        if teachers:
            by_teachers = Yardstick(load_teachers(teachers)).distance(photo, style, painting)
            found[TEACHERS] = by_teachers.style, by_teachers.content
    return found
