"""What is stored of styles: the built-in ones, and in general."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from stylizer import style_cache, styles
from stylizer.features.statistics import Statistics
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.losses import style_loss, style_scales
from stylizer.style_folder import compute_statistics

CATALOG = styles.catalog()
FOLDER = Path(styles.__file__).parent
LARGEST_FOLDER = 500_000  # bytes
LARGEST_CATALOG = 9_000_000


def _distance(ours: StyleStatistics, wanted: StyleStatistics) -> float:
    taps = wanted.levels[1:]
    return float(style_loss(ours.levels[1:], taps, [style_scales(tap) for tap in taps], [1.0] * len(taps)))


@cache
def _all_stored() -> dict[str, dict[int, StyleStatistics]]:
    return {name: style_cache.read(style.statistics) for name, style in CATALOG.items() if style.statistics is not None}


def _look(mean: float) -> StyleStatistics:
    return StyleStatistics((Statistics(torch.full((3,), mean), mean * torch.eye(3)),))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "look.safetensors"
    style_cache.save(path, {100: _look(1.0), 400: _look(3.0)}, torch.tensor([[1, 2, 3]], dtype=torch.uint8))
    return path


@pytest.mark.parametrize(("side", "mean"), [(100, 1.0), (200, 2.0), (400, 3.0)])
def test_statistics_between_stored_sizes_is_interpolated(file: Path, side: int, mean: float) -> None:
    statistics = style_cache.statistics_at(file, side)
    assert statistics is not None
    torch.testing.assert_close(statistics.levels[0].mean, torch.full((3,), mean))
    torch.testing.assert_close(statistics.levels[0].covariance, mean * torch.eye(3))


@pytest.mark.parametrize("side", [99, 401])
def test_of_sizes_beyond_those_that_are_stored_nothing_is_known(file: Path, side: int) -> None:
    assert style_cache.statistics_at(file, side) is None


def test_work_is_enlarged_beyond_stored_sizes_only_by_picture(file: Path) -> None:
    statistics = style_cache.statistics_at(file, 1000, finest=400)
    assert statistics is not None
    torch.testing.assert_close(statistics.levels[0].mean, torch.full((3,), 3.0))
    assert style_cache.statistics_at(file, 1000, finest=800) is None
    style_cache.save(file, {400: _look(3.0)}, style_cache.read_palette(file))
    assert style_cache.statistics_at(file, 400, finest=400) is not None
    assert style_cache.statistics_at(file, 1000, finest=400) is None


def test_colors_are_kept_as_they_are(file: Path) -> None:
    assert style_cache.read_palette(file).tolist() == [[1, 2, 3]]


def test_statistics_of_another_encoder_are_ignored(file: Path) -> None:
    save_file(load_file(file), file, {"encoder": "0" * 64})
    assert style_cache.read(file) == {}
    assert style_cache.statistics_at(file, 100) is None


@pytest.mark.parametrize("style", CATALOG.values(), ids=CATALOG.keys())
def test_built_in_styles_have_statistics_of_shipped_encoder(style: styles.Style) -> None:
    """Fails when the encoder has changed since: rerun `training.style_statistics` and `training.style_folder`."""
    assert style.statistics is not None
    statistics = style_cache.statistics_at(style.statistics, styles.STATISTICS_SIDE)
    assert statistics is not None
    for level in statistics.levels:
        assert level.mean.isfinite().all()
        eigenvalues: Tensor = torch.linalg.eigvalsh(level.covariance.double())
        assert eigenvalues.min() > -2e-3 * eigenvalues.max()


@pytest.mark.parametrize("style", CATALOG.values(), ids=CATALOG.keys())
def test_every_swatch_is_nearest_to_its_own_work(style: styles.Style) -> None:
    """Fails when a swatch has been changed since its work was looked at."""
    stored = _all_stored()[style.id]
    side = sorted(stored)[len(stored) // 2]
    seen = compute_statistics(style.swatch, (side,))[0][side]
    # The swatches that are painted by code are the works themselves; the others are synthesized, and compressed.
    assert _distance(seen, stored[side]) < (1e-4 if len(stored) == 1 else 0.06)
    others = [
        by_side for name, by_side in _all_stored().items() if name != style.id and by_side.keys() == stored.keys()
    ]
    assert min(_distance(seen, by_side[side]) for by_side in others) > 0.3


def test_the_styles_are_light_enough_to_ship() -> None:
    sizes = [sum(file.stat().st_size for file in (FOLDER / name).iterdir()) for name in CATALOG]
    assert max(sizes) <= LARGEST_FOLDER
    assert sum(sizes) <= LARGEST_CATALOG
