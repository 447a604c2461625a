from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from stylizer.strips import STRIP_PIXELS, strips


@given(
    height=st.integers(1, 9000),
    width=st.integers(1, 9000),
    reach=st.sampled_from([16, 56, 80]),
)
def test_strips_cover_every_row_once_and_see_as_far_as_they_must(height: int, width: int, reach: int) -> None:
    cut = strips(height, width, reach=reach)
    assert [strip.begin for strip in cut] == [0, *(strip.end for strip in cut[:-1])]
    assert cut[-1].end == height
    for strip in cut:
        assert strip.begin % reach == 0
        assert strip.context_begin == max(0, strip.begin - reach)
        assert strip.context_end == min(height, strip.end + reach)
        assert len(cut) == 1 or strip.end - strip.begin >= reach
        assert (strip.end - strip.begin - 1.5 * reach) * width <= 1.5 * STRIP_PIXELS


def test_a_strips_own_features_are_those_of_its_rows() -> None:
    image = torch.arange(400.0).view(1, 1, 400, 1).expand(1, 1, 400, 4000)
    for strip in strips(400, 4000, reach=16):
        seen = strip.extract(image)
        for stride in (1, 8):
            features = seen[:, :, ::stride]
            assert torch.equal(strip.crop(features, stride), strip.view(image)[:, :, ::stride])
