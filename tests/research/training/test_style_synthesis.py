from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from stylizer import style_cache, styles
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.style_folder import compute_statistics
from stylizer.tensors import to_tensor
from training import style_folder, style_statistics
from training.style_folder import SIDES, make
from training.style_synthesis import STEPS, distance, synthesize

FACTS = ["--title", "Checks", "--artist", "A", "--year", "1900", "--description", "D."]


def _checks(side: int = 64) -> Image.Image:
    down, across = np.indices((side, side * 3 // 2))
    check = ((down // 8 + across // 8) % 2 * 200).astype(np.uint8)
    return Image.fromarray(np.stack((check, 255 - check, check // 4), 2))


def test_synthesized_swatch_has_the_works_statistics_and_colors() -> None:
    by_side, palette = compute_statistics(_checks(), (32, 64))
    image = synthesize(by_side, palette, (48, 64), steps=(6,))
    assert image.shape == (1, 3, 48, 64)
    noise = synthesize(by_side, palette, (48, 64), steps=(0,))
    assert distance(image, by_side[64]) < 0.3 * distance(noise, by_side[64])
    colors = to_tensor(_checks()).mean((0, 2, 3))
    torch.testing.assert_close(image.mean((0, 2, 3)), colors, atol=0.05, rtol=0)


def test_the_same_is_synthesized_every_time() -> None:
    by_side, palette = compute_statistics(_checks(), (32,))
    first, again = (synthesize(by_side, palette, (24, 32), steps=(2,)) for _ in range(2))
    assert torch.equal(first, again)


def test_style_folder_holds_looks_and_swatch_without_the_work(tmp_path: Path) -> None:
    framed = Image.new("RGB", (116, 84), (255, 0, 255))
    framed.paste(_checks(), (10, 10))
    facts = {"title": "Checks", "artist": "A", "year": "1900", "license": "C", "description": "D."}
    make(tmp_path / "checks", framed, facts, crop=(10 / 116, 10 / 84, 106 / 116, 74 / 84), steps=(1,))
    (style,) = styles.load(tmp_path).values()
    assert {fact: getattr(style, fact) for fact in facts} == facts
    assert style.statistics is not None
    assert tuple(style_cache.read(style.statistics)) == SIDES
    # Of the frame, which was cut off, there is no color.
    assert not (style_cache.read_palette(style.statistics)[:, [0, 2]] > 240).all(1).any()
    with Image.open(style.swatch) as swatch:
        assert max(swatch.size) == 512
    assert {file.name for file in (tmp_path / "checks").iterdir()} == {"style.toml", "swatch.webp", "look.safetensors"}


def test_a_style_of_a_wrong_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name is 'Checks'; it must be 1 to 64 lowercase"):
        make(tmp_path / "Checks", _checks(), {})
    assert not (tmp_path / "Checks").exists()


@pytest.fixture
def built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the one of the built-in styles, and a synthesis that takes one step instead of many."""

    def hasty(by_side: dict[int, StyleStatistics], palette: Tensor, *, steps: Sequence[int]) -> Tensor:
        assert steps == STEPS
        return synthesize(by_side, palette, steps=(1, 0))

    (tmp_path / "styles").mkdir()
    monkeypatch.setattr(style_folder, "STYLES", tmp_path / "styles")
    monkeypatch.setattr(style_folder, "synthesize", hasty)
    return tmp_path / "styles"


def test_command_makes_a_style_from_a_part_of_a_picture(
    built_in: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    framed = Image.new("RGB", (100, 64), (255, 0, 255))
    framed.paste(_checks(), (4, 0))
    framed.save(tmp_path / "work.png")
    style_folder.main(["checks", str(tmp_path / "work.png"), *FACTS, "--crop", "0.04", "0", "1", "1"])
    (style,) = styles.load(built_in).values()
    assert (style.id, style.title, style.year, style.license) == ("checks", "Checks", "1900", style_folder.LICENSE)
    assert style.statistics is not None
    assert not (style_cache.read_palette(style.statistics)[:, [0, 2]] > 240).all(1).any(), "the frame was cut off"
    away, *files = capsys.readouterr().out.splitlines()
    assert away.startswith("the swatch is ")
    assert [line.split(":")[0] for line in files] == ["look.safetensors", "style.toml", "swatch.webp"]


def test_command_remakes_a_swatch_from_stored_statistics(built_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(styles.get("great-wave").swatch.parent, built_in / "great-wave")
    swatch, statistics = (built_in / "great-wave" / name for name in ("swatch.webp", styles.STATISTICS_FILE))
    before = swatch.read_bytes(), statistics.read_bytes()
    style_folder.main(["great-wave"])
    assert swatch.read_bytes() != before[0]
    assert statistics.read_bytes() == before[1]
    with Image.open(swatch) as made:
        away = distance(to_tensor(made.convert("RGB")), style_cache.read(statistics)[styles.STATISTICS_SIDE])
    told = capsys.readouterr().out.split()[3]  # of the swatch as it was before it was compressed
    assert float(told) == pytest.approx(away, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Checks"], "name is 'Checks'; it must be 1 to 64 lowercase"),
        (["checks"], "there is no style 'checks' whose swatch could be synthesized again; pass an image"),
        (["checks", "work.png", "--title", "Checks"], "a style from a picture needs --artist, --year, --description"),
    ],
)
def test_what_the_command_lacks_is_told_before_anything_is_made(
    built_in: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        style_folder.main(arguments)
    assert words in capsys.readouterr().err
    assert not list(built_in.iterdir())


def test_a_swatch_is_not_made_from_what_another_encoder_saw(tmp_path: Path) -> None:
    save_file(
        {"palette": torch.zeros(1, 3, dtype=torch.uint8)}, tmp_path / styles.STATISTICS_FILE, {"encoder": "0" * 64}
    )
    with pytest.raises(ValueError, match="is from another encoder; create the style again from its image"):
        style_folder.synthesize_swatch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [styles.STATISTICS_FILE]


def test_command_recomputes_looks_of_works_made_by_code_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("woodcut", "great-wave"):
        shutil.copytree(styles.get(name).swatch.parent, tmp_path / name)
        (tmp_path / name / styles.STATISTICS_FILE).unlink()
    monkeypatch.setattr(style_statistics, "catalog", partial(styles.load, tmp_path))
    style_statistics.main([])
    assert [path.parent.name for path in tmp_path.glob(f"*/{styles.STATISTICS_FILE}")] == ["woodcut"]
    stored = style_cache.read(tmp_path / "woodcut" / styles.STATISTICS_FILE)
    committed = styles.get("woodcut").statistics
    assert committed is not None
    assert stored.keys() == {styles.STATISTICS_SIDE}
    for ours, theirs in zip(
        stored[styles.STATISTICS_SIDE].levels, style_cache.read(committed)[styles.STATISTICS_SIDE].levels, strict=True
    ):
        torch.testing.assert_close(ours.mean, theirs.mean, rtol=1e-2, atol=1e-2)
