from __future__ import annotations

import pytest
import torch
from numerics import noise
from torch import Tensor

from stylizer.color import (
    Palette,
    PaletteTransfer,
    from_oklab,
    keep_chroma,
    match_distribution,
    match_moments,
    to_oklab,
)


def _autumn(side: int = 96) -> Tensor:
    """Warm colors of an uneven distribution, well within the gamut, (3, side, side)."""
    random = noise(3, side, side, seed=1)
    red = 0.45 + 0.35 * random[0] ** 2
    return torch.stack((red, 0.3 + 0.4 * (red - 0.4) + 0.1 * random[1], 0.25 + 0.08 * random[2] ** 3))


def _sea(side: int = 80) -> Tensor:
    """Two blues with a gradient between, (3, side, side)."""
    fade = torch.linspace(0, 1, side).expand(side, side)
    light = (noise(side, side, seed=2) > 0.6).float()
    return torch.stack((0.2 + 0.2 * light, 0.35 + 0.2 * fade, 0.5 + 0.25 * light + 0.05 * fade))


# Björn Ottosson, "A perceptual color space for image processing" (2020), and the CSS Color 4 reference conversions.
@pytest.mark.parametrize(
    ("srgb", "oklab"),
    [
        ((1, 1, 1), (1.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
        ((0.5, 0.5, 0.5), (0.59818, 0.0, 0.0)),
    ],
)
def test_known_colors_have_their_published_oklab_values(
    srgb: tuple[float, float, float], oklab: tuple[float, float, float]
) -> None:
    color = torch.tensor(srgb, dtype=torch.float32)
    torch.testing.assert_close(to_oklab(color), torch.tensor(oklab), atol=2e-4, rtol=0)
    torch.testing.assert_close(from_oklab(torch.tensor(oklab)), color, atol=2e-3, rtol=0)


def test_palette_covers_the_whole_picture_at_any_size() -> None:
    # From 2^24 on a float cannot name every pixel, and the last one must not be looked for beyond the end.
    picture = torch.zeros(3, 1, 1).expand(3, 1, 2**24 + 4)
    assert not Palette.from_image(picture).pixels.any()


def test_oklab_round_trip_is_exact_to_8_bits() -> None:
    steps = torch.linspace(0, 1, 18)
    cube = torch.cartesian_prod(steps, steps, steps).t().reshape(3, 18, -1)
    given = cube.clone()
    torch.testing.assert_close(from_oklab(to_oklab(cube)), cube, atol=0.1 / 255, rtol=0)
    assert torch.equal(cube, given)


def test_colors_beyond_the_gamut_are_clamped_and_finite() -> None:
    wild = from_oklab(4 * noise(3, 500) - 2)
    assert wild.isfinite().all()
    assert wild.min() >= 0
    assert wild.max() <= 1
    assert to_oklab(3 * noise(3, 500) - 1).isfinite().all()


def test_matched_moments_are_those_of_the_palette() -> None:
    target = to_oklab(_sea()).flatten(1)
    matched = to_oklab(match_moments(_autumn(), Palette.from_image(_sea()))).flatten(1)
    torch.testing.assert_close(matched.mean(1), target.mean(1), atol=3e-3, rtol=0)
    torch.testing.assert_close(torch.cov(matched), torch.cov(target), atol=4e-4, rtol=0)


def _quantile_gap(image: Tensor, target: Tensor) -> float:
    """Mean difference of the quantiles of each Oklab channel."""
    at = torch.linspace(0.01, 0.99, 50)
    quantiles = [torch.quantile(to_oklab(picture).flatten(1), at, dim=1) for picture in (image, target)]
    return (quantiles[0] - quantiles[1]).abs().mean().item()


def test_matched_distribution_is_the_palettes_beyond_moments() -> None:
    palette = Palette.from_image(_sea())
    by_moments = _quantile_gap(match_moments(_autumn(), palette), _sea())
    by_distribution = _quantile_gap(match_distribution(_autumn(), palette), _sea())
    assert by_distribution < 0.006
    assert by_distribution < by_moments / 2
    assert _quantile_gap(_autumn(), _sea()) > 10 * by_distribution


def test_the_amount_goes_from_the_picture_to_the_palette() -> None:
    picture, palette = _autumn(), Palette.from_image(_sea())
    for match in (match_moments, match_distribution):
        torch.testing.assert_close(match(picture, palette, 0.0), picture, atol=1e-3, rtol=0)
        gaps = [_quantile_gap(match(picture, palette, amount), _sea()) for amount in (0.0, 0.3, 0.6, 1.0)]
        assert gaps == sorted(gaps, reverse=True)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_picture_of_one_color_does_no_harm_on_either_side(level: float) -> None:
    flat = torch.full((3, 20, 20), level)
    for match in (match_moments, match_distribution):
        to_flat = match(_autumn(), Palette.from_image(flat))
        torch.testing.assert_close(to_flat, torch.full_like(to_flat, level), atol=0.05, rtol=0)
        from_flat = match(flat, Palette.from_image(_autumn()))
        assert from_flat.isfinite().all()
        assert from_flat.std(dim=(1, 2)).max() < 1e-3  # one color stays one color


def test_plain_background_becomes_the_mean_of_its_share() -> None:
    picture = _autumn()
    picture[:, :, 48:] = 1.0  # the lighter half
    palette = Palette.from_image(torch.linspace(0, 1, 1000).expand(3, 20, 1000))
    background = match_distribution(picture, palette)[:, :, 48:]
    assert background.std(dim=(1, 2)).max() < 1e-3
    lighter_half = to_oklab(torch.linspace(0.5, 1, 1000).expand(3, 1, 1000))[0].mean()
    torch.testing.assert_close(to_oklab(background)[0].mean(), lighter_half, atol=0.05, rtol=0)


def test_a_mixed_palette_holds_each_picture_by_its_share() -> None:
    black, white = torch.zeros(3, 10, 400), torch.ones(3, 90, 30)
    palette = Palette.mix([(black, 3.0), (white, 1.0)])  # shares are relative, sizes do not count
    lightness = palette.pixels[0]
    assert (lightness > 0.5).float().mean().item() == pytest.approx(0.25, abs=0.001)
    torch.testing.assert_close(palette.mean[0, 0], torch.tensor(0.25), atol=2e-3, rtol=0)
    torch.testing.assert_close(palette.covariance, torch.cov(palette.pixels))


def test_kept_chroma_is_the_photos_with_the_paintings_lightness() -> None:
    painting = noise(3, 30, 30, seed=3) * 0.2 + 0.4
    photo = _autumn(30)
    kept = to_oklab(keep_chroma(painting, photo))
    torch.testing.assert_close(kept[:1], to_oklab(painting)[:1], atol=2e-3, rtol=0)
    torch.testing.assert_close(kept[1:], to_oklab(photo)[1:], atol=2e-3, rtol=0)


def _unlikeness(image: Tensor, palette: Palette) -> float:
    """Mean difference of the sorted colors along each axis of Oklab."""
    ours, wanted = (pixels.sort(1).values for pixels in (Palette.from_image(image).pixels, palette.pixels))
    at = torch.linspace(0.01, 0.99, 50)
    return float(sum((ours[axis].quantile(at) - wanted[axis].quantile(at)).abs().mean() for axis in range(3)))


def test_palette_transfer_agrees_with_match_distribution() -> None:
    image, palette = _autumn(), Palette.from_image(_sea())
    exact = match_distribution(image, palette)
    transfer = PaletteTransfer.estimate(image, palette)
    assert (transfer(image) - exact).abs().mean() < 0.03
    assert _unlikeness(transfer(image), palette) < 0.1 * _unlikeness(image, palette)


def test_palette_transfer_of_a_tile_equals_the_tile_of_the_whole() -> None:
    image = _autumn()
    transfer = PaletteTransfer.estimate(image, Palette.from_image(_sea()), 0.8)
    tile = (slice(None), slice(11, 50), slice(7, 64))
    torch.testing.assert_close(transfer(image[tile]), transfer(image)[tile], atol=1e-6, rtol=0)
