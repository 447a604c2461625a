"""A style per region: where each style paints, and what happens to the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from stylizer import (
    METHOD_NAMES,
    ImageError,
    MaskMismatch,
    OptionError,
    Options,
    Progress,
    UnsupportedImage,
    WeightedStyle,
    stylize,
)
from stylizer.methods import neighbor
from stylizer.methods.neighbor_reduced import PLANS
from stylizer.options import MethodName

SIZE = (96, 64)
by_every_method = pytest.mark.parametrize("method", METHOD_NAMES)
# One that paints all regions in one synthesis, and one whose paintings of each are composited.
by_both_ways = pytest.mark.parametrize("method", ["neighbor", "feedforward"])


def _photo() -> Image.Image:
    down, across = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    waves = 128 + 60 * np.sin(across / 5) + 50 * np.cos(down / 7)
    return Image.fromarray(np.uint8(np.stack((waves, waves * 0.9, 255 - waves), -1).clip(0, 255)))


def _style(dark: str, light: str) -> Image.Image:
    image = Image.new("RGB", (64, 64), light)
    for x in range(0, 64, 8):
        ImageDraw.Draw(image).line((x, 0, x + 8, 63), fill=dark, width=3)
    return image


RED, BLUE, GREEN = _style("darkred", "salmon"), _style("navy", "lightblue"), _style("darkgreen", "lightgreen")


def _columns(begin: int, end: int, value: int = 255) -> Image.Image:
    mask = Image.new("L", SIZE, 0)
    mask.paste(value, (begin, 0, end, SIZE[1]))
    return mask


def _paint(method: MethodName, styles: Any, **given: Any) -> NDArray[np.float64]:
    options: dict[str, Any] = {"size": SIZE[0], "quality": "draft"} | given.pop("options", {})
    painting = stylize(_photo(), styles, method=method, options=Options(**options), **given)
    return np.asarray(painting.image, np.float64) / 255


def _red_minus_blue(pixels: NDArray[np.float64]) -> float:
    return float((pixels[..., 0] - pixels[..., 2]).mean())


@by_every_method
def test_each_region_has_its_styles_colors_in_previews_too(method: MethodName) -> None:
    seen: list[Progress] = []
    previews: list[NDArray[np.float64]] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        previews.append(np.asarray(progress.preview(), np.float64) / 255)

    painting = _paint(method, [(RED, 1.0), WeightedStyle(BLUE, mask=_columns(48, 96))], on_progress=watch)
    assert _red_minus_blue(painting[:, :40]) > 0.1
    assert _red_minus_blue(painting[:, 56:]) < -0.1
    steps = [progress.step for progress in seen]
    assert steps == sorted(steps)
    assert seen[-1].step == seen[-1].total
    last = previews[-1]
    half = last.shape[1] // 2
    assert _red_minus_blue(last[:, : half - 8]) > 0.05
    assert _red_minus_blue(last[:, half + 8 :]) < -0.05


@by_both_ways
def test_the_rest_is_a_blend_of_the_unmasked_styles(method: MethodName) -> None:
    styles = [(RED, 1.0), (GREEN, 3.0), (BLUE, 1.0, _columns(48, 96))]
    left = _paint(method, styles)[:, :40].mean((0, 1))
    assert left[1] > left[2]  # neither red nor green has any blue
    assert left[0] > left[2]


@by_both_ways
def test_without_an_unmasked_style_the_rest_is_the_photo(method: MethodName) -> None:
    photo = np.asarray(_photo(), np.float64) / 255
    painting = _paint(method, [(RED, 1.0, _columns(0, 32)), (BLUE, 1.0, _columns(64, 96))])
    np.testing.assert_array_equal(painting[:, 32:64], photo[:, 32:64])
    assert _red_minus_blue(painting[:, :28]) > 0.1
    assert _red_minus_blue(painting[:, 68:]) < -0.1


@by_both_ways
def test_the_overall_mask_still_keeps_the_photo(method: MethodName) -> None:
    photo = np.asarray(_photo(), np.float64) / 255
    styles = [(RED, 1.0), (BLUE, 1.0, _columns(48, 96))]
    painting = _paint(method, styles, mask=_columns(0, 72))
    np.testing.assert_array_equal(painting[:, 72:], photo[:, 72:])
    assert np.abs(painting[:, :72] - photo[:, :72]).mean() > 0.05


def test_a_single_style_with_a_mask_equals_the_overall_mask() -> None:
    masked = _paint("feedforward", [(RED, 1.0, _columns(0, 40))])
    np.testing.assert_array_equal(masked, _paint("feedforward", RED, mask=_columns(0, 40)))


@by_both_ways
def test_a_style_whose_mask_is_black_changes_nothing_visible(method: MethodName) -> None:
    painting = _paint(method, [(RED, 1.0), (BLUE, 1.0, _columns(0, 0))])
    assert _red_minus_blue(painting) > 0.1


@by_both_ways
def test_strength_0_returns_the_photo_in_every_region(method: MethodName) -> None:
    styles = [(RED, 1.0), (BLUE, 1.0, _columns(48, 96))]
    painting = _paint(method, styles, options={"strength": 0.0})
    np.testing.assert_allclose(painting, np.asarray(_photo()) / 255, atol=1.01 / 255)


@by_both_ways
def test_the_same_seed_repeats_a_painting_with_regions(method: MethodName) -> None:
    ramp = Image.linear_gradient("L").rotate(90).resize(SIZE)
    styles = [(RED, 1.0), (BLUE, 1.0, ramp)]
    np.testing.assert_array_equal(_paint(method, styles), _paint(method, styles))


@by_both_ways
def test_raising_from_progress_cancels_between_regions(method: MethodName) -> None:
    def stop(progress: Progress) -> None:
        if 2 * progress.step >= progress.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _paint(method, [(RED, 1.0), (BLUE, 1.0, _columns(48, 96))], on_progress=stop)


def test_regions_hold_above_the_searched_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbor, "BASE_SIDE", 64)
    monkeypatch.setattr(neighbor, "TILE", 64)
    monkeypatch.setitem(PLANS, "standard", PLANS["standard"]._replace(coarse_side=32))
    styles = [(RED, 1.0), (BLUE, 1.0, _columns(64, 96))]  # the leftmost tiles see nothing of it
    painting = _paint("neighbor", styles, options={"size": 192, "quality": "standard"})
    assert _red_minus_blue(painting[:, :112]) > 0.1
    assert _red_minus_blue(painting[:, 144:]) < -0.1


@pytest.mark.parametrize(
    ("mask", "error"), [(Image.new("L", (95, 64)), MaskMismatch), (b"not a picture", UnsupportedImage)]
)
def test_a_bad_mask_names_its_style(mask: Image.Image | bytes, error: type[ImageError]) -> None:
    with pytest.raises(error, match="the mask of a style") as caught:
        _paint("feedforward", [(RED, 1.0), (BLUE, 1.0, mask)])
    assert caught.value.field == "styles[1].mask"


def test_five_masked_styles_are_refused() -> None:
    with pytest.raises(OptionError, match="5 styles are given") as caught:
        _paint("feedforward", [(RED, 1.0, _columns(0, 10))] * 5)
    assert caught.value.field == "style"


def test_an_entry_of_four_values_is_refused() -> None:
    with pytest.raises(OptionError, match="triples with a mask"):
        _paint("feedforward", [(RED, 1.0, None, None)])
