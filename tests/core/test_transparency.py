from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from stylizer import Options, stylize, transparency
from stylizer.images import Picture

Pixels = npt.NDArray[np.uint8]


def picture(rgb: Pixels, alpha: Pixels | None) -> Picture:
    return Picture(np.ascontiguousarray(rgb), alpha, "memory")


def noise(height: int, width: int, channels: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_opaque_picture_is_resized_by_lanczos() -> None:
    rgb = noise(40, 60, 3)
    expected = Image.fromarray(rgb).resize((30, 20), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(transparency.resize_picture(picture(rgb, None), (30, 20)), expected)


@pytest.mark.parametrize("size", [(20, 30), (60, 700), (300, 5)])
def test_uniform_alpha_resizes_as_opaque_does(size: tuple[int, int]) -> None:
    rgb = noise(600, 50, 3) // 2 + 60  # Pillow clips overshoots of bytes between its two passes
    expected = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS), np.int16)
    resize_picture = np.asarray(
        transparency.resize_picture(picture(rgb, np.full((600, 50), 130, np.uint8)), size), np.int16
    )
    np.testing.assert_allclose(resize_picture, expected, atol=2)


@pytest.mark.parametrize("side", [25, 177, 400])
def test_cut_out_of_one_color_keeps_it_up_to_its_edge(side: int) -> None:
    rgb, alpha = np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), np.uint8)
    rgb[:, 128:], alpha[:, 128:] = (255, 100, 7), 255
    resize_picture = np.asarray(transparency.resize_picture(picture(rgb, alpha), (side, side)), np.int16)
    np.testing.assert_allclose(resize_picture - (255, 100, 7), 0, atol=1)


def test_colors_are_weighted_by_alpha_when_reduced() -> None:
    rgb, alpha = np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 255, np.uint8)
    rgb[:, ::2], rgb[:, 1::2] = (200, 0, 0), (0, 200, 0)
    alpha[:, 1::2] = 85
    resize_picture = np.asarray(transparency.resize_picture(picture(rgb, alpha), (8, 8)), np.int16)
    np.testing.assert_allclose(resize_picture[2:-2, 2:-2] - (150, 50, 0), 0, atol=2)


@pytest.mark.parametrize("size", [(48, 40), (120, 100), (31, 17)])
def test_hidden_colors_do_not_change_the_result(size: tuple[int, int]) -> None:
    alpha = np.zeros((100, 120), np.uint8)
    alpha[30:70, 20:90] = noise(40, 70, 1)[..., 0]
    results = []
    for seed in (1, 2):
        rgb = noise(100, 120, 3, seed)
        rgb[alpha > 0] = noise(100, 120, 3)[alpha > 0]
        results.append(np.asarray(transparency.resize_picture(picture(rgb, alpha), size)))
    np.testing.assert_array_equal(results[0], results[1])


def test_hidden_pixels_are_filled_from_visible_ones_nearby() -> None:
    rgb, alpha = np.zeros((64, 128, 3), np.uint8), np.zeros((64, 128), np.uint8)
    rgb[20:44, :30], alpha[20:44, :30] = (250, 0, 0), 255
    rgb[20:44, 98:], alpha[20:44, 98:] = (0, 0, 250), 255
    filled = np.asarray(transparency.resize_picture(picture(rgb, alpha), (128, 64)), np.int16)
    assert filled[2, 2, 0] > 150 > 50 > filled[2, 2, 2]
    assert filled[-3, -3, 2] > 150 > 50 > filled[-3, -3, 0]
    assert not filled[..., 1].any()


def test_invisible_picture_is_white() -> None:
    resize_picture = transparency.resize_picture(picture(noise(20, 20, 3), np.zeros((20, 20), np.uint8)), (30, 30))
    assert resize_picture.getcolors() == [(900, (255, 255, 255))]


@pytest.mark.parametrize("options", [{}, {"preserve_color": "luminance"}, {"preserve_color": "histogram"}])
def test_painting_of_a_cut_out_ignores_hidden_colors(options: dict[str, str]) -> None:
    alpha = Image.new("L", (100, 80), 0)
    alpha.paste(255, (30, 10, 80, 70))
    photo, style = Image.fromarray(noise(80, 100, 3)), Image.fromarray(noise(40, 40, 3, 5) // 2)
    painted = []
    for hidden in ("black", "magenta"):
        cut_out = Image.composite(photo, Image.new("RGB", photo.size, hidden), alpha)
        cut_out.putalpha(alpha)
        settings = Options(size=100, quality="draft", **options)  # type: ignore[arg-type]
        painted.append(np.asarray(stylize(cut_out, style, method="feedforward", options=settings).image))
    np.testing.assert_array_equal(painted[0], painted[1])
