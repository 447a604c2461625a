"""The neighbor method from level to level: scales, tiles, progress and banks."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from numerics import CAT, noise
from torch import Tensor
from torch.nn import functional

from stylizer import Options
from stylizer.methods import PreviewFn, StyleInput, Task, neighbor
from stylizer.methods.neighbor import Level, plan_levels
from stylizer.methods.neighbor_reduced import PLANS
from stylizer.synthesis import bank_cache, hypercolumns
from stylizer.synthesis.pyramid import gaussian_blur, resize
from stylizer.synthesis.style_bank import REACH, Encoding, StyleBank, upscale_matches

Paint = Callable[..., Tensor]
SIDE = 128


@pytest.fixture
def small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search up to 64 pixels and refine above, by tiles of 64, in float32."""
    for quality, plan in PLANS.items():
        refinement_steps = min(3, plan.refinement_steps)
        coarse_steps = plan.coarse_steps and (4,)
        small = plan._replace(coarse_side=16, coarse_steps=coarse_steps, refinement_steps=refinement_steps)
        monkeypatch.setitem(PLANS, quality, small)
    monkeypatch.setattr(neighbor, "BASE_SIDE", 64)
    monkeypatch.setattr(neighbor, "TILE", 64)
    monkeypatch.setattr(bank_cache, "_cache", OrderedDict())  # without banks in bfloat16
    for module in (neighbor, hypercolumns):
        monkeypatch.setattr(module, "autocast_dtype", lambda _: torch.float32)


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().mean())


def _fine(picture: Tensor) -> float:
    """Energy of what is finer than about 3 pixels."""
    return float((picture[0] - gaussian_blur(picture[0], 1.0)).square().mean())


@pytest.mark.parametrize(
    ("side", "coarse_side", "expected"),
    [
        (16, 128, [(16, 0)]),
        (256, 128, [(256, 0)]),
        (512, 128, [(256, 1), (512, 0)]),
        (512, 256, [(512, 0)]),
        (724, 128, [(362, 1), (724, 0)]),
        (725, 128, [(181, 1), (362, 0), (725, -1)]),
        (725, 256, [(362, 0), (725, -1)]),
        (4096, 256, [(512, 0), (1024, -1), (2048, -2), (4096, -3)]),
    ],
)
def test_levels_double_from_the_coarse_painting_to_the_output(
    side: int, coarse_side: int, expected: list[tuple[int, int]]
) -> None:
    levels = plan_levels(side // 2, side, coarse_side)
    assert [(level.size[1], level.depth) for level in levels] == expected
    assert levels[-1].size == (side // 2, side)


def test_a_level_knows_its_tiles() -> None:
    searched, refined = Level((300, 500), 0), Level((1500, 2000), -2)
    assert len(neighbor._level_tiles(searched)) == 1
    assert len(neighbor._level_tiles(refined)) == len(neighbor._level_tiles(refined, halo=13)) == 2 * 3


def test_matches_are_carried_to_the_next_scale_as_in_a_loop() -> None:
    def bank(rows: int, columns: int) -> StyleBank:
        encoding = Encoding(*[torch.zeros(1)] * 5)
        return StyleBank(encoding, torch.zeros(rows, columns, 1), torch.zeros(3, 1, 1), (4 * rows, 4 * columns), 0.0)

    matches = torch.tensor([[[0, 2, 4]], [[1, 3, 6]]])
    part = torch.tensor([[[0, 1, 1]], [[1, 0, 1]]])
    for rows, columns in ((10, 14), (9, 13), (5, 7)):
        finer = upscale_matches(matches, part, bank(5, 7), bank(rows, columns))
        for index in range(3):
            for axis, (old, new) in enumerate(((5, rows), (7, columns))):
                expected = round(matches[axis, 0, index].item() * new / old) + part[axis, 0, index].item()
                assert finer[axis, 0, index] == min(expected, new - 1)


def _reported(photo: Tensor, style: Tensor, options: Options) -> tuple[Tensor, list[tuple[int, int, Tensor]]]:
    """A painting, with steps, total and preview of each report."""
    reports: list[tuple[int, int, Tensor]] = []

    def report(step: int, total: int, current: PreviewFn) -> None:
        if not reports or step > reports[-1][0]:  # the same is reported again where a step takes long
            reports.append((step, total, current().clone()))

    with torch.inference_mode():
        return neighbor.paint(Task(photo, (StyleInput(lambda: style),), options, None, None, report)), reports


def test_drafts_are_softer_and_high_quality_takes_more_steps(cat: Tensor, swirls: Tensor) -> None:
    steps, detail = {}, {}
    for quality in ("draft", "standard", "high"):
        painting, reports = _reported(cat, swirls, Options(size=SIDE, quality=quality))
        steps[quality], detail[quality] = len(reports), _fine(painting)
    assert steps["draft"] <= steps["standard"] < steps["high"]
    assert detail["draft"] < 0.6 * detail["standard"]
    assert detail["high"] == pytest.approx(detail["standard"], rel=0.5)


@pytest.mark.usefixtures("small_levels")
def test_progress_is_whole_and_rises_from_the_first_tile(cat: Tensor, swirls: Tensor) -> None:
    photo = resize(cat[0], (110, 150))[None]
    painting, reports = _reported(photo, swirls, Options(size=150))
    steps = [step for step, _, _ in reports]
    assert steps == sorted(set(steps))
    assert steps[0] == 1
    assert {of for _, of, _ in reports} == {steps[-1]}
    previews = [preview for _, _, preview in reports if preview.shape == photo.shape]
    assert len(previews) > 4
    for preview in previews:
        # The last tile, which is painted last, shows what is to be refined there.
        assert _distance(preview[..., 64:, 100:], painting[..., 64:, 100:]) < 0.12
    assert _distance(previews[-1], painting) < 0.5 * _distance(photo, painting)


@pytest.mark.usefixtures("small_levels")
def test_small_tiles_paint_what_large_tiles_paint(
    painted: Paint, cat: Tensor, swirls: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = resize(cat[0], (101, 150))[None]
    tiled = painted(photo, (swirls, 1.0))
    monkeypatch.setattr(neighbor, "TILE", 1024)
    whole = painted(photo, (swirls, 1.0))
    off = (tiled - whole).abs()
    assert off.max() < 3 / 255
    assert off.mean() < 0.04 / 255  # levels are stored as bytes: of one pixel in a hundred the last bit may differ


@pytest.mark.usefixtures("small_levels")
def test_tiles_of_a_blend_show_no_seam(
    painted: Paint, cat: Tensor, swirls: Tensor, woodcut: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles = (swirls, 0.6), (woodcut, 0.4)
    tiled = painted(cat, *styles, quality="high", strength=0.8)
    monkeypatch.setattr(neighbor, "TILE", 1024)
    whole = painted(cat, *styles, quality="high", strength=0.8)
    assert (tiled - whole).abs().max() < 3 / 255


@pytest.mark.usefixtures("small_levels")
def test_what_is_computed_at_once_does_not_grow_with_size(
    cat: Tensor, swirls: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    encode = hypercolumns.hypercolumns

    def record(picture: Tensor) -> Tensor:
        seen.append(max(picture.shape[2:]))
        return encode(picture)

    monkeypatch.setattr(neighbor, "hypercolumns", record)
    painting, reports = _reported(resize(cat[0], (40, 320))[None], swirls, Options(size=320))
    assert painting.shape[2:] == (40, 320)
    assert 8 < len(seen) <= len(reports)
    assert max(seen) <= neighbor.TILE + 2 * (REACH + 4 * neighbor.HALO + 8)


@pytest.mark.usefixtures("small_levels")
def test_large_paintings_show_detail_of_the_style(painted: Paint, cat: Tensor) -> None:
    """A refined painting is sharper than the same one enlarged, and as sharp as the style."""
    style = functional.interpolate(noise(1, 3, 80, 80), scale_factor=2)
    photo = resize(cat[0], (112, 160))[None]
    mask = torch.zeros_like(photo[:, :1])
    refined = painted(photo, (style, 1.0), content_mask=mask)
    base = painted(resize(photo[0], (45, 64))[None], (style, 1.0), content_mask=mask[..., :45, :64])
    assert _fine(refined) > 5 * _fine(resize(base[0], (112, 160))[None])
    assert _fine(refined) > 0.3 * _fine(style)


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("size", [(91, 92), (7, 193)])
def test_odd_sizes_can_be_refined(painted: Paint, swirls: Tensor, size: tuple[int, int]) -> None:
    painting = painted(noise(1, 3, *size), (swirls, 1.0), (swirls.flip(3)[..., :77, :101], 2.0))
    assert painting.shape[2:] == size
    assert painting.isfinite().all()


def test_the_second_painting_in_a_style_makes_no_bank(
    painted: Paint, cat: Tensor, swirls: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_cache, "_cache", OrderedDict())
    made: list[Tensor] = []
    make = StyleBank.build

    def count(style: Tensor, encoding: Encoding | None = None, **options: Any) -> StyleBank:
        made.append(style)
        return make(style, encoding, **options)

    monkeypatch.setattr(StyleBank, "build", count)
    painting = painted(cat, (swirls, 1.0))
    first = len(made)
    assert torch.equal(painted(cat, (swirls.clone(), 1.0)), painting)
    assert len(made) == first == len(plan_levels(cat.shape[2], cat.shape[3], PLANS["standard"].coarse_side))
    painted(cat, (swirls, 1.0), style_scale=0.5)
    assert len(made) > first


def test_painting_loads_nothing_that_it_does_not_need() -> None:
    program = f"""
import sys
from stylizer import stylize, Options
unneeded = {{"torchvision", "torch._dynamo", "sympy", "scipy", "pillow_heif", "rich", "typer",
    "stylizer.methods.texture", "stylizer.features.vgg19"}}
stylize({str(CAT)!r}, "mosaic", method="feedforward", options=Options(size=64))
seen = {{*unneeded, "stylizer.methods.optimization", "stylizer.methods.neighbor"}} & sys.modules.keys()
stylize({str(CAT)!r}, "mosaic", method="neighbor", options=Options(size=64))
print(sorted(seen | unneeded & sys.modules.keys()))
"""
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert seen.strip() == "[]"
