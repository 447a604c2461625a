from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stylizer.images.colorimetry import Colorimetry

PQ, HLG, BT2020 = 16, 18, 9
REFERENCE_WHITE = 203


def pq_code(nits: float) -> int:
    """SMPTE ST 2084, as an 8-bit code."""
    power = (nits / 10_000) ** 0.1593017578125
    code: float = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return round(255 * code)


def convert(primaries: int, transfer: int, *colors: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    color_space = Colorimetry.by_codes(primaries, transfer)
    assert color_space is not None
    row = Image.fromarray(np.array([colors], np.uint8).repeat(20, 0))
    return [tuple(pixel) for pixel in np.asarray(color_space.to_srgb(row))[0].tolist()]


def srgb(light: float) -> float:
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("nits", [1, 5, 20, 60, 100, 203])
def test_pq_up_to_reference_white_keeps_its_light(nits: float) -> None:
    code = pq_code(nits)
    ((red, green, blue),) = convert(BT2020, PQ, (code, code, code))
    assert red == green == blue
    np.testing.assert_allclose(red, srgb(nits / REFERENCE_WHITE), atol=3)  # half a code of 8 bits


def test_lighter_than_white_is_rolled_off_in_order() -> None:
    codes = [pq_code(nits) for nits in (10, 50, 100, 203, 400, 700, 1000)]
    levels = [color[0] for color in convert(BT2020, PQ, *((code,) * 3 for code in codes))]
    assert levels == sorted(levels)
    assert len(set(levels)) >= len(codes) - 1
    assert levels[-1] == 255
    assert levels[0] == pytest.approx(srgb(10 / REFERENCE_WHITE), abs=3), "shadows stay"
    assert levels[3] < 250, "room is made above white"


def test_hlg_reference_white_is_white_and_gray_below() -> None:
    # BT.2408: 203 cd/m2 is 75 % of HLG, 18 % gray is 38 %.
    white, gray = convert(BT2020, HLG, (191, 191, 191), (97, 97, 97))
    np.testing.assert_allclose(white, 255, atol=3)
    np.testing.assert_allclose(gray, srgb(26 / REFERENCE_WHITE), atol=3)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_tone_mapping_keeps_hue(transfer: int) -> None:
    ((red, green, blue),) = convert(1, transfer, (200, 150, 150))
    assert red > green
    assert green == blue


@pytest.mark.parametrize(
    ("codes", "color", "expected"),
    [
        ((12, 13), (200, 100, 50), (215, 93, 31)),
        ((12, 13), (0, 255, 0), (0, 255, 0)),  # outside of sRGB
        ((9, 8), (128, 128, 128), (188, 188, 188)),
        ((1, 4), (128, 128, 128), (129, 129, 129)),
        ((9, 14), (128, 128, 128), (140, 140, 140)),  # the inverse of BT.2020's curve
    ],
)
def test_sdr_is_converted(codes: tuple[int, int], color: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(convert(*codes, color)[0], expected, atol=1)


@pytest.mark.parametrize("primaries", [1, 4, 5, 6, 7, 8, 9, 11, 12, 22])
def test_white_stays_white_for_all_primaries(primaries: int) -> None:
    np.testing.assert_allclose(convert(primaries, 8, (255, 255, 255))[0], 255, atol=1)


@pytest.mark.parametrize("codes", [(1, 13), (2, 2), (1, 1), (1, 6), (6, 6), (2, 13)])
def test_srgb_and_what_is_taken_for_it_needs_no_conversion(codes: tuple[int, int]) -> None:
    assert Colorimetry.by_codes(*codes) is None


@pytest.mark.parametrize("codes", [(3, 13), (0, 13), (1, 3), (1, 9), (99, 1), (10, 13)])
def test_reserved_codes_are_a_value_error(codes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not known"):
        Colorimetry.by_codes(*codes)


def test_chromaticities_of_no_color_space_are_a_value_error() -> None:
    for points in ([0.0] * 8, [0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3]):
        with pytest.raises(ValueError, match=r"primaries|chromaticities"):
            Colorimetry.by_chromaticities(points, 0.45)
    with pytest.raises(ValueError, match="exponent"):
        Colorimetry.by_chromaticities([0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06], 100)
