"""The coarse painting of `neighbor`: forms larger than a patch, around the content."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stylizer import Options, features
from stylizer.features.statistics import Statistics
from stylizer.losses import style_loss, style_scales
from stylizer.methods import StyleInput, Task, neighbor
from stylizer.regions import RegionMasks
from stylizer.synthesis.pyramid import resize

Paint = Callable[..., Tensor]


def style_distance(painting: Tensor, style: Tensor) -> float:
    """Style loss at half the size, where strokes wider than a patch count."""
    network = features.load("compact", painting.device)
    half = [resize(picture[0], (picture.shape[2] // 2, picture.shape[3] // 2))[None] for picture in (painting, style)]
    with torch.inference_mode():
        ours, theirs = ([Statistics.from_features(tap.float()) for tap in network(picture)] for picture in half)
        return float(style_loss(ours, theirs, [style_scales(tap) for tap in theirs], [1.0] * len(theirs)))


def mask_of(value: float, photo: Tensor) -> Tensor:
    return torch.full((1, 1, *photo.shape[2:]), value)


@pytest.fixture
def without_coarse(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Switch off the coarse painting."""

    def switch() -> None:
        monkeypatch.setattr(neighbor, "paint_coarse", lambda _task, guide: guide)

    return switch


def test_coarse_painting_comes_nearer_to_the_style(
    painted: Paint, cat: Tensor, swirls: Tensor, without_coarse: Callable[[], None]
) -> None:
    mask = mask_of(0.0, cat)  # nothing is kept as it is in the photo
    distance = {
        quality: style_distance(painted(cat, (swirls, 1.0), content_mask=mask, quality=quality), swirls)
        for quality in ("standard", "high")
    }
    without_coarse()
    patches_only = style_distance(painted(cat, (swirls, 1.0), content_mask=mask), swirls)
    assert distance["high"] < distance["standard"] < 0.9 * patches_only


def test_white_content_mask_keeps_the_photo_as_the_guide(
    painted: Paint, cat: Tensor, swirls: Tensor, without_coarse: Callable[[], None]
) -> None:
    masks = [mask_of(value, cat) for value in (0.0, 1.0)]
    with_coarse = [painted(cat, (swirls, 1.0), content_mask=mask) for mask in masks]
    without_coarse()
    off = [
        (painted(cat, (swirls, 1.0), content_mask=mask) - painting).abs().mean().item()
        for mask, painting in zip(masks, with_coarse, strict=True)
    ]
    assert off[1] < 0.5 * off[0]


def test_each_region_comes_nearer_to_its_own_style(cat: Tensor, swirls: Tensor, woodcut: Tensor) -> None:
    width = cat.shape[3]
    masks = RegionMasks([1.0, 1.0], [True, True])
    for columns in (slice(None, width // 2), slice(width // 2, None)):
        mask = mask_of(0.0, cat)
        mask[..., columns] = 1
        masks.add(mask)
    task = Task(
        cat,
        (StyleInput(lambda: swirls), StyleInput(lambda: woodcut)),
        Options(size=128, quality="high"),
        None,
        None,
        lambda *_: None,
        masks.regions(seed=0),
    )
    with torch.inference_mode():
        painting = neighbor.paint(task)
    halves = painting[..., : width // 2], painting[..., width // 2 :]
    assert style_distance(halves[0], swirls) < style_distance(halves[1], swirls)
    assert style_distance(halves[1], woodcut) < style_distance(halves[0], woodcut)
