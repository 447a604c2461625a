from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from stylizer.features import compact
from stylizer.features.compact import CompactEncoder
from training import distill, side_by_side
from training.canvases import Canvases
from training.distill import Distillation, Settings, start_or_resume
from training.evaluate import evaluate
from training.export import export, features_of
from training.optimizer import MuonAndAdam
from training.perceptual_distance import style_distance, teacher_extractor
from training.runs import train
from training.side_by_side import paint
from training.student import Adapter, Student, calibrate, losses, moments
from training.teachers import Layer, Teacher, Teachers

Draw = Callable[[int], Tensor]
SETTINGS = Settings(batch=4, side=48, warm_up=1, canvases=2, canvases_from=1)


def weights(run: Distillation) -> dict[str, Tensor]:
    return {**run.student.state_dict(), **{f"average {key}": value for key, value in run.average.items()}}


def take(steps: int, of: int, teachers: Teachers, draw: Draw, out: Path) -> Distillation:
    out.mkdir(exist_ok=True)
    run = start_or_resume(teachers, draw, SETTINGS, out)
    train(run, lambda: 1.0 if run.step >= steps else run.step / of, out)
    return run


def test_resumed_run_has_the_weights_of_an_uninterrupted_one(teachers: Teachers, draw: Draw, tmp_path: Path) -> None:
    whole = take(4, 4, teachers, draw, tmp_path / "whole")
    take(2, 4, teachers, draw, tmp_path / "halves")
    torch.rand(7)  # whatever else the process draws in between is of no account
    halves = take(4, 4, teachers, draw, tmp_path / "halves")
    assert halves.step == whole.step == 4
    for key, value in weights(whole).items():
        assert torch.equal(value, weights(halves)[key]), key


def test_the_student_learns(teachers: Teachers, draw: Draw, tmp_path: Path) -> None:
    def error(student: Student) -> float:
        with torch.no_grad():
            return sum(float(features) for features, _ in losses(student, teachers, draw(0)).values())

    settings = Settings(batch=4, side=48, warm_up=5, canvases_from=1000, rate=1e-3)
    run = start_or_resume(teachers, lambda step: draw(min(step, 0)), settings, tmp_path)
    before = error(run.student)
    for step in range(40):
        run.advance(step / 40)
    assert error(run.student) < 0.7 * before


def test_adapter_starts_at_the_exact_solution_if_any() -> None:
    """A teacher that is a linear map of the student's own first tap leaves nothing unexplained."""
    encoder = CompactEncoder()
    first, second = (encoder.get_submodule(f"stages.0.{index}") for index in range(2))
    chain = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Conv2d(32, 5, 1))
    teachers = Teachers((Teacher(chain, (Layer("mapped", 4, 5, 0),)),))
    left = calibrate(Student(encoder, teachers.layers), teachers, [torch.rand(2, 3, 32, 32) for _ in range(2)])
    assert left["mapped"] < 1e-3


def test_an_adapter_maps_moments_as_it_maps_features() -> None:
    adapter, tap = Adapter(6, 9), torch.rand(2, 50, 6)
    adapter.scale.fill_(3)
    adapter.mean.normal_()
    for quick, slow in zip(adapter.moments(tap), moments(adapter.features(tap)), strict=True):
        torch.testing.assert_close(quick, slow, rtol=1e-4, atol=1e-4)


def test_moments_are_the_mean_and_covariance_of_each_picture() -> None:
    features = torch.rand(2, 50, 6, dtype=torch.float64)
    for i, (mean, covariance) in enumerate(zip(*moments(features), strict=True)):
        torch.testing.assert_close(mean.double(), features[i].mean(0))
        torch.testing.assert_close(covariance.double(), torch.cov(features[i].T, correction=0), rtol=1e-5, atol=1e-7)


def test_muon_steps_filter_banks_and_adam_the_rest() -> None:
    convolutions = [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3)]
    chain = nn.Sequential(*convolutions).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    before = [convolution.weight.detach().clone() for convolution in convolutions]
    optimizer = MuonAndAdam(chain, convolutions[1:], rate=1e-3, filters_rate=1e-2)
    chain(torch.rand(2, 3, 12, 12)).square().mean().backward()
    optimizer.step(0.5)
    first, second = (c.weight.detach() - old for c, old in zip(convolutions, before, strict=True))
    torch.testing.assert_close(first.abs(), torch.full_like(first, 0.5e-3), rtol=1e-2, atol=0)
    singular = torch.linalg.svdvals(second.permute(0, 2, 3, 1).flatten(1))
    assert singular.max() < 2 * singular.min()


def test_canvas_moves_toward_its_style_until_renewed() -> None:
    canvases = Canvases(count=2, side=16, lifetime=8)
    batch = torch.rand(4, 3, 16, 16) * torch.tensor([1.0, 1.0, 1.0, 0.3]).view(4, 1, 1, 1)  # a dark style
    for step in range(8):
        canvases.renew(step, batch)
    assert torch.equal(canvases.image[0], batch[0])
    assert torch.equal(canvases.style[1], batch[-1])

    def distance(image: Tensor, style: Tensor, photo: Tensor) -> Tensor:
        assert torch.equal(photo[0], batch[0])
        return (image.mean((2, 3)) - style.mean((2, 3))).square().sum()

    before = float(distance(canvases.image, canvases.style, canvases.photo))
    for _ in range(5):
        canvases.paint(distance)
    assert float(distance(canvases.image, canvases.style, canvases.photo)) < before
    canvases.renew(8, batch)
    assert torch.equal(canvases.image[0], batch[0])
    assert canvases.ages.tolist() == [0, 5]


def test_what_is_exported_sees_what_the_averaged_student_saw(teachers: Teachers, draw: Draw, tmp_path: Path) -> None:
    run = take(2, 2, teachers, draw, tmp_path / "run")
    path = tmp_path / "weights" / "encoder.safetensors"
    export(features_of(tmp_path / "run", teachers.layers), path)
    shipped = compact.load(path)
    run.student.load_state_dict(run.average)
    image = draw(0)
    with torch.no_grad():
        pairs = list(zip(shipped(image), run.student.encoder(image), strict=True))
    for ours, theirs in pairs:
        assert float((ours - theirs).square().mean() / theirs.var()) < 1e-4
    assert list(shipped.views) == [layer.name for layer in teachers.layers]


def test_the_evaluation_tells_a_student_from_a_stranger(teachers: Teachers, draw: Draw, tmp_path: Path) -> None:
    run = take(1, 1, teachers, draw, tmp_path)
    pictures = [draw(step)[:1] for step in range(6)]
    features = features_of(tmp_path, run.teachers.layers)
    result = evaluate(features, teachers, pictures)
    assert 0 < result["unexplained variance"]["relu1_1"] < 0.5
    assert result["views"]["style correlation"] > 0.8
    for parameter in features.encoder.parameters():
        nn.init.normal_(parameter, std=0.1)
    stranger = evaluate(features, teachers, pictures)
    for name, share in result["unexplained variance"].items():
        assert share < stranger["unexplained variance"][name]


def test_painting_by_the_teachers_brings_the_style_nearer(teachers: Teachers, draw: Draw) -> None:
    photo, style = (nn.functional.interpolate(draw(step)[:1], scale_factor=2.0) for step in (1, 2))
    style = 0.4 * style
    extract = teacher_extractor(teachers)
    with torch.no_grad():
        wanted = extract(style)
        before = float(style_distance(extract(photo), wanted))
    painted = paint(extract, photo, style, steps=(5, 10), content_weight=0.1)
    with torch.no_grad():
        after = float(style_distance(extract(painted), wanted))
    assert painted.shape == photo.shape
    assert after < 0.5 * before


def test_command_shows_each_judges_paintings_beside_the_inputs(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(side_by_side, "load_teachers", lambda _: teachers)
    photo, style, slope = tmp_path / "photo.png", tmp_path / "style.png", Image.linear_gradient("L")
    ImageOps.colorize(slope.resize((96, 64)), "black", "white").save(photo)
    ImageOps.colorize(slope.resize((80, 80)), "navy", "orange").save(style)
    out = tmp_path / "sheet.png"
    judges = ["taps", "both", "vgg19", "teachers"]
    command = [str(photo), str(style), "--side", "64", "--steps", "1", "6", "--out", str(out), "--judges", *judges]
    side_by_side.main(command)
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [words[0] for words in told] == [f"{name}:" for name in judges]
    away = {words[0]: float(words[2].strip(",")) for words in told}
    assert away["teachers:"] < min(away["taps:"], away["both:"]), "who paints by a metric does best by it"
    with Image.open(out) as sheet, Image.open(photo) as file:
        assert sheet.size == (96 + 64 + len(judges) * 96, 64)
        panels, shown = np.asarray(sheet, int), np.asarray(file, int)
    np.testing.assert_array_equal(panels[:, :96], shown)
    for left in range(160, panels.shape[1], 96):
        assert np.abs(panels[:, left : left + 96] - shown).mean() > 1


def test_command_trains_from_folders_and_resumes(
    teachers: Teachers, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distill, "load_teachers", lambda *_: teachers)
    content, style = folders
    command = ["--content", str(content), "--style", str(style), "--out", str(tmp_path / "run"), "--batch", "2"]
    distill.main([*command, "--steps", "1", "--threads", "1"])
    distill.main([*command, "--steps", "10", "--threads", "1"])
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10]
    assert set(lines[0]) >= {layer.name for layer in teachers.layers}
