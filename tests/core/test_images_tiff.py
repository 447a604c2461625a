from __future__ import annotations

import struct
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from tiffs import Samples, Tags, tiff

from stylizer.errors import CorruptImage, UnsupportedImage
from stylizer.images import decode

GRAY, RGB, CMYK, CIELAB, ICCLAB = (1, 1), (2, 3), (5, 4), (8, 3), (9, 3)
HEIGHT, WIDTH = 40, 50
NO_TILES: Tags = {322: (3, (0,))}


def ramp(count: int, dtype: str) -> Samples:
    """A slope of another direction in each sample, of the whole range."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH] / 49
    light = np.stack([across, 1 - across, down, (across + down) / 2, 1 - down][:count], -1).clip(0, 1)
    kind = np.dtype(dtype)
    return (light if kind.kind == "f" else np.rint(light * np.iinfo(kind).max)).astype(kind)


def in_bytes(samples: Samples) -> npt.NDArray[Any]:
    most = 1 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max
    return samples.astype(np.float64) / most * 255


def flat(*values: float, dtype: str = "u1") -> Samples:
    return np.full((HEIGHT, WIDTH, len(values)), values, dtype)


@pytest.mark.parametrize(
    ("dtype", "predictor"),
    [
        *((dtype, n) for dtype in ("u1", "u2", "u4") for n in (1, 2)),
        *((d, n) for d in ("f2", "f4", "f8") for n in (1, 3)),
    ],
)
def test_rgb_of_every_layout_is_read(dtype: str, predictor: int) -> None:
    samples = ramp(3, dtype)
    layouts: list[dict[str, Any]] = [{}, {"planar": True}, {"tile": 16}, {"big": True}, {"planar": True, "tile": 32}]
    for order, layout in product(("<", ">"), layouts):
        data = tiff(samples, RGB[0], order=order, deflate=predictor > 1, predictor=predictor, **layout)
        picture = decode(data)
        assert picture.format == "tiff"
        np.testing.assert_allclose(picture.rgb, in_bytes(samples), atol=0.6, err_msg=f"{order} {layout}")


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize(("photometric", "count"), [GRAY, RGB])
@pytest.mark.parametrize("layout", [{}, {"planar": True, "order": ">"}, {"tile": 16, "big": True, "order": ">"}])
def test_alpha_of_every_layout_is_read(dtype: str, photometric: int, count: int, layout: dict[str, Any]) -> None:
    samples = ramp(count + 1, dtype)
    picture = decode(tiff(samples, photometric, extra=(2,), **layout))
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, in_bytes(samples)[..., -1], atol=0.6)
    np.testing.assert_allclose(
        picture.rgb, np.broadcast_to(in_bytes(samples)[..., :count], picture.rgb.shape), atol=0.6
    )


@pytest.mark.parametrize("planar", [False, True])
def test_premultiplied_16_bit_color_is_divided_by_alpha(planar: bool) -> None:
    picture = decode(tiff(flat(20000, 10000, 5000, 32768, dtype="u2"), 2, extra=(1,), planar=planar))
    np.testing.assert_allclose(picture.rgb[5, 5], np.array([20000, 10000, 5000]) / 32768 * 255, atol=1)
    assert picture.alpha is not None
    assert picture.alpha[5, 5] == 128


def test_unspecified_extra_samples_are_no_alpha() -> None:
    for dtype in ("u1", "u2"):
        picture = decode(tiff(ramp(5, dtype), 2, extra=(0, 0)))
        assert picture.alpha is None
        np.testing.assert_allclose(picture.rgb, in_bytes(ramp(3, dtype)), atol=0.6)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_white_is_zero_is_inverted(order: Literal["<", ">"], dtype: str) -> None:
    rgb = decode(tiff(ramp(1, dtype), 0, order=order)).rgb
    np.testing.assert_allclose(rgb[..., 1], 255 - in_bytes(ramp(1, dtype))[..., 0], atol=0.6)


@pytest.mark.parametrize("factor", [1, 257])
def test_color_maps_of_8_and_16_bits_are_told_apart(factor: int) -> None:
    reds, greens, blues = range(256), reversed(range(256)), [7] * 256
    colors = tuple(factor * value for channel in (reds, greens, blues) for value in channel)
    rgb = decode(tiff(flat(200), 3, tags={320: (3, colors)})).rgb
    np.testing.assert_array_equal(rgb[3, 3], (200, 55, 7))


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_cmyk_with_alpha_is_read(dtype: str, planar: bool) -> None:
    most = int(np.iinfo(dtype).max)
    picture = decode(tiff(flat(most, 0, 0, 0, most // 2, dtype=dtype), 5, extra=(2,), planar=planar))
    np.testing.assert_array_equal(picture.rgb[5, 5], (0, 255, 255))
    assert picture.alpha is not None
    assert abs(int(picture.alpha[5, 5]) - 127) <= 1


@pytest.mark.parametrize(
    ("photometric", "samples"),
    [
        (8, flat(138, 20, 236)),  # a* and b* are signed
        (8, flat(35466, 5120, 65536 - 5120, dtype="u2")),
        (9, flat(138, 148, 108)),
        (9, flat(35328, 37888, 27648, dtype="u2")),
    ],
)
def test_lab_of_8_and_16_bits_is_converted(photometric: int, samples: Samples) -> None:
    # L* 54.1, a* 20, b* -20 under D50, by the formulas of CIE 15 and the matrix of IEC 61966-2-1
    np.testing.assert_allclose(decode(tiff(samples, photometric)).rgb[5, 5], (149, 117, 164), atol=2)


@pytest.mark.parametrize("wrong", [{330: (4, (10**8,))}, {279: (3, ())}])  # a directory beyond the end; no lengths
def test_damaged_tag_costs_nothing(wrong: Tags) -> None:
    samples = ramp(3, "u2")
    np.testing.assert_allclose(decode(tiff(samples, 2, tags=wrong)).rgb, in_bytes(samples), atol=0.6)


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("f4", 0.5, 4), ("f4", -1, 3), ("i2", 500, 900), ("f4", np.nan, np.nan)]
)
def test_color_beyond_0_to_1_keeps_its_zero(dtype: str, low: float, high: float) -> None:
    samples = flat(low, low, low, dtype=dtype)
    samples[:20, :, 1:] = high
    black = min(0, low)
    expected = [255 * (value - black) / (high - black) for value in (low, high)] if low < high else [0, 0]
    rgb = decode(tiff(samples, 2)).rgb
    np.testing.assert_allclose(rgb[::39, 5, 1], expected[::-1], atol=0.6)


def test_integers_without_a_white_are_stretched() -> None:
    for dtype in ("i2", "u4", "i4"):
        samples = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 1) - (900 if dtype[0] == "i" else 0)).astype(dtype)
        rgb = decode(tiff(samples, 1)).rgb
        assert (rgb[0, 0, 0], rgb[-1, -1, 0]) == (0, 255)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [1, 3])
def test_orientation_counts_whatever_its_type(bits: int, kind: int) -> None:
    samples = ramp(3, f"u{bits // 8}")
    rgb = decode(tiff(samples, 2, tags={274: (kind, (6,))})).rgb
    np.testing.assert_allclose(rgb, np.rot90(in_bytes(samples), -1), atol=0.6)


@pytest.mark.parametrize(
    ("tags", "directories", "name"),
    [
        ({50706: (1, (1, 4, 0, 0))}, (), "DNG"),
        ({}, ({256: (3, (4000,)), 257: (3, (3000,)), 262: (3, (32803,))},), "TIFF of a sensor"),
        ({}, ({256: (3, (4000,)), 259: (3, (34713,))},), "TIFF of a sensor"),
        ({271: (1, tuple(b"NIKON CORPORATION\0"))}, ({262: (3, (32803,))},), "NEF"),
        ({271: (1, tuple(b"SONY\0"))}, ({262: (3, (32803,))},), "ARW"),
    ],
)
@pytest.mark.parametrize("big", [False, True])
def test_raw_photo_is_refused_by_name(tags: Tags, directories: tuple[Tags, ...], name: str, big: bool) -> None:
    with pytest.raises(UnsupportedImage, match=rf"the photo is a raw photo \({name}\)"):
        decode(tiff(flat(255, 255, 255), 2, tags=tags, directories=directories, big=big))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(flat(0, dtype="c8"), 1), "complex samples of 64 bits"),
        (tiff(flat(0, 0, 0, 0, dtype="f4"), 5), "CMYK with 4 floating-point samples of 32 bits"),
        (tiff(flat(0, 0, dtype="u2"), 3), "palette"),
        (tiff(flat(0, 0, 0, dtype="u2"), 10), "ITU Lab"),
        (tiff(flat(0, 0, 0), 2, tags={259: (3, (34887,))}), "compression 34887"),
        (tiff(flat(0, 0, 0), 2, planar=True, tags={259: (3, (34887,))}), "compression 34887"),
        (tiff(flat(0, dtype="u2"), 1, tags={259: (3, (34887,))}), "1 samples of 16 bits, compression 34887"),
    ],
)
def test_undecoded_kind_of_tiff_is_named(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImage, match=words):
        decode(data)


@pytest.mark.parametrize("place", [2**63, 2**64 - 1, 2**62, 2**31])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bigtiff_with_a_directory_beyond_the_end_is_corrupt(place: int, order: Literal["<", ">"]) -> None:
    mark = b"II" if order == "<" else b"MM"
    with pytest.raises(CorruptImage):
        decode(mark + struct.pack(f"{order}HHHQ", 43, 8, 0, place))


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_tiff_cut_short_is_corrupt(dtype: str) -> None:
    for data in (
        tiff(ramp(3, dtype), 2, tags={273: (4, (10**8,) * 5)}),
        tiff(ramp(3, dtype), 2, tile=16, tags=NO_TILES),
    ):
        with pytest.raises(CorruptImage):
            decode(data)
