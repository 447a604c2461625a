"""The optimization method by itself: what its features see of a painting, and where it looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylizer import Options, features, methods, style_cache
from stylizer.features.statistics import Statistics
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.losses import style_loss, style_scales
from stylizer.methods import StyleInput, Task
from stylizer.methods.optimization import COARSEST_SIDE, count_levels
from stylizer.style_folder import compute_statistics
from stylizer.tensors import to_image

Paint = Callable[..., Tensor]


def _hills(height: int = 48, width: int = 64) -> Tensor:
    down, across = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    hill = (down > 0.5 + 0.2 * torch.sin(6 * across)).float()
    return torch.stack((0.3 + 0.4 * hill, 0.6 - 0.2 * down, 0.9 - 0.6 * hill))[None]


def _checks(height: int = 60, width: int = 60) -> Tensor:
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    check = ((down // 5 + across // 5) % 2).float()
    return torch.stack((check, 0.8 * check, 0.2 + 0.2 * check))[None]


def _seen(image: Tensor, part: slice = slice(None)) -> list[Statistics]:
    """What the shipped encoder sees of (a part of) a picture."""
    network = features.load("compact")
    with torch.no_grad():
        return [Statistics.from_features(tap) for tap in network(image[..., part])]


def _distance(image: Tensor, style: Tensor, part: slice = slice(None)) -> float:
    wanted = _seen(style)
    return float(style_loss(_seen(image, part), wanted, [style_scales(want) for want in wanted], [1.0] * len(wanted)))


def test_style_is_painted_by_cached_statistics_not_its_swatch(tmp_path: Path) -> None:
    photo, work = _hills(), _checks(64, 64)
    likeness = work.flatten(2)[..., torch.randperm(64 * 64, generator=torch.Generator().manual_seed(0))].view_as(work)
    file = tmp_path / "look.safetensors"
    style_cache.save(file, *compute_statistics(to_image(work), (64,)))

    def painted(picture: Tensor, *, stored: bool, **options: Any) -> Tensor:
        def look(part: float) -> StyleStatistics | None:
            return style_cache.statistics_at(file, 64 * part) if stored else None

        given: dict[str, Any] = {"size": 64, "quality": "draft"} | options
        task = Task(photo, (StyleInput(lambda: picture, 1.0, look),), Options(**given), None, None, lambda *_: None)
        return methods.load("optimization").paint(task)

    by_work, by_likeness, by_stored = (
        _distance(painted(picture, stored=stored), work)
        for picture, stored in ((work, False), (likeness, False), (likeness, True))
    )
    # Both end near the work, at distances that are mostly the last steps' rounding; the likeness does not get there.
    assert max(by_stored, by_work) < 0.5 * by_likeness
    # In gray nothing is stored, and the picture is what there is.
    gray = [painted(likeness, stored=stored, preserve_color="luminance") for stored in (True, False)]
    assert torch.equal(*gray)


def test_style_inside_a_mask_ignores_what_lies_outside(paint: Paint) -> None:
    """Statistics taken over the whole picture would be made up for inside the mask by what the photo lacks outside."""
    photo, style = _hills(), _checks()
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., :32] = 1
    painted = torch.lerp(photo, paint("optimization", photo, (style, 1.0), mask=mask), mask)
    left = slice(0, 32)
    assert _distance(painted, style, left) < 0.4 * _distance(photo, style, left)
    assert _distance(painted, style, left) < _distance(paint("optimization", photo, (style, 1.0)), style, left) * 1.5


def test_where_the_mask_is_black_nothing_is_painted_at_all(paint: Paint) -> None:
    photo = _hills()
    assert torch.equal(paint("optimization", photo, (_checks(), 1.0), mask=torch.zeros(1, 1, 48, 64)), photo)


def test_coarsest_level_has_about_one_size_for_all_paintings() -> None:
    for long_side in (64, 100, 128, 200, 512, 1000, 2048):
        coarsest = long_side / 2 ** (count_levels(long_side) - 1)
        assert coarsest <= 1.5 * COARSEST_SIDE
        assert count_levels(long_side) == 1 or coarsest >= COARSEST_SIDE / 1.5
