from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stylizer.features import compact
from stylizer.feedforward import network
from training import choose, feedforward
from training.feedforward import (
    KEEP_EVERY,
    KEPT_DECODERS,
    MARGIN,
    Batch,
    DecoderTraining,
    Settings,
    halos,
    start_or_resume,
)
from training.pictures import find_pictures
from training.quality import find_pairs
from training.quality_distances import Yardstick
from training.runs import train
from training.student import positions, structure
from training.style_library import VARIANTS, StyleLibrary, Variant, view
from training.style_target import content_errors, moments_of, style_errors, toward
from training.teachers import Teachers

SETTINGS = Settings(batch=2, side=64, warm_up=1)
Draw = Callable[[int], Batch]


@pytest.fixture
def library(teachers: Teachers, folders: tuple[Path, Path], tmp_path: Path) -> StyleLibrary:
    return StyleLibrary(find_pictures(folders[1], held_out=False), compact.load(), teachers, tmp_path / "styles")


@pytest.fixture
def batches(library: StyleLibrary) -> Draw:
    """Batches of two smooth pictures, to be painted in two styles of the library, the first half of the way."""

    def draw(step: int) -> Batch:
        random = torch.Generator().manual_seed(step)
        noise = torch.rand(2, 3, 20, 20, generator=random)
        side = SETTINGS.side + 2 * MARGIN
        photos = torch.nn.functional.interpolate(noise, (side, side), mode="bicubic").clamp(0, 1)
        styles = [library.style(index, 1) for index in (step % 3, 4)]
        return Batch(photos, 0.01 * torch.randn(2, 1, side, side, generator=random), styles, [0.5, 1.0])

    return draw


def _take(steps: int, of: int, teachers: Teachers, draw: Draw, out: Path) -> DecoderTraining:
    out.mkdir(exist_ok=True)
    run = start_or_resume(compact.load(), teachers, draw, SETTINGS, out)
    train(run, lambda: 1.0 if run.step >= steps else run.step / of, out)
    return run


def test_resumed_run_has_the_weights_of_an_uninterrupted_one(teachers: Teachers, batches: Draw, tmp_path: Path) -> None:
    whole = _take(3, 3, teachers, batches, tmp_path / "whole")
    _take(1, 3, teachers, batches, tmp_path / "parts")
    torch.rand(7)  # whatever else the process draws in between is of no account
    parts = _take(3, 3, teachers, batches, tmp_path / "parts")
    assert parts.step == whole.step == 3
    for key, value in whole.decoder.state_dict().items():
        assert torch.equal(value, parts.decoder.state_dict()[key]), key
        assert torch.equal(whole.average[key], parts.average[key]), key


def test_the_decoder_learns_and_what_ships_is_its_average(teachers: Teachers, batches: Draw, tmp_path: Path) -> None:
    run = start_or_resume(compact.load(), teachers, lambda step: batches(max(step, 0) % 2), SETTINGS, tmp_path)

    def loss() -> float:
        with torch.no_grad():
            return float(run.losses()[0])

    before = loss()
    train(run, lambda: run.step / 30, tmp_path)
    run.step -= run.step % 2
    assert loss() < 0.8 * before
    for step in (KEEP_EVERY - 1, KEEP_EVERY):  # of which only the second is kept to be chosen from
        run.step = step
        run.save(tmp_path)
    (kept,) = tmp_path.glob(KEPT_DECODERS)
    assert kept.name == f"decoder-{KEEP_EVERY:06}.safetensors"
    shipped = network.load(replace(network.FEEDFORWARD, path=kept)).decoder.state_dict()
    assert set(shipped) == set(run.average)
    for key, value in shipped.items():
        torch.testing.assert_close(value, run.average[key], rtol=1e-3, atol=1e-4)


def test_measured_style_is_cached_for_the_next_run(
    library: StyleLibrary,
    teachers: Teachers,
    folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = library.style(0, 2)
    assert library.style(0, 2) is first
    monkeypatch.delattr(Teachers, "forward")  # measuring again fails
    paths = find_pictures(folders[1], held_out=False)
    again = StyleLibrary(paths, compact.load(), teachers, tmp_path / "styles").style(0, 2)
    for ours, theirs in zip(again.statistics.levels, first.statistics.levels, strict=True):
        assert torch.equal(ours.covariance, theirs.covariance)
    assert set(again.targets) == {layer.name for layer in teachers.layers}


def test_style_targets_are_the_teachers_statistics(library: StyleLibrary, teachers: Teachers) -> None:
    style = library.style(3, 0)
    picture = library.picture(3, 0)
    for name, (mean, covariance) in moments_of(teachers(picture)).items():
        torch.testing.assert_close(style.targets[name][0], mean, rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(style.targets[name][1].float(), covariance, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_artwork_keeps_its_ratio_at_the_variants_scale(variant: Variant) -> None:
    picture = torch.randint(256, (90, 120, 3), dtype=torch.uint8).numpy()
    seen = view(picture, variant, "a_0001.png")
    assert seen.shape[3] == round(512 * variant.share * variant.scale)
    assert seen.shape[2] == pytest.approx(seen.shape[3] * 3 / 4, abs=1)
    assert torch.equal(seen, view(picture, variant, "a_0001.png"))


def test_errors_are_those_of_plain_formulas() -> None:
    ours, theirs = ({name: torch.rand(2, 5, 6, 7) for name in ("relu3_1", "fire5")} for _ in range(2))
    wanted = [{name: (m[i : i + 1], c[i : i + 1]) for name, (m, c) in moments_of(theirs).items()} for i in range(2)]
    for i, error in enumerate(style_errors(moments_of(ours), wanted)):
        plain = torch.zeros(())
        for name in ours:
            a, b = ours[name][i].flatten(1), theirs[name][i].flatten(1)
            plain += (a.mean(1) - b.mean(1)).square().sum() / b.mean(1).square().sum() / 2
            x, y = torch.cov(a, correction=0), torch.cov(b, correction=0)
            floor = (0.03 * b.mean(1).square().sum()) ** 2
            plain += (x - y).square().sum() / (y.square().sum() + floor) / 2
        torch.testing.assert_close(error, plain)
    normalized = structure(positions(ours["fire5"]))
    torch.testing.assert_close(normalized.mean(1), torch.zeros(2, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalized.var(1, correction=0), torch.ones(2, 5), atol=1e-2, rtol=0)
    assert content_errors(ours, ours).tolist() == [0, 0]
    assert content_errors(ours, theirs).min() > 1


def test_target_equals_photo_and_style_at_the_ends() -> None:
    a, b = (moments_of({"fire5": torch.rand(1, 5, 6, 7)}) for _ in range(2))
    for amount, end in ((0.0, a), (1.0, b)):
        for ours, theirs in zip(toward(a, b, amount)["fire5"], end["fire5"], strict=True):
            torch.testing.assert_close(ours, theirs)


def test_halos_are_large_contrasts_that_the_photo_does_not_have() -> None:
    photo = torch.zeros(1, 3, 64, 64)
    photo[..., 32:] = 0.8
    halo, strokes = photo.clone(), photo.clone()
    halo[..., 16:32] = 0.3
    strokes[..., ::2] += 0.1
    flatter = 0.5 * photo + 0.2
    assert halos(halo, photo) > 0.05
    for painting in (photo, strokes, flatter):
        assert float(halos(painting, photo)) == pytest.approx(0, abs=1e-6)


def test_command_trains_from_folders_and_resumes(
    teachers: Teachers, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedforward, "load_teachers", lambda *_: teachers)
    content, style = folders
    command = ["--content", str(content), "--style", str(style), "--out", str(tmp_path / "run"), "--batch", "1"]
    for steps in ("1", "10"):
        feedforward.main([*command, "--side", "64", "--steps", steps, "--threads", "1"])
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10]
    assert set(lines[0]) >= {"style", "content", "variation", "halos", "identity"}


def test_chosen_decoder_is_nearest_to_styles_with_content_kept(
    teachers: Teachers, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distances = {"400": (0.5, 0.8), "800": (0.4, 0.9), "1200": (0.3, 1.0)}
    for step in distances:
        (tmp_path / f"decoder-{step:>06}.safetensors").write_text(step)
    monkeypatch.setattr(choose, "load_teachers", lambda _: teachers)
    monkeypatch.setattr(choose, "configure_process", lambda: None)
    monkeypatch.setattr(choose, "measure", lambda path, *_: choose.Candidate(path, *distances[path.read_text()]))
    command = ["--run", str(tmp_path), "--content", str(folders[0]), "--style", str(folders[1])]
    for limit, chosen in (("2", "1200"), ("0.9", "800"), ("0.1", "400")):
        choose.main([*command, "--content-limit", limit, "--to", str(tmp_path / "chosen")])
        assert (tmp_path / "chosen").read_text() == chosen


def test_a_decoder_is_measured_by_its_paintings(teachers: Teachers, folders: tuple[Path, Path], tmp_path: Path) -> None:
    """One that adds nothing to the recolored photos keeps more of them than the one that ships."""
    recolors = {
        key: torch.zeros_like(value) if key.startswith("convolutions.8") else value
        for key, value in load_file(network.FEEDFORWARD.path).items()
    }
    save_file(recolors, tmp_path / "recolors.safetensors")
    pairs, yardstick = find_pairs(*folders)[:2], Yardstick(teachers)
    shipped, plain = (
        choose.measure(p, pairs, yardstick) for p in (network.FEEDFORWARD.path, tmp_path / "recolors.safetensors")
    )
    assert 0 < plain.content < shipped.content < 2
