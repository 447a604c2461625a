from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch

from stylizer import Options, stylize
from stylizer.errors import OptionError
from stylizer.images import ImageSource, decode, decode_mask


def noise(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3)])
@pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "f8"])
def test_array_of_gray_or_rgb_is_a_picture(shape: tuple[int, ...], dtype: str) -> None:
    pixels = noise(*shape)
    source = pixels if dtype == "u1" else (pixels / 255).astype(dtype)
    picture = decode(source)
    assert (picture.format, picture.alpha) == ("memory", None)
    expected = np.broadcast_to(pixels.reshape(20, 30, -1), (20, 30, 3))
    np.testing.assert_allclose(picture.rgb, expected, atol=1 if dtype == "f2" else 0)


@pytest.mark.parametrize("channels", [2, 4])
def test_last_of_two_or_four_channels_is_alpha(channels: int) -> None:
    pixels = noise(20, 30, channels)
    picture = decode(pixels)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, pixels[..., -1])
    np.testing.assert_array_equal(picture.rgb[..., 0], pixels[..., 0])


def test_array_need_not_be_contiguous() -> None:
    pixels = noise(40, 60, 4)[::-2, ::2, :3]
    np.testing.assert_array_equal(decode(pixels).rgb, pixels)


def test_tensor_of_the_shape_of_an_array_is_a_picture() -> None:
    pixels = noise(20, 30, 3)
    np.testing.assert_array_equal(decode(cast("ImageSource", torch.from_numpy(pixels))).rgb, pixels)


def test_array_is_taken_as_a_mask() -> None:
    mask = noise(20, 30)
    np.testing.assert_array_equal(decode_mask(mask, shape=(20, 30)), mask)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "the photo is of type NoneType; it must be bytes, a path, an open binary file"),
        ({}, "of type dict"),
        (3, "of type int"),
        ([[1, 2], [3, 4]], "of type list"),
        (np.float32(3), "of type float32"),
        (torch.zeros(3, 20, 30), r"an array of shape \(3, 20, 30\)"),
        (torch.zeros(1, 20, 30, 3), r"an array of shape \(1, 20, 30, 3\)"),
        (torch.zeros(20, 30, 3, requires_grad=True), "that cannot be read as an array"),
        (np.zeros((20, 30, 5), np.uint8), r"an array of shape \(20, 30, 5\)"),
        (np.zeros((0, 30, 3), np.uint8), r"an array of shape \(0, 30, 3\)"),
        (np.zeros(20, np.uint8), r"an array of shape \(20,\)"),
        (np.zeros((20, 30), np.int64), "an array of int64"),
        (np.zeros((20, 30), bool), "an array of bool"),
        (np.full((20, 30), 1.5), "an array of floats from 1.5 to 1.5"),
        (np.full((20, 30), np.nan), "an array of floats from nan to nan"),
    ],
)
def test_anything_else_is_an_option_error_that_names_it(source: Any, words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        decode(source)
    assert caught.value.field == "content"


@pytest.mark.parametrize("field", ["content", "style", "mask", "content_mask"])
def test_stylize_names_the_argument_that_is_no_picture(field: str) -> None:
    arguments: dict[str, Any] = {"content": noise(40, 40, 3), "style": noise(40, 40, 3), "method": "texture"}
    with pytest.raises(OptionError) as caught:
        stylize(**(arguments | {field: torch.zeros(3, 40, 40)}), options=Options(size=64, quality="draft"))
    assert caught.value.field == field


def test_arrays_are_painted() -> None:
    painting = stylize(noise(48, 64, 3), noise(32, 32), method="feedforward", options=Options(size=64, quality="draft"))
    assert painting.image.size == (64, 48)
