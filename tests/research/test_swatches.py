"""The built-in swatches: painted by code, the same each time, and rich enough to paint from."""

from __future__ import annotations

import io
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pictures import encoded
from PIL import Image
from scipy.ndimage import gaussian_filter

from swatches import __main__ as program
from swatches.__main__ import STYLES
from swatches.sheet import Sheet
from swatches.works import WORKS

Array = npt.NDArray[np.float64]

PROOF = 0.25


def swatch(name: str) -> Path:
    return STYLES / name / "swatch.webp"


def luminance(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("L"), dtype=np.float64) / 255


@pytest.mark.parametrize("name", WORKS)
def test_the_committed_swatch_is_what_its_code_paints(name: str) -> None:
    proof = WORKS[name].render(PROOF)
    committed = Image.open(swatch(name)).convert("RGB")
    assert committed.size == WORKS[name].size
    small = np.asarray(committed.resize((proof.shape[1], proof.shape[0]), Image.Resampling.BOX))
    blurred = [gaussian_filter(picture.astype(np.float64), (2, 2, 0)) for picture in (proof, small)]
    assert np.abs(blurred[0] - blurred[1]).mean() < 12  # a proof has the same places, not the same strokes


@pytest.mark.parametrize("name", WORKS)
def test_a_work_is_painted_the_same_every_time(name: str) -> None:
    corner = Sheet(160, 120)
    assert np.array_equal(WORKS[name].paint(corner), WORKS[name].paint(corner))


@pytest.mark.parametrize("name", WORKS)
def test_a_swatch_spans_all_tones_with_edges_in_every_direction(name: str) -> None:
    dark, light = np.percentile(luminance(swatch(name)), (1, 99))
    assert dark < 0.15
    assert light > 0.85
    slope_y, slope_x = np.gradient(gaussian_filter(luminance(swatch(name)), 1.0))
    strength = np.hypot(slope_x, slope_y)
    directions = np.mod(np.arctan2(slope_y, slope_x), np.pi)[strength > 0.03]
    share = np.histogram(directions, bins=18, range=(0, np.pi))[0] / directions.size
    assert directions.size > 0.1 * strength.size
    assert share.min() > 0.015  # an even spread would be 0.056


def test_rich_swatch_is_stored_at_the_best_quality_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flecks = Image.fromarray(np.random.default_rng(0).integers(60, 200, (60, 80, 3), dtype=np.uint8))
    best, fair, worst = (len(encoded(flecks, "WEBP", quality=quality, method=6)) for quality in (95, 80, 41))
    assert best > fair > worst
    for most in (best, fair, worst):
        monkeypatch.setattr(program, "MAX_BYTES", most)
        data = program.webp(flecks)
        assert len(data) == most
        assert Image.open(io.BytesIO(data)).size == (80, 60)
    monkeypatch.setattr(program, "MAX_BYTES", worst - 1)
    with pytest.raises(ValueError, match=f"does not fit in {worst - 1} bytes at quality 41 or above"):
        program.webp(flecks)


def test_the_program_paints_the_works_that_are_named_or_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {name: replace(WORKS[name], size=(160, 120)) for name in ("stained-glass", "woodcut")}
    monkeypatch.setattr(program, "STYLES", tmp_path)
    monkeypatch.setattr(program, "WORKS", small)
    for named, painted in ((["woodcut"], ["woodcut"]), ([], list(small))):
        monkeypatch.setattr(sys, "argv", ["swatches", *named])
        program.main()
        assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == painted
        assert sorted(path.parent.name for path in tmp_path.glob("*/swatch.webp")) == painted
    for name, work in small.items():
        stored = np.asarray(Image.open(tmp_path / name / "swatch.webp").convert("RGB"), dtype=np.float64)
        assert np.abs(stored - work.render()).mean() < 12, "it is the work, but for its compression"


def test_unknown_work_is_refused_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["swatches", "woodcat"])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(program.__file__, run_name="__main__")
    assert f"there is no work 'woodcat'; the works are {', '.join(WORKS)}" in capsys.readouterr().err
