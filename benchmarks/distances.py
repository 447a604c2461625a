"""Distances of an image from its style and from its photo.

Measured with the compact encoder that ships, which the methods use themselves, so that it favors them; and with the
teachers that it was distilled from, where their weights are available.
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
"""By encoder: distance from the style and from the photo, both 0 for identical images."""

COMPACT = "compact encoder"
TEACHERS = "VGG-19 and SqueezeNet"


@torch.inference_mode()
def distances(photo: Path, style: Path, picture: Image.Image, teachers: Path | None) -> Distances:
    """Return the distances of `picture`, resized to a long side of 512 pixels.

    Args:
        photo: The photo.
        style: The style image.
        picture: The painting.
        teachers: Folder of the teachers' weights, as for `training.teachers.load_teachers`.
    """
    with TemporaryDirectory() as folder:
        painting = Path(folder) / "painting.png"
        picture.save(painting, compress_level=1)
        judge = student_extractor(compact.load(), taps=True, views=True)
        original = read(photo)
        # A painting of another size may have a differently rounded aspect ratio.
        painted = functional.interpolate(read(painting), original.shape[2:], mode="bilinear", antialias=True)
        ours, wanted, structure = map(judge, (painted, read(style), original))
        found = {COMPACT: (float(style_distance(ours, wanted)), float(content_distance(ours, structure)))}
        if teachers:
            by_teachers = Yardstick(load_teachers(teachers)).distance(photo, style, painting)
            found[TEACHERS] = by_teachers.style, by_teachers.content
    return found
