"""The neighbor method by itself: what its controls do, how it is cut into tiles, and the oddest of pictures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from stylizer import Options, stylize
from stylizer.methods import Current, Style, Task, neighbor
from stylizer.methods.neighbor import COARSEST_SIDE, Level, levels_for
from stylizer.options import Quality
from stylizer.styles import catalog
from stylizer.synthesis import bank_cache, hypercolumns
from stylizer.synthesis.pyramid import gaussian_blur, resize
from stylizer.synthesis.style_bank import REACH, Encoding, StyleBank
from stylizer.tensors import to_tensor

Paint = Callable[..., Tensor]
PHOTO = Path(__file__).parents[3] / "docs" / "pictures" / "cat.jpg"
SIDE = 128


def _picture(path: Path, side: int) -> Tensor:
    with Image.open(path) as file:
        file.thumbnail((side, side))
        return to_tensor(file.convert("RGB"))


@pytest.fixture(scope="module")
def cat() -> Tensor:
    """A photo with a long side of 128 pixels."""
    return _picture(PHOTO, SIDE)


@pytest.fixture(scope="module")
def swirls() -> Tensor:
    """A style of the same size."""
    return _picture(catalog()["impasto-swirls"].swatch, SIDE)


@pytest.fixture(scope="module")
def painted(paint: Paint) -> Paint:
    """Paint by this method at standard quality: painted(photo, (style, share), ..., **options)."""

    def by_neighbor(photo: Tensor, *styles: tuple[Tensor, float], **options: object) -> Tensor:
        return paint("neighbor", photo, *styles, **({"quality": "standard"} | options))

    return by_neighbor


@pytest.fixture
def small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search up to 64 pixels and refine above, by tiles of 64, in float32."""
    monkeypatch.setattr(neighbor, "COARSEST_SIDE", 32)
    monkeypatch.setattr(neighbor, "BASE_SIDE", 64)
    monkeypatch.setattr(neighbor, "TILE", 64)
    for module in (neighbor, hypercolumns):
        monkeypatch.setattr(module, "autocast_dtype", lambda _: torch.float32)


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _stripes(period: int, side: int = SIDE) -> Tensor:
    """Vertical ink on paper, (1, 3, side, side)."""
    inked = (torch.arange(side) % period < period // 2).float().view(1, 1, 1, -1)
    ink, paper = (torch.tensor(color).view(1, 3, 1, 1) for color in ([0.15, 0.1, 0.25], [0.95, 0.9, 0.75]))
    return (inked * ink + (1 - inked) * paper).expand(1, 3, side, side).contiguous()


def _flat(*color: float, size: tuple[int, int] = (96, SIDE)) -> Tensor:
    return torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, *size).contiguous()


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().mean())


def _fine(picture: Tensor) -> float:
    """Energy of what is finer than about 3 pixels."""
    return float((picture[0] - gaussian_blur(picture[0], 1.0)).square().mean())


def _correlation(one: Tensor, other: Tensor) -> float:
    """Of the lightness of two pictures without what is coarser than a twelfth of them."""
    bands = [picture.mean(1) - gaussian_blur(picture.mean(1), 8.0) for picture in (one, other)]
    return float(torch.corrcoef(torch.stack([band.flatten() for band in bands]))[0, 1])


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (16, [(16, 0)]),
        (64, [(64, 0)]),
        (128, [(64, 1), (128, 0)]),
        (512, [(64, 3), (128, 2), (256, 1), (512, 0)]),
        (724, [(90, 3), (181, 2), (362, 1), (724, 0)]),
        (725, [(45, 3), (91, 2), (181, 1), (362, 0), (725, -1)]),
        (4096, [(64, 3), (128, 2), (256, 1), (512, 0), (1024, -1), (2048, -2), (4096, -3)]),
    ],
)
def test_levels_double_from_about_64_to_the_output(side: int, expected: list[tuple[int, int]]) -> None:
    levels = levels_for(side // 2, side)
    assert [(level.size[1], level.depth) for level in levels] == expected
    assert levels[-1].size == (side // 2, side)
    assert min(level.size[1] for level in levels) <= COARSEST_SIDE * 2**0.5


def test_strength_moves_smoothly_from_the_photo(painted: Paint, cat: Tensor, swirls: Tensor) -> None:
    strengths = (0.0, 0.02, 0.25, 0.5, 0.75, 1.0)
    distances = [_distance(painted(cat, (swirls, 1.0), strength=strength), cat) for strength in strengths]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] < 0.02
    assert max(after - before for before, after in pairwise(distances)) < 0.6 * distances[-1]


@pytest.mark.parametrize("strength", [1e-6, 1e-39, 5e-324])
def test_hardly_any_strength_leaves_the_photo(painted: Paint, cat: Tensor, swirls: Tensor, strength: float) -> None:
    assert (painted(cat, (swirls, 1.0), strength=strength) - cat).abs().max() < 0.02


def test_a_photo_equal_to_the_style_stays_much_as_it_is(painted: Paint, swirls: Tensor) -> None:
    painting = painted(swirls, (swirls, 1.0))
    assert _distance(painting, swirls) < 0.5 * _distance(painting.flip(3), swirls)


def test_vertical_stripes_paint_vertical_stripes(painted: Paint) -> None:
    photo = _flat(0.5, 0.5, 0.5) + 0.05 * _noise(1, 3, 96, SIDE)
    for turned in (False, True):
        style = _stripes(8).transpose(2, 3) if turned else _stripes(8)
        along, across = (2, 3) if not turned else (3, 2)
        painting = painted(photo, (style.contiguous(), 1.0))
        assert painting.diff(dim=across).abs().mean() > 2 * painting.diff(dim=along).abs().mean()


def _period(painting: Tensor) -> float:
    """Pixels of the strongest wave along the rows of a painting (1, 3, H, W)."""
    rows = painting.mean(1)[0]
    power = torch.fft.rfft(rows - rows.mean(1, keepdim=True), dim=1).abs().square().mean(0)
    return rows.shape[1] / int(power.argmax())


def test_style_scale_resizes_the_pieces() -> None:
    photo = Image.effect_noise((SIDE, 96), 12).convert("RGB")
    stripes = Image.fromarray(_stripes(8)[0].permute(1, 2, 0).mul(255).byte().numpy())
    small, usual, large = (
        _period(to_tensor(stylize(photo, stripes, options=Options(size=SIDE, style_scale=scale)).image))
        for scale in (0.5, 1.0, 2.0)
    )
    assert small == pytest.approx(4, rel=0.15)
    assert usual == pytest.approx(8, rel=0.15)
    assert large == pytest.approx(16, rel=0.3)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_each_style_of_a_blend_paints_its_share(painted: Paint, cat: Tensor, share: float) -> None:
    red, blue = (_flat(*color) + 0.05 * _noise(1, 3, 96, SIDE) for color in ((0.8, 0.2, 0.2), (0.2, 0.2, 0.8)))
    white = torch.zeros_like(cat[:, :1])
    painting = painted(cat, (red, share), (blue, 1 - share), content_mask=white)
    assert float((painting[:, 0] > painting[:, 2]).float().mean()) == pytest.approx(share, abs=0.1)


def test_a_blend_lies_between_its_styles(painted: Paint, cat: Tensor, swirls: Tensor) -> None:
    other = _picture(catalog()["woodcut"].swatch, SIDE)
    half = painted(cat, (swirls, 0.5), (other, 0.5))
    alone = [painted(cat, (style, 1.0)) for style in (swirls, other)]
    apart = _distance(alone[0], alone[1])
    assert all(_distance(half, painting) < 0.9 * apart for painting in alone)


def test_a_white_content_mask_keeps_more_structure_than_black(painted: Paint, cat: Tensor, swirls: Tensor) -> None:
    white, black = torch.ones_like(cat[:, :1]), torch.zeros_like(cat[:, :1])
    kept, found, free = (
        _correlation(painted(cat, (swirls, 1.0), content_mask=mask), cat) for mask in (white, None, black)
    )
    assert kept > free + 0.1
    assert free < found < kept


def test_structure_is_kept_where_the_content_mask_is_white(painted: Paint, cat: Tensor, swirls: Tensor) -> None:
    left = torch.zeros_like(cat[:, :1])
    left[..., : SIDE // 2] = 1
    on_left, on_right = (painted(cat, (swirls, 1.0), content_mask=mask) for mask in (left, 1 - left))
    halves = slice(0, SIDE // 2 - 12), slice(SIDE // 2 + 12, SIDE)
    for part, kept, free in ((halves[0], on_left, on_right), (halves[1], on_right, on_left)):
        assert _correlation(kept[..., part], cat[..., part]) > _correlation(free[..., part], cat[..., part])


def test_a_black_mask_returns_the_photo_unpainted(cat: Tensor) -> None:
    unread = Style(lambda: pytest.fail("the style was read"))
    steps: list[tuple[int, int]] = []
    task = Task(cat, (unread,), Options(), cat[:, :1] * 0, None, lambda step, total, _: steps.append((step, total)))
    assert neighbor.paint(task) is cat
    assert steps == [(1, 1)]


def test_a_mask_limits_the_painting() -> None:
    with Image.open(PHOTO) as photo:
        mask = Image.new("L", photo.size, 0)
    mask.paste(255, (0, 0, mask.width // 2, mask.height))
    painting, plain = (
        np.asarray(stylize(PHOTO, "woodcut", mask=mask, options=Options(size=96, strength=strength)).image, float)
        for strength in (1.0, 0.0)
    )
    assert np.abs(painting - plain)[:, :46].mean() > 10
    assert np.abs(painting - plain)[:, 50:].max() == 0


def test_luminance_keeps_the_chroma_and_histogram_the_palette() -> None:
    free, luminance, histogram, photo = (
        np.asarray(stylize(PHOTO, "impasto-swirls", options=options).image.convert("YCbCr"), float)
        for options in (
            Options(size=SIDE),
            Options(size=SIDE, preserve_color="luminance"),
            Options(size=SIDE, preserve_color="histogram"),
            Options(size=SIDE, strength=0.0),
        )
    )
    chroma = [np.abs(painting - photo)[..., 1:].mean() for painting in (free, luminance)]
    assert chroma[1] < 0.2 * chroma[0]
    means = [np.abs(painting.mean((0, 1)) - photo.mean((0, 1))).mean() for painting in (free, histogram)]
    assert means[1] < 0.3 * means[0]
    assert np.abs(histogram - photo).mean() > 5


def test_seeds_change_flat_areas_and_repeat_exactly(painted: Paint, swirls: Tensor) -> None:
    sky = _flat(0.55, 0.65, 0.8)
    one, same, other = (painted(sky, (swirls, 1.0), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert _distance(one, other) > 0.01


def test_a_kept_bank_changes_no_pixel(painted: Paint, cat: Tensor, swirls: Tensor) -> None:
    bank_cache._kept.clear()
    first = painted(cat, (swirls, 1.0))
    assert torch.equal(painted(cat, (swirls, 1.0)), first)


def test_drafts_are_softer_and_high_quality_takes_more_steps(cat: Tensor, swirls: Tensor) -> None:
    steps, detail = {}, {}
    for quality in ("draft", "standard", "high"):
        painting, reports = _reported(cat, swirls, Options(size=SIDE, quality=quality))
        steps[quality], detail[quality] = len(reports), _fine(painting)
    assert steps["draft"] < steps["standard"] < steps["high"]
    assert detail["draft"] < 0.6 * detail["standard"]
    assert detail["high"] == pytest.approx(detail["standard"], rel=0.5)


def _reported(photo: Tensor, style: Tensor, options: Options) -> tuple[Tensor, list[tuple[int, int, Tensor]]]:
    """A painting, with steps, total and preview of each report."""
    reports: list[tuple[int, int, Tensor]] = []

    def report(step: int, total: int, current: Current) -> None:
        reports.append((step, total, current().clone()))

    with torch.inference_mode():
        return neighbor.paint(Task(photo, (Style(lambda: style),), options, None, None, report)), reports


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("quality", ["draft", "standard", "high"])
def test_progress_counts_every_step_to_its_total(cat: Tensor, swirls: Tensor, quality: Quality) -> None:
    _, reports = _reported(resize(cat[0], (110, 150))[None], swirls, Options(size=150, quality=quality))
    total = reports[0][1]
    assert [step for step, _, _ in reports] == list(range(1, total + 1))
    assert {of for _, of, _ in reports} == {total}


@pytest.mark.usefixtures("small_levels")
def test_previews_show_the_whole_picture_from_the_first_tile(cat: Tensor, swirls: Tensor) -> None:
    photo = resize(cat[0], (110, 150))[None]
    painting, reports = _reported(photo, swirls, Options(size=150))
    previews = [preview for _, _, preview in reports if preview.shape == photo.shape]
    assert len(previews) > 4
    for preview in previews:
        # The last tile, which is painted last, shows what is to be refined there.
        assert _distance(preview[..., 64:, 100:], painting[..., 64:, 100:]) < 0.12
    assert _distance(previews[-1], painting) < 0.5 * _distance(photo, painting)


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("at", [1, 3, 6])
def test_an_error_raised_by_report_ends_the_painting(cat: Tensor, swirls: Tensor, at: int) -> None:
    class Stop(Exception): ...

    steps: list[int] = []

    def report(step: int, _total: int, _current: Current) -> None:
        steps.append(step)
        if step == at:
            raise Stop

    with pytest.raises(Stop), torch.inference_mode():
        neighbor.paint(Task(cat, (Style(lambda: swirls),), Options(size=SIDE), None, None, report))
    assert steps == list(range(1, at + 1))


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("size", [(101, 150), (170, 96)])
def test_small_tiles_paint_what_large_tiles_paint(
    painted: Paint, swirls: Tensor, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = resize(_picture(PHOTO, 256)[0], size)[None]
    tiled = painted(photo, (swirls, 1.0))
    monkeypatch.setattr(neighbor, "TILE", 1024)
    whole = painted(photo, (swirls, 1.0))
    off = (tiled - whole).abs()
    assert off.max() < 3 / 255
    assert off.mean() < 0.01 / 255


@pytest.mark.usefixtures("small_levels")
def test_tiles_of_a_blend_show_no_seam(painted: Paint, swirls: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = _picture(PHOTO, 130)
    styles = (swirls, 0.6), (_picture(catalog()["woodcut"].swatch, SIDE), 0.4)
    tiled = painted(photo, *styles, quality="high", strength=0.8)
    monkeypatch.setattr(neighbor, "TILE", 1024)
    whole = painted(photo, *styles, quality="high", strength=0.8)
    assert (tiled - whole).abs().max() < 3 / 255


@pytest.mark.usefixtures("small_levels")
def test_what_is_computed_at_once_does_not_grow_with_size(swirls: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    encode = hypercolumns.hypercolumns

    def record(picture: Tensor) -> Tensor:
        seen.append(max(picture.shape[2:]))
        return encode(picture)

    monkeypatch.setattr(neighbor, "hypercolumns", record)
    painting, reports = _reported(resize(_picture(PHOTO, 320)[0], (40, 320))[None], swirls, Options(size=320))
    assert painting.shape[2:] == (40, 320)
    assert len(seen) == len(reports) > 8
    assert max(seen) <= neighbor.TILE + 2 * (REACH + 4 * neighbor.EFFORTS["standard"].halo + 8)


@pytest.mark.usefixtures("small_levels")
def test_large_paintings_show_detail_of_the_style(painted: Paint, cat: Tensor) -> None:
    """A refined painting is sharper than the same one enlarged, and as sharp as the style."""
    style = functional.interpolate(_noise(1, 3, 80, 80), scale_factor=2)
    photo = resize(cat[0], (112, 160))[None]
    mask = torch.zeros_like(photo[:, :1])
    refined = painted(photo, (style, 1.0), content_mask=mask)
    base = painted(resize(photo[0], (45, 64))[None], (style, 1.0), content_mask=mask[..., :45, :64])
    assert _fine(refined) > 5 * _fine(resize(base[0], (112, 160))[None])
    assert _fine(refined) > 0.3 * _fine(style)


def test_matches_are_carried_to_the_next_scale_as_in_a_loop() -> None:
    def bank(rows: int, columns: int) -> StyleBank:
        encoding = Encoding(*[torch.zeros(1)] * 5)
        return StyleBank(encoding, torch.zeros(rows, columns, 1), torch.zeros(3, 1, 1), 0.0)

    matches = torch.tensor([[[0, 2, 4]], [[1, 3, 6]]])
    part = torch.tensor([[[0, 1, 1]], [[1, 0, 1]]])
    for rows, columns in ((10, 14), (9, 13), (5, 7)):
        finer = neighbor._finer(matches, part, bank(5, 7), bank(rows, columns))
        for index in range(3):
            for axis, (old, new) in enumerate(((5, rows), (7, columns))):
                expected = round(matches[axis, 0, index].item() * new / old) + part[axis, 0, index].item()
                assert finer[axis, 0, index] == min(expected, new - 1)


@pytest.mark.parametrize("size", [(63, 101), (101, 63), (8, 64), (5, 77), (64, 4), (1, 64)])
def test_odd_sizes_can_be_painted(painted: Paint, swirls: Tensor, size: tuple[int, int]) -> None:
    photo = _noise(1, 3, *size)
    for quality in ("draft", "standard"):
        painting = painted(photo, (swirls, 1.0), quality=quality)
        assert painting.shape == photo.shape
        assert _distance(painting, photo) > 0.02


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("size", [(91, 92), (9, 193), (7, 100)])
def test_odd_sizes_can_be_refined(painted: Paint, swirls: Tensor, size: tuple[int, int]) -> None:
    painting = painted(_noise(1, 3, *size), (swirls, 1.0), (swirls.flip(3)[..., :77, :101], 2.0))
    assert painting.shape[2:] == size
    assert painting.isfinite().all()


@pytest.mark.parametrize("side", [16, 8000])
@pytest.mark.parametrize("scale", [0.25, 4.0])
def test_styles_of_any_size_will_do(side: int, scale: float) -> None:
    style = Image.effect_noise((side, side if side < 100 else 500), 90).convert("RGB")
    options = Options(size=96, style_scale=scale)
    painting, photo = (
        np.asarray(stylize(PHOTO, style, options=option).image, float)
        for option in (options, Options(size=96, strength=0))
    )
    assert np.abs(painting - photo).mean() > 5


def test_a_style_of_one_color_paints_in_that_color(painted: Paint, cat: Tensor) -> None:
    painting = painted(cat, (_flat(0.7, 0.3, 0.2), 1.0))
    color = torch.tensor([0.7, 0.3, 0.2])
    assert painting.isfinite().all()
    assert (painting.mean((0, 2, 3)) - color).abs().max() < 0.06
    assert (cat.mean((0, 2, 3)) - color).abs().max() > 0.13


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_photo_of_one_color_gets_the_texture_of_the_style(painted: Paint, swirls: Tensor, level: float) -> None:
    painting = painted(_flat(level, level, level), (swirls, 1.0))
    assert painting.isfinite().all()
    assert float(painting.std(dim=(2, 3)).mean()) > 0.3 * float(swirls.std(dim=(2, 3)).mean())
    assert (painting.mean((2, 3)) - swirls.mean((2, 3))).abs().max() < 0.1


def test_a_photo_and_a_style_of_one_color_are_painted(painted: Paint) -> None:
    painting = painted(_flat(0.2, 0.6, 0.4), (_flat(0.9, 0.8, 0.1), 1.0))
    assert float(painting.std(dim=(2, 3)).max()) < 0.02


def test_a_flat_photo_shows_no_frame_at_its_border(painted: Paint, swirls: Tensor) -> None:
    sky = _flat(0.6, 0.6, 0.6, size=(128, 160)) + 0.02 * _noise(1, 3, 128, 160)
    paintings = torch.cat([painted(sky, (swirls, 1.0), seed=seed) for seed in range(3)])
    inside = paintings[:, :, 32:-32, 32:-32]
    frame = torch.cat([paintings[:, :, :, :4].flatten(2), paintings[:, :, :4].flatten(2)], 2)
    assert (frame.mean((0, 2)) - inside.mean((0, 2, 3))).abs().max() < 0.08


def test_transparency_of_the_photo_is_kept() -> None:
    with Image.open(PHOTO) as file:
        photo = file.convert("RGBA").resize((96, 72))
    photo.putalpha(Image.linear_gradient("L").resize((96, 72)))
    painting = stylize(photo, "woodcut", options=Options(size=96)).image
    assert painting.mode == "RGBA"
    assert np.abs(np.asarray(painting.getchannel("A"), int) - np.asarray(photo.getchannel("A"), int)).max() <= 1


def test_the_second_painting_in_a_style_makes_no_bank(
    painted: Paint, cat: Tensor, swirls: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank_cache._kept.clear()
    made: list[Tensor] = []
    make = StyleBank.of

    def count(style: Tensor, encoding: Encoding | None = None) -> StyleBank:
        made.append(style)
        return make(style, encoding)

    monkeypatch.setattr(StyleBank, "of", count)
    painted(cat, (swirls, 1.0))
    first = len(made)
    painted(cat.flip(3), (swirls.clone(), 1.0), seed=3)
    assert len(made) == first == len(levels_for(cat.shape[2], cat.shape[3]))
    painted(cat, (swirls, 1.0), style_scale=0.5)
    assert len(made) > first


def test_painting_loads_nothing_that_it_does_not_need() -> None:
    program = f"""
import sys
from stylizer import stylize, Options
stylize({str(PHOTO)!r}, "mosaic", method="neighbor", options=Options(size=64))
print([name for name in ("torchvision", "torch._dynamo", "sympy", "scipy", "pillow_heif", "rich", "typer",
    "stylizer.methods.texture", "stylizer.methods.optimization", "stylizer.methods.feedforward",
    "stylizer.features.vgg19") if name in sys.modules])
"""
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert seen.strip() == "[]"


def test_a_level_knows_its_tiles() -> None:
    searched, refined = Level((300, 500), 0), Level((1500, 2000), -2)
    assert len(neighbor._parts(searched)) == 1
    assert len(neighbor._parts(refined)) == len(neighbor._parts(refined, halo=13)) == 2 * 3
