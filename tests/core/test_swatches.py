"""The built-in swatches: painted by code, the same each time, and rich enough to paint from."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from stylizer.styles import catalog
from swatches.__main__ import MAX_BYTES, STYLES, webp
from swatches.sheet import Sheet
from swatches.works import WORKS

Array = npt.NDArray[np.float64]

PROOF = 0.25


def swatch(name: str) -> Path:
    return STYLES / name / "swatch.webp"


def luminance(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("L"), dtype=np.float64) / 255


def test_every_work_is_a_style_of_the_catalog() -> None:
    assert set(WORKS) <= set(catalog())


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
def test_a_swatch_spans_the_tones_from_dark_to_light(name: str) -> None:
    dark, light = np.percentile(luminance(swatch(name)), (1, 99))
    assert dark < 0.15
    assert light > 0.85


@pytest.mark.parametrize("name", WORKS)
def test_a_swatch_has_strong_edges_in_every_direction(name: str) -> None:
    slope_y, slope_x = np.gradient(gaussian_filter(luminance(swatch(name)), 1.0))
    strength = np.hypot(slope_x, slope_y)
    directions = np.mod(np.arctan2(slope_y, slope_x), np.pi)[strength > 0.03]
    share = np.histogram(directions, bins=18, range=(0, np.pi))[0] / directions.size
    assert directions.size > 0.1 * strength.size
    assert share.min() > 0.015  # an even spread would be 0.056


@pytest.mark.parametrize("name", WORKS)
def test_a_swatch_is_a_small_file(name: str) -> None:
    assert swatch(name).stat().st_size <= MAX_BYTES


def test_a_picture_too_rich_for_the_file_size_is_stored_at_a_lower_quality() -> None:
    flecks = np.random.default_rng(0).integers(60, 200, (300, 400, 3), dtype=np.uint8)
    data = webp(Image.fromarray(flecks))
    assert len(data) <= MAX_BYTES
    assert Image.open(io.BytesIO(data)).size == (400, 300)
