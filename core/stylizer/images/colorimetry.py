"""Conversion to sRGB from color spaces described by numbers rather than by an ICC profile.

Primaries and transfer characteristics are those of ITU-T H.273 (CICP), as in PNG's cICP and HEIF's nclx, or the
chromaticities and the exponent of PNG's cHRM and gAMA. PQ and HLG (ITU-R BT.2100) are tone-mapped: 203 cd/m2, the
reference white of ITU-R BT.2408, maps to white, and highlights above it are rolled off by the EETF of ITU-R BT.2390-10
(section 5.4.1), from the content's own peak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

WHITE_NITS = 203.0  # HDR reference white, BT.2408
HLG_PEAK_NITS = 1000.0  # nominal, BT.2100
PQ_PEAK_NITS = 10_000.0
PEAK_PERCENTILE = 99.9  # so that a few specular highlights do not darken the whole image
PEAK_SAMPLES = 1_000_000  # pixels sampled for the peak
MOST_LIGHT = PQ_PEAK_NITS / WHITE_NITS
BAND = 256  # rows converted at a time

_D65 = (0.3127, 0.3290)
_DCI = (0.314, 0.351)
_C = (0.310, 0.316)
# White, red, green, blue: (x, y) each. H.273, table 2.
_PRIMARIES: dict[int, tuple[tuple[float, float], ...]] = {
    1: (_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    4: (_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    8: (_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: (_DCI, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: (_D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
_UNSPECIFIED, _BT709 = 2, 1
_SRGB, _PQ, _HLG = 13, 16, 18
_CAMERA_CURVES = (1, 6, 14, 15)  # BT.709, BT.601, and BT.2020 with 10 and 12 bits: the same curve
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_HLG_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)


def _srgb(code: Matrix) -> Matrix:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _bt709(code: Matrix) -> Matrix:
    return np.where(code < 0.081, code / 4.5, ((code + 0.099) / 1.099) ** (1 / 0.45))


def _smpte240(code: Matrix) -> Matrix:
    return np.where(code < 0.0913, code / 4.0, ((code + 0.1115) / 1.1115) ** (1 / 0.45))


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128


def _pq(code: Matrix) -> Matrix:
    """Return linear light as a multiple of `WHITE_NITS` for a PQ code (SMPTE ST 2084)."""
    root = code ** (1 / _M2)
    return PQ_PEAK_NITS / WHITE_NITS * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


def _to_pq(light: Matrix) -> Matrix:
    """Inverse of `_pq`."""
    power = (light * WHITE_NITS / PQ_PEAK_NITS) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _hlg(code: Matrix) -> Matrix:
    """Return scene light in [0, 1] for an HLG code (BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


def _power(exponent: float) -> Callable[[Matrix], Matrix]:
    return lambda code: code**exponent


_TRANSFERS: dict[int, Callable[[Matrix], Matrix]] = {
    **dict.fromkeys((*_CAMERA_CURVES, 11), _bt709),
    4: _power(2.2),
    5: _power(2.8),
    7: _smpte240,
    8: _power(1.0),
    _SRGB: _srgb,
    _PQ: _pq,
    17: lambda code: code**2.6 * 52.37 / 48,
    _HLG: _hlg,
}


@dataclass(frozen=True, slots=True, eq=False)
class Colorimetry:
    """An RGB color space.

    Attributes:
        to_light: From code values in [0, 1] to linear light; 1 is white.
        matrix: (3, 3), from its linear RGB to linear sRGB.
        range: "PQ" or "HLG" where values may exceed white, else "SDR".
        is_full_range: Whether codes use the full range, rather than 16 to 235 (at 8 bits).
    """

    to_light: Callable[[Matrix], Matrix]
    matrix: Matrix
    range: Literal["SDR", "PQ", "HLG"] = "SDR"
    is_full_range: bool = True

    @classmethod
    def by_codes(cls, primaries: int, transfer: int, *, is_full_range: bool = True) -> Self | None:
        """Return the color space of CICP code points; None for sRGB and its equivalents.

        BT.709 and BT.601 with their camera curve count as sRGB: encoders write them by default, and no viewer converts
        them.

        Raises:
            ValueError: Reserved codes, or codes unsuitable for images (logarithmic curves, XYZ).
        """
        primaries = _BT709 if primaries == _UNSPECIFIED else primaries
        transfer = _SRGB if transfer == _UNSPECIFIED else transfer
        if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
            raise ValueError(f"color primaries {primaries} and transfer characteristics {transfer} are not known")
        if primaries in (_BT709, 5, 6) and transfer in (_SRGB, *_CAMERA_CURVES) and is_full_range:
            return None
        kind: Literal["SDR", "PQ", "HLG"] = "PQ" if transfer == _PQ else "HLG" if transfer == _HLG else "SDR"
        return cls(_TRANSFERS[transfer], _to_srgb_primaries(_PRIMARIES[primaries]), kind, is_full_range)

    @classmethod
    def by_chromaticities(cls, points: Sequence[float], gamma: float | None) -> Self:
        """Return the color space of PNG's cHRM and gAMA.

        Args:
            points: x and y of white, red, green and blue.
            gamma: Encoding exponent, such as 0.45; None for the sRGB curve.

        Raises:
            ValueError: The numbers describe no color space.
        """
        pairs = tuple((points[at], points[at + 1]) for at in range(0, 8, 2))
        if gamma is not None and not 0.05 <= gamma <= 10:
            raise ValueError(f"an exponent of {gamma} describes no picture")
        return cls(_srgb if gamma is None else _power(1 / gamma), _to_srgb_primaries(pairs))

    def to_srgb(self, image: Image.Image) -> Image.Image:
        """Convert an 8-bit RGB or gray image."""
        codes = np.asarray(image.convert("RGB"))
        result = np.empty_like(codes)
        table = self._table()
        tone = None if self.range == "SDR" else _ToneCurve(self._peak(codes, table))
        matrix = self.matrix.astype(np.float32).T
        for top in range(0, len(codes), BAND):
            rows = slice(top, top + BAND)
            light = self._light(codes[rows], table)
            if tone is not None:
                tone.apply(light)
            np.take(_ENCODED, _index(light @ matrix), out=result[rows])
        return Image.fromarray(result)

    def _table(self) -> Floats:
        codes = np.arange(256) / 255 if self.is_full_range else (np.arange(256) - 16) / 219
        return self.to_light(codes.clip(0, 1)).astype(np.float32)

    def _light(self, codes: Bytes, table: Floats) -> Floats:
        """Return linear light for codes (..., 3); 1 is white."""
        light = table[codes]
        if self.range == "HLG":  # the OOTF of BT.2100 for a display with the nominal peak
            light *= (HLG_PEAK_NITS / WHITE_NITS) * ((light @ _HLG_LUMA) ** np.float32(0.2))[..., None]
        return light

    def _peak(self, codes: Bytes, table: Floats) -> float:
        """Return the peak channel value without outliers, as a multiple of white; at least 1."""
        step = max(1, round((codes.size / 3 / PEAK_SAMPLES) ** 0.5))
        most = self._light(codes[::step, ::step], table).max(-1)
        return max(1.0, float(np.percentile(most, PEAK_PERCENTILE)))


class _ToneCurve:
    """The EETF of BT.2390 for a display whose peak is white; it preserves the ratios between channels.

    Args:
        peak: Peak of the content as a multiple of white.
    """

    def __init__(self, peak: float):
        steps = np.linspace(0, 1, 4096)
        source_peak, target = float(_to_pq(np.array(peak))), float(_to_pq(np.array(1.0)))
        codes = (steps / source_peak).clip(0, 1)
        most = min(1.0, target / source_peak)
        knee = 1.5 * most - 0.5
        t = ((codes - knee) / max(1 - knee, 1e-6)).clip(0, 1)
        spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
        mapped = np.where(codes < knee, codes, spline) * source_peak
        light = np.linspace(0, MOST_LIGHT, _LEVELS + 1)
        self._gain = (np.interp(light, _pq(steps), _pq(mapped)) / np.maximum(light, 1e-9)).astype(np.float32)
        self._gain[0] = self._gain[1]

    def apply(self, light: Floats) -> None:
        """Map linear light (..., 3) in place."""
        level = light.max(-1) * np.float32(_LEVELS / MOST_LIGHT)
        light *= self._gain[np.minimum(level, _LEVELS).astype(np.uint16)][..., None]


def _to_xyz(points: Sequence[tuple[float, float]]) -> Matrix:
    """Return the matrix from linear RGB to XYZ for the chromaticities of white, red, green and blue."""
    if any(not 0 < y <= 1 for _, y in points):
        raise ValueError("chromaticities outside of the diagram")
    white, *primaries = (np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in points)
    columns = np.stack(primaries, 1)
    if abs(np.linalg.det(columns)) < 1e-6:
        raise ValueError("primaries on one line")
    return columns * np.linalg.solve(columns, white)


def _to_srgb_primaries(points: Sequence[tuple[float, float]]) -> Matrix:
    """Return the matrix from linear RGB to linear sRGB, with Bradford chromatic adaptation for other white points."""
    to_xyz = _to_xyz(points)
    adapt = np.eye(3)
    if max(abs(a - b) for a, b in zip(points[0], _D65, strict=True)) > 1e-3:
        ours, srgb = (_BRADFORD @ np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in (points[0], _D65))
        adapt = np.linalg.inv(_BRADFORD) @ np.diag(srgb / ours) @ _BRADFORD
    matrix: Matrix = np.linalg.inv(_to_xyz(_PRIMARIES[_BT709])) @ adapt @ to_xyz
    return matrix


_LEVELS = 2**16 - 1


def _index(light: Floats) -> npt.NDArray[np.uint16]:
    light *= _LEVELS
    np.clip(light, 0, _LEVELS, out=light)
    return np.rint(light, out=light).astype(np.uint16)


def _encoding() -> Bytes:
    """Return the 8-bit sRGB code for each of 65,536 levels of linear light."""
    light = np.arange(_LEVELS + 1) / _LEVELS
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    encoded: Bytes = np.rint(code * 255).astype(np.uint8)
    return encoded


_ENCODED = _encoding()

_D50 = (0.3457, 0.3585)


def lab_to_srgb(lab: Floats) -> Floats:
    """Convert CIE L*a*b* (..., 3) with white point D50 to sRGB in [0, 1]."""
    f = np.empty_like(lab)
    f[..., 1] = (lab[..., 0] + 16) / 116
    f[..., 0] = f[..., 1] + lab[..., 1] / 500
    f[..., 2] = f[..., 1] - lab[..., 2] / 200
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    white = np.array([_D50[0] / _D50[1], 1.0, (1 - sum(_D50)) / _D50[1]])
    srgb_white = np.array([_D65[0] / _D65[1], 1.0, (1 - sum(_D65)) / _D65[1]])
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ srgb_white) / (_BRADFORD @ white)) @ _BRADFORD
    matrix = np.linalg.inv(_to_xyz(_PRIMARIES[_BT709])) @ adapt @ np.diag(white)
    light = (xyz @ matrix.T.astype(np.float32)).clip(0, 1)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(code, np.float32)
