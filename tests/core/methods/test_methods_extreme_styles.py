"""Every method paints flat, striped, one-pixel and monochrome styles in their own colors, at the smallest sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from stylizer import Options, stylize
from stylizer.options import METHOD_NAMES, QUALITIES, MethodName, Quality

KINDS = ("flat", "stripes", "one pixel", "monochrome")
STYLES = 200
# Steps through the seeds, coprime to the periods of kind and size: each method meets every kind. Methods that take a
# second for a picture get fewer.
STEPS: dict[MethodName, int] = {"neighbor": 13, "feedforward": 13, "optimization": 37, "texture": 37, "color": 13}
# Distance of a painting's mean color from the style's, of 255. The faults this is about are black, white or another
# hue; a network that ends in a sigmoid paints neither 0 nor 255.
CHANNEL_TOLERANCE, LUMA_TOLERANCE = 130, 55
COLORS = ((0, 0, 255), (255, 0, 0), (206, 251, 97))
LUMA = (0.299, 0.587, 0.114)
PHOTO = Image.effect_noise((48, 36), 80).convert("RGB")


def make_style(seed: int) -> npt.NDArray[np.uint8]:
    """Make an extreme style; the kind is `seed` modulo 4, half of all colors are at the corners of the RGB cube."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(16, 80, 2))

    def color() -> npt.NDArray[np.uint8]:
        corner = rng.integers(0, 2, 3) * 255
        return (corner if rng.random() < 0.5 else rng.integers(0, 256, 3)).astype(np.uint8)

    style = np.empty((height, width, 3), np.uint8)
    style[:] = color()
    kind = KINDS[seed % len(KINDS)]
    if kind == "stripes":
        period = int(rng.integers(2, 17))
        style[:, np.arange(width) // period % 2 == 0] = color()
    elif kind == "one pixel":
        style[height // 2, width // 2] = color()
    elif kind == "monochrome":
        light = rng.random((height, width, 1))
        style = (style * light).astype(np.uint8)
    return style


def quality_of(seed: int) -> Quality:
    """Every tier, the cheapest most often."""
    return "high" if seed in (91, 111) else "standard" if seed // 10 % 3 == 0 else "draft"


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_extreme_styles_keep_their_colors(method: MethodName) -> None:
    for seed in range(0, STYLES, STEPS[method]):
        style, size = make_style(seed), (64, 72, 96, 128)[seed // 4 % 4]
        options = Options(size=size, quality=quality_of(seed), seed=seed)
        painting = stylize(PHOTO, Image.fromarray(style), method=method, options=options).image

        painted, wanted = (np.asarray(picture, np.float64).mean((0, 1)) for picture in (painting, style))
        where = f"style {seed}, {options.quality}, {size} px: {painted.round()} instead of {wanted.round()}"
        assert np.abs(painted - wanted).max() <= CHANNEL_TOLERANCE, where
        assert abs((painted - wanted) @ LUMA) <= LUMA_TOLERANCE, where


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize(("quality", "color"), list(zip(QUALITIES, COLORS, strict=True)))
def test_flat_styles_are_painted_at_the_smallest_size(
    method: MethodName, quality: Quality, color: tuple[int, int, int]
) -> None:
    options = Options(size=64, quality=quality)
    painting = stylize(PHOTO, Image.new("RGB", (16, 16), color), method=method, options=options).image
    mean = np.asarray(painting, np.float64).mean((0, 1))
    assert np.abs(mean - color).max() <= CHANNEL_TOLERANCE / 2, mean


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("ink", [(255, 0, 0), (0, 0, 255)])
def test_feedforward_paints_saturated_stripes_at_small_sizes(ink: tuple[int, int, int], size: int) -> None:
    stripes = np.full((150, 200, 3), 255, np.uint8)
    stripes[:, np.arange(200) // 20 % 2 == 0] = ink
    options = Options(size=size, quality="draft")
    painting = stylize(PHOTO, Image.fromarray(stripes), method="feedforward", options=options).image
    np.testing.assert_allclose(np.asarray(painting, np.float64).mean((0, 1)), stripes.mean((0, 1)), atol=50)
