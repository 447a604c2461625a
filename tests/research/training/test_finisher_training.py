from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from stylizer.features.compact import STRIDES
from stylizer.feedforward.finisher import Finisher
from training import drafts
from training.drafts import KINDS, Draft, make
from training.finisher import (
    MARGIN,
    WEIGHTS_FILE,
    Crop,
    FinisherTraining,
    Settings,
    StyleTargets,
    batch_sampler,
    identity_losses,
    pair_losses,
    start_or_resume,
)
from training.pictures import find_pictures
from training.runs import train
from training.teachers import COMPRESSED_LAYERS, Teachers

SETTINGS = Settings(batch=2, side=64, warm_up=1)
Draw = Callable[[int], list[Crop]]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Batches from three drafts, one of each kind, whose targets are blurs of them."""
    paths = []
    for index, kind in enumerate(("pair", "pieces", "likeness")):
        noise = torch.rand(1, 3, 112, 96, generator=torch.Generator().manual_seed(index))
        draft, target = ((x[0] * 255).byte() for x in (noise, functional.avg_pool2d(noise, 5, 1, 2)))
        paths.append(tmp_path / f"{index}.safetensors")
        Draft(kind, draft, draft.clone(), draft[:1].clone(), target, target.clone()).save(paths[-1])  # type: ignore[arg-type]
    return batch_sampler(paths, SETTINGS)


def _take(steps: int, of: int, teacher: Teachers, draw: Draw, out: Path) -> FinisherTraining:
    out.mkdir(exist_ok=True)
    run = start_or_resume(teacher, draw, SETTINGS, out)
    train(run, lambda: 1.0 if run.step >= steps else run.step / of, out)
    return run


def test_resumed_run_has_the_weights_of_an_uninterrupted_one(
    compressed_vgg: Teachers, draw: Draw, tmp_path: Path
) -> None:
    whole = _take(3, 3, compressed_vgg, draw, tmp_path / "whole")
    _take(1, 3, compressed_vgg, draw, tmp_path / "parts")
    parts = _take(3, 3, compressed_vgg, draw, tmp_path / "parts")
    assert parts.step == whole.step == 3
    for key, value in whole.average.items():
        assert torch.equal(value, parts.average[key]), key


def test_finisher_learns_and_ships_its_average(compressed_vgg: Teachers, draw: Draw, tmp_path: Path) -> None:
    run = start_or_resume(compressed_vgg, lambda step: draw(step % 3), SETTINGS, tmp_path)

    def loss() -> float:
        run.step -= run.step % 3
        with torch.no_grad():
            return float(run.losses()[0])

    before = loss()
    train(run, lambda: run.step / 30, tmp_path)
    assert loss() < 0.9 * before
    shipped = load_file(tmp_path / WEIGHTS_FILE)
    Finisher().load_state_dict(shipped)
    for key, value in shipped.items():
        torch.testing.assert_close(value.float(), run.average[key], rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("draw")
def test_drawer_without_drafts_of_a_kind_names_what_it_found(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 pairs and 0 artworks"):
        batch_sampler([tmp_path / "0.safetensors"], SETTINGS)


def test_crops_have_one_size_and_repeat_with_the_step(draw: Draw) -> None:
    side = SETTINGS.side + 2 * MARGIN
    for first, second in zip(draw(5), draw(5), strict=True):
        assert first.draft.shape == first.target.shape == (1, 3, side, side)
        assert first.mask.shape == (1, 1, side, side)
        assert torch.equal(first.draft, second.draft)


def test_losses_of_the_style_itself_are_zero(compressed_vgg: Teachers) -> None:
    picture = torch.rand(1, 3, 96, 96)
    seen = compressed_vgg(picture)
    assert max(loss.item() for loss in pair_losses(seen, seen, StyleTargets.of(seen)).values()) < 1e-3
    assert max(loss.item() for loss in identity_losses(seen, seen).values()) == 0
    other = compressed_vgg(1 - picture)
    assert min(loss.item() for loss in pair_losses(other, seen, StyleTargets.of(seen)).values()) > 1e-3
    assert min(loss.item() for loss in identity_losses(other, seen).values()) > 1e-3


def test_compressed_vgg_equals_its_plain_formula(compressed_vgg_folder: Path, compressed_vgg: Teachers) -> None:
    state = load_file(next(compressed_vgg_folder.glob("*.safetensors")))
    image = torch.rand(1, 3, 128, 128)
    x = functional.conv2d(image, state["conv0.weight"], state["conv0.bias"])
    wanted = []
    for name in sorted({key[4:6] for key in state} - {"0."}):
        if name in ("21", "31", "41"):
            x = functional.max_pool2d(x, 2)
        x = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        x = functional.conv2d(x, state[f"conv{name}.weight"], state[f"conv{name}.bias"]).relu()
        if name.endswith("1"):
            wanted.append(x)
    for layer, ours, theirs in zip(COMPRESSED_LAYERS, compressed_vgg(image).values(), wanted, strict=True):
        border = 40 // STRIDES[layer.tap]  # padded by zeros, by mirroring in the formula
        inside = slice(border, -border)
        torch.testing.assert_close(ours[..., inside, inside], theirs[..., inside, inside], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("index", range(len(KINDS)))
def test_made_draft_fits_its_target_and_survives_its_file(
    index: int, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "SIDES", (64,))
    content, artworks = (find_pictures(folder, held_out=False) for folder in folders)
    made = make(index, content, artworks)
    assert made.kind == KINDS[index]
    assert made.draft.shape == made.photo.shape == made.target.shape == (3, 48, 64)
    assert made.mask.shape == (1, 48, 64)
    made.save(tmp_path / "draft.safetensors")
    assert torch.equal(Draft.load(tmp_path / "draft.safetensors").draft, made.draft)
    if made.kind != "pair":
        assert torch.equal(made.target, made.style)
        assert not torch.equal(made.target, made.draft)
