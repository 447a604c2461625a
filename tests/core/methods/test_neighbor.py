"""What the controls of the neighbor method do to a painting, and the oddest of pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numerics import CAT, noise
from PIL import Image
from torch import Tensor

from stylizer import Options, stylize
from stylizer.methods import StyleInput, Task, neighbor
from stylizer.synthesis.pyramid import gaussian_blur
from stylizer.tensors import to_tensor

Paint = Callable[..., Tensor]
SIDE = 128


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


@pytest.mark.parametrize("strength", [1e-6, 5e-324])
def test_hardly_any_strength_leaves_the_photo(painted: Paint, cat: Tensor, swirls: Tensor, strength: float) -> None:
    assert (painted(cat, (swirls, 1.0), strength=strength) - cat).abs().max() < 0.02


def test_a_photo_equal_to_the_style_stays_much_as_it_is(painted: Paint, swirls: Tensor) -> None:
    painting = painted(swirls, (swirls, 1.0))
    assert _distance(painting, swirls) < 0.5 * _distance(painting.flip(3), swirls)


def test_vertical_stripes_paint_vertical_stripes(painted: Paint) -> None:
    photo = _flat(0.5, 0.5, 0.5) + 0.05 * noise(1, 3, 96, SIDE)
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
    grain = np.random.default_rng(0).normal(128, 12, (96, SIDE)).astype(np.uint8)
    photo = Image.fromarray(grain).convert("RGB")
    stripes = Image.fromarray(_stripes(8)[0].permute(1, 2, 0).mul(255).byte().numpy())
    small, usual, large = (
        _period(to_tensor(stylize(photo, stripes, options=Options(size=SIDE, style_scale=scale)).image))
        for scale in (0.5, 1.0, 2.0)
    )
    assert small == pytest.approx(4, rel=0.15)
    assert usual == pytest.approx(8, rel=0.15)
    assert large == pytest.approx(16, rel=0.3)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_each_style_of_a_blend_paints_its_share(painted: Paint, cat: Tensor, share: float) -> None:
    red, blue = (_flat(*color) + 0.05 * noise(1, 3, 96, SIDE) for color in ((0.8, 0.2, 0.2), (0.2, 0.2, 0.8)))
    white = torch.zeros_like(cat[:, :1])
    painting = painted(cat, (red, share), (blue, 1 - share), content_mask=white)
    assert float((painting[:, 0] > painting[:, 2]).float().mean()) == pytest.approx(share, abs=0.1)


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


@pytest.mark.parametrize(
    ("size", "quality"), [((63, 101), "standard"), ((5, 77), "draft"), ((64, 4), "standard"), ((1, 64), "draft")]
)
def test_odd_sizes_can_be_painted(painted: Paint, swirls: Tensor, size: tuple[int, int], quality: str) -> None:
    photo = noise(1, 3, *size)
    painting = painted(photo, (swirls, 1.0), quality=quality)
    assert painting.shape == photo.shape
    assert _distance(painting, photo) > 0.02


@pytest.mark.parametrize(("side", "scale"), [(16, 4.0), (8000, 0.25)])
def test_styles_of_any_size_will_do(side: int, scale: float) -> None:
    style = Image.effect_noise((side, side if side < 100 else 500), 90).convert("RGB")
    options = Options(size=96, style_scale=scale)
    painting, photo = (
        np.asarray(stylize(CAT, style, options=option).image, float)
        for option in (options, Options(size=96, strength=0))
    )
    assert np.abs(painting - photo).mean() > 5


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_photo_of_one_color_gets_the_texture_of_the_style(painted: Paint, swirls: Tensor, level: float) -> None:
    painting = painted(_flat(level, level, level), (swirls, 1.0))
    assert painting.isfinite().all()
    assert float(painting.std(dim=(2, 3)).mean()) > 0.3 * float(swirls.std(dim=(2, 3)).mean())
    assert (painting.mean((2, 3)) - swirls.mean((2, 3))).abs().max() < 0.1


def test_a_flat_photo_shows_no_frame_at_its_border(painted: Paint, swirls: Tensor) -> None:
    sky = _flat(0.6, 0.6, 0.6, size=(128, 160)) + 0.02 * noise(1, 3, 128, 160)
    paintings = torch.cat([painted(sky, (swirls, 1.0), seed=seed) for seed in range(3)])
    inside = paintings[:, :, 32:-32, 32:-32]
    frame = torch.cat([paintings[:, :, :, :4].flatten(2), paintings[:, :, :4].flatten(2)], 2)
    assert (frame.mean((0, 2)) - inside.mean((0, 2, 3))).abs().max() < 0.08
