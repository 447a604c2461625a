from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stylizer.capabilities import long_side_to
from stylizer.tensors import as_bytes, as_floats, to_image, to_tensor


def test_a_picture_becomes_channels_first_between_0_and_1() -> None:
    picture = Image.new("RGB", (3, 2), (255, 0, 51))
    picture.putpixel((2, 1), (0, 102, 255))
    tensor = to_tensor(picture)
    assert tensor.shape == (1, 3, 2, 3)
    assert tensor.dtype == torch.float32
    torch.testing.assert_close(tensor[0, :, 0, 0], torch.tensor([1.0, 0.0, 0.2]))
    torch.testing.assert_close(tensor[0, :, 1, 2], torch.tensor([0.0, 0.4, 1.0]))
    assert to_tensor(Image.new("L", (3, 2), 255)).shape == (1, 1, 2, 3)


def test_values_are_rounded_to_the_nearest_and_clamped() -> None:
    values = torch.tensor([-3.0, 0.4 / 255, 0.6 / 255, 127.4 / 255, 127.6 / 255, 254.6 / 255, 7.0])
    image = to_image(values.expand(1, 3, 1, 7))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255, 255]


@given(size=st.integers(64, 8192), width=st.integers(1, 10_000), height=st.integers(1, 10_000))
def test_long_side_is_exact_and_short_side_within_half_a_pixel(size: int, width: int, height: int) -> None:
    new_width, new_height = long_side_to(size, width, height)
    assert max(new_width, new_height) == size
    short = size * min(width, height) / max(width, height)
    assert min(new_width, new_height) == pytest.approx(max(1, short), abs=0.5 + 1e-9)


def test_bytes_and_floats_convert_into_each_other_and_stay() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    floats = as_floats(values)
    assert floats.dtype == torch.float32
    torch.testing.assert_close(floats, torch.linspace(0, 1, 256))
    assert torch.equal(as_bytes(floats), values)
    assert as_bytes(torch.tensor([-1.0, 0.4 / 255, 0.6 / 255, 2.0])).tolist() == [0, 0, 1, 255]
    assert as_floats(floats) is floats
    assert as_bytes(values) is values
