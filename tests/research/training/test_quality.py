from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from training import quality
from training.quality import Pair, find_pairs
from training.quality_distances import Yardstick, relief
from training.teachers import Teachers

Floats = NDArray[np.float64]


@pytest.fixture
def evaluation(tmp_path: Path) -> tuple[Path, Path]:
    """Two photographs and three artworks, blocks of random colors, 512 pixels wide."""
    random = np.random.default_rng(0)
    for folder, names in (("photos", "ab"), ("artworks", "xyz")):
        (tmp_path / folder).mkdir()
        for name in names:
            blocks = Image.fromarray(random.integers(256, size=(6, 8, 3), dtype=np.uint8))
            blocks.resize((512, 384), Image.Resampling.BICUBIC).save(tmp_path / folder / f"{name}.png")
    return tmp_path / "photos", tmp_path / "artworks"


def features(teachers: Teachers, path: Path) -> dict[str, Floats]:
    """Every layer as (C, h * w), in float64, each network shown the whole picture."""
    with Image.open(path) as file:
        pixels = torch.from_numpy(np.asarray(file, np.float64) / 255).permute(2, 0, 1)[None]
    x = (pixels - teachers.rgb_mean.double()) / teachers.rgb_std.double()
    seen = {}
    for teacher in teachers.teachers:
        chain = teacher.chain.double()
        for layer in teacher.layers:
            seen[layer.name] = chain[: layer.index + 1](x)[0].flatten(1).numpy()
        chain.float()
    return seen


def style_error(ours: Floats, theirs: Floats) -> float:
    pairs = ((ours.mean(1), theirs.mean(1)), (np.cov(ours, bias=True), np.cov(theirs, bias=True)))
    return float(sum(((a - b) ** 2).sum() / (b**2).sum() for a, b in pairs))


def content_error(ours: Floats, theirs: Floats) -> float:
    a, b = (
        (x - x.mean(1, keepdims=True)) / (x.std(1, ddof=1, keepdims=True) + 1e-3 * x.std(ddof=1))
        for x in (ours, theirs)
    )
    return float(((a - b) ** 2).mean())


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as file:
        return file.size


def test_the_distances_are_what_their_formulas_say(teachers: Teachers, evaluation: tuple[Path, Path]) -> None:
    photo, style, painting = (evaluation[i] / f"{name}.png" for i, name in ((0, "a"), (1, "x"), (1, "y")))
    measured = Yardstick(teachers).distance(photo, style, painting)
    of_photo, of_style, of_painting = (features(teachers, path) for path in (photo, style, painting))
    # Sums over 200,000 positions, in float32.
    errors = {name: style_error(of_painting[name], of_style[name]) for name in of_style}
    assert measured.layers == pytest.approx(errors, rel=1e-3)
    assert measured.styles[512] == pytest.approx(sum(errors.values()) / 5, rel=1e-3)
    content = [content_error(of_painting[name], of_photo[name]) for name in ("relu3_1", "fire5")]
    assert measured.contents[512] == pytest.approx(sum(content) / 2, rel=1e-3)


def test_distances_at_smaller_scales_ignore_fine_detail(
    teachers: Teachers, evaluation: tuple[Path, Path], tmp_path: Path
) -> None:
    photo, style = evaluation[0] / "a.png", evaluation[1] / "x.png"
    with Image.open(photo) as file:
        pixels = np.asarray(file).astype(int)
    checkers = 40 * (2 * (np.indices(pixels.shape[:2]).sum(0) % 2) - 1)
    Image.fromarray((pixels + checkers[..., None]).clip(0, 255).astype(np.uint8)).save(tmp_path / "fine.png")
    measured = Yardstick(teachers).distance(photo, style, tmp_path / "fine.png")
    assert list(measured.styles) == [512, 256, 128]
    assert measured.contents[256] < 0.1 * measured.contents[512]


def test_relief_is_roughness_of_flat_areas_beyond_the_style() -> None:
    generator = torch.Generator().manual_seed(0)
    flat, smooth_style = torch.full((1, 3, 128, 160), 0.5), torch.full((1, 3, 96, 96), 0.3)
    noise = functional.avg_pool2d(torch.randn(1, 1, 134, 166, generator=generator), 7, 1)
    wrinkled, rougher = (0.5 + (amount * noise).expand(1, 3, -1, -1) for amount in (0.2, 0.4))
    assert relief(flat, smooth_style, flat) < 1e-4
    assert 0 < relief(flat, smooth_style, wrinkled) < relief(flat, smooth_style, rougher)
    assert relief(flat, wrinkled, wrinkled) == pytest.approx(0, abs=0.5)  # strokes that the style has everywhere


def test_relief_ignores_areas_where_the_photo_is_busy() -> None:
    generator = torch.Generator().manual_seed(0)
    style, photo = torch.full((1, 3, 96, 96), 0.3), torch.full((1, 3, 128, 128), 0.5)
    photo[..., :48] += 0.3 * torch.rand(128, 48, generator=generator)
    assert relief(photo, style, photo) == pytest.approx(0, abs=0.2)


def test_painting_of_another_size_is_measured_at_the_photos(
    teachers: Teachers, evaluation: tuple[Path, Path], tmp_path: Path
) -> None:
    photo, style = evaluation[0] / "a.png", evaluation[1] / "x.png"
    with Image.open(photo) as file:
        file.resize((1024, 760), Image.Resampling.BICUBIC).save(tmp_path / "large.png")
    yardstick = Yardstick(teachers)
    large, same = (yardstick.distance(photo, style, path) for path in (tmp_path / "large.png", photo))
    assert same.contents[512] == 0
    assert large.contents[512] < 0.05
    assert large.styles[512] == pytest.approx(same.styles[512], rel=0.05)


def test_photos_are_paired_with_artworks_by_name_order(tmp_path: Path) -> None:
    for folder, stems in (("photos", "cba"), ("artworks", "9876543210")):
        (tmp_path / folder).mkdir()
        for name in stems:
            (tmp_path / folder / f"{name}.jpg").touch()
        (tmp_path / folder / "notes.txt").touch()
    names = [pair.name for pair in find_pairs(tmp_path / "photos", tmp_path / "artworks")]
    expected = {"a": "0369", "b": "2581", "c": "4703"}
    assert names == [f"{photo}--{style}" for photo, styles in expected.items() for style in styles]


def test_with_few_artworks_no_pair_counts_twice(evaluation: tuple[Path, Path]) -> None:
    photos, artworks = evaluation
    assert find_pairs(photos, artworks) == [
        Pair(photos / "a.png", artworks / "x.png"),
        Pair(photos / "b.png", artworks / "z.png"),
    ]


def test_a_folder_without_pictures_is_named(evaluation: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"no pictures in .*notes"):
        find_pairs(evaluation[0], tmp_path / "notes")


def test_pictures_whose_paintings_would_share_a_name_are_refused(evaluation: tuple[Path, Path]) -> None:
    photos, artworks = evaluation
    (photos / "a.jpg").touch()
    with pytest.raises(ValueError, match="are called a"):
        find_pairs(photos, artworks)


def test_command_paints_measures_and_resumes(
    teachers: Teachers,
    evaluation: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(quality, "load_teachers", lambda _: teachers)
    monkeypatch.setattr(quality, "configure_process", lambda: None)
    photos, artworks = evaluation
    command = ["--content", str(photos), "--style", str(artworks), "--out", str(tmp_path / "out")]
    command += ["--methods", "feedforward", "--size", "64", "--quality", "draft", "--layers"]
    quality.main(command)
    first = capsys.readouterr().out
    folder = tmp_path / "out" / "feedforward-draft-64"
    assert sorted(path.name for path in folder.iterdir()) == ["a--x.png", "b--z.png"]
    assert size(folder / "a--x.png") == (64, 48)
    assert size(tmp_path / "out" / "feedforward-draft-64.jpg") == (3 * quality.CELL[0], 2 * quality.CELL[1])
    assert first.count("relu1_1") == 2
    lines = [line.split() for line in first.splitlines() if line.startswith("feedforward  ")]
    row = first.splitlines()[-1].split("|")
    for column, mean in ((2, row[3]), (8, row[6])):
        assert float(mean) == pytest.approx(sum(float(line[column]) for line in lines) / 2, abs=1e-3)

    (folder / "b--z.png").unlink()
    before = (folder / "a--x.png").stat()
    quality.main(command)
    second = capsys.readouterr().out
    assert (folder / "a--x.png").stat() == before
    assert (folder / "b--z.png").exists()
    assert second.count("painted earlier") == 1
    assert second.splitlines()[-1].split("|")[3:9] == row[3:9]

    quality.main([*(argument for argument in command if argument != "--layers"), "--again"])
    third = capsys.readouterr().out
    assert "painted earlier" not in third
    assert "relu1_1" not in third
