"""What the controls of the neighbor method do to a painting, and the oddest of pictures."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from stylizer import Options, stylize
from stylizer.methods import StyleInput, Task, neighbor
from stylizer.synthesis.pyramid import gaussian_blur
from stylizer.tensors import to_tensor

Paint = Callable[..., Tensor]
PHOTO = Path(__file__).parents[3] / "docs" / "pictures" / "cat.jpg"
SIDE = 128


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


def _correlation(one: Tensor, other: Tensor) -> float:
    """Of the lightness of two pictures without what is coarser than a twelfth of them."""
    bands = [picture.mean(1) - gaussian_blur(picture.mean(1), 8.0) for picture in (one, other)]
    return float(torch.corrcoef(torch.stack([band.flatten() for band in bands]))[0, 1])


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
    noise = np.random.default_rng(0).normal(128, 12, (96, SIDE)).astype(np.uint8)
    photo = Image.fromarray(noise).convert("RGB")
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


def test_a_blend_lies_between_its_styles(painted: Paint, cat: Tensor, swirls: Tensor, woodcut: Tensor) -> None:
    half = painted(cat, (swirls, 0.5), (woodcut, 0.5))
    alone = [painted(cat, (style, 1.0)) for style in (swirls, woodcut)]
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
    unread = StyleInput(lambda: pytest.fail("the style was read"))
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


@pytest.mark.parametrize("size", [(63, 101), (101, 63), (8, 64), (5, 77), (64, 4), (1, 64)])
def test_odd_sizes_can_be_painted(painted: Paint, swirls: Tensor, size: tuple[int, int]) -> None:
    photo = _noise(1, 3, *size)
    for quality in ("draft", "standard"):
        painting = painted(photo, (swirls, 1.0), quality=quality)
        assert painting.shape == photo.shape
        assert _distance(painting, photo) > 0.02


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
