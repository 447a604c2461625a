from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from training.pictures import Collection, augment, find_pictures, read_picture
from training.teachers import SQUEEZENET_OFFSET, Layer, Teacher, Teachers

Folders = tuple[Path, Path]


def test_picture_is_trained_on_or_held_out_in_any_folder(folders: Folders) -> None:
    content, style = folders
    trained, held = (find_pictures(content, held_out=held_out) for held_out in (False, True))
    assert len(held) >= 1
    assert sorted(trained + held) == sorted(content.iterdir())
    assert [path.name for path in held] == [path.name for path in find_pictures(style, held_out=True)]


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        find_pictures(tmp_path, held_out=False)


def test_picture_is_read_at_the_short_side_never_enlarged(folders: Folders) -> None:
    path = next(folders[0].iterdir())
    assert read_picture(path, short_side=30).shape == (30, 40, 3)
    assert read_picture(path).shape == (60, 80, 3)


def test_crops_repeat_with_the_seed_and_stay_in_range(folders: Folders) -> None:
    collection = Collection.load(find_pictures(folders[0], held_out=False)[:6])
    first, second, other = (collection.crops(16, 48, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == (16, 3, 48, 48)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    disturbed = augment(first, torch.Generator().manual_seed(1))
    for crops in (first, disturbed):
        assert 0 <= float(crops.min()) < float(crops.max()) <= 1
    # Some are left as they are: most of what the encoder will see is undisturbed.
    same = (disturbed - first).abs().flatten(1).amax(1) < 1e-5
    assert 0 < int(same.sum()) < 16


def test_large_source_is_drawn_more_often_sublinearly(tmp_path: Path) -> None:
    paths = [tmp_path / f"large_{i}.png" for i in range(16)] + [tmp_path / "small_0.png"]
    for path in paths:
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    chances = Collection.load(paths).chances
    assert float(chances[-1]) == pytest.approx(1 / 5)
    assert float(chances[:-1].sum()) == pytest.approx(4 / 5)


def test_the_students_grid_is_cut_to_lie_where_the_teachers_does() -> None:
    """Average pooling of a ramp answers where it looks: SqueezeNet's geometry beside the student's."""
    chain = nn.Sequential(nn.AvgPool2d(7, 2), nn.AvgPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, ceil_mode=True))
    layers = (Layer("four", 1, 3, 2), Layer("eight", 2, 3, 3))
    teachers = Teachers((Teacher(chain, layers, SQUEEZENET_OFFSET),))
    teachers.rgb_mean.zero_()
    teachers.rgb_std.fill_(1)
    ramp = torch.arange(96.0).expand(1, 3, 96, 96)
    seen = teachers(ramp)
    for layer, stride, allowed in zip(layers, (4, 8), (0.5, 1.5), strict=True):
        ours = teachers.aligned(nn.functional.avg_pool2d(ramp, stride), layer, seen[layer.name])
        assert ours.shape == seen[layer.name].shape
        assert float((ours - seen[layer.name])[..., :-1].abs().max()) <= allowed + 1e-4
