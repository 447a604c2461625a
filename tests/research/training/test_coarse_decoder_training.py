from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stylizer.feedforward.network import COARSE
from training.coarse_decoder import (
    SCALES,
    WEIGHTS_FILE,
    Batch,
    CoarseDecoderTraining,
    Settings,
    batch_sampler,
    start_or_resume,
)
from training.pictures import Collection, find_pictures
from training.runs import train
from training.teachers import Teachers

SETTINGS = Settings(batch=2, side=48, warm_up=1)
Draw = Callable[[int], Batch]


@pytest.fixture
def artworks(folders: tuple[Path, Path]) -> Collection:
    return Collection.load(find_pictures(folders[1], held_out=False))


@pytest.fixture
def draw(folders: tuple[Path, Path], artworks: Collection) -> Draw:
    return batch_sampler(Collection.load(find_pictures(folders[0], held_out=False)), artworks, SETTINGS)


def _train(steps: int, teacher: Teachers, artworks: Collection, draw: Draw, out: Path) -> CoarseDecoderTraining:
    out.mkdir(exist_ok=True)
    run = start_or_resume(teacher, artworks, draw, SETTINGS, out)
    train(run, lambda: 1.0 if run.step >= steps else run.step / 3, out)
    return run


def test_resumed_run_equals_an_uninterrupted_one(
    compressed_vgg: Teachers, artworks: Collection, draw: Draw, tmp_path: Path
) -> None:
    whole = _train(3, compressed_vgg, artworks, draw, tmp_path / "whole")
    _train(1, compressed_vgg, artworks, draw, tmp_path / "parts")
    parts = _train(3, compressed_vgg, artworks, draw, tmp_path / "parts")
    for key, value in whole.average.items():
        assert torch.equal(value, parts.average[key]), key


def test_decoder_learns_and_exports_its_average(
    compressed_vgg: Teachers, artworks: Collection, draw: Draw, tmp_path: Path
) -> None:
    run = start_or_resume(compressed_vgg, artworks, lambda step: draw(step % 2), SETTINGS, tmp_path)

    def loss() -> float:
        run.step -= run.step % 2
        with torch.no_grad():
            return float(run.losses()[0])

    before = loss()
    train(run, lambda: run.step / 20, tmp_path)
    assert loss() < 0.9 * before
    exported = load_file(tmp_path / WEIGHTS_FILE)
    COARSE.create().load_state_dict(exported)
    for key, value in exported.items():
        torch.testing.assert_close(value.float(), run.average[key], rtol=1e-3, atol=1e-4)


def test_revision_starts_from_the_painting_at_half_the_size(
    compressed_vgg: Teachers, artworks: Collection, draw: Draw, tmp_path: Path
) -> None:
    run = start_or_resume(compressed_vgg, artworks, draw, SETTINGS, tmp_path)
    scale = next(number for number, scale in enumerate(SCALES) if scale.draft is not None)
    batch = draw(0)._replace(scale=scale, is_revision=False)
    photos, revised = (run._input(batch._replace(is_revision=value)) for value in (False, True))
    assert torch.equal(photos, batch.photos + batch.grain)
    assert (revised - photos).abs().mean() > 0.01


def test_batches_repeat_with_the_step_and_cover_all_scales(draw: Draw) -> None:
    first, again = draw(7), draw(7)
    assert torch.equal(first.photos, again.photos)
    assert first[2:] == again[2:]
    batches = [draw(step) for step in range(40)]
    assert {batch.scale for batch in batches} == set(range(len(SCALES)))
    assert all(SCALES[batch.scale].draft is not None for batch in batches if batch.is_revision)
    assert {batch.is_revision for batch in batches} == {False, True}
