"""Conversion of a TIFF's sample bytes to 8-bit color and alpha."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from stylizer.images import tiff as tags
from stylizer.images.colorimetry import lab_to_srgb
from stylizer.images.tiff import Tiff

Samples = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

BAND = 256  # rows converted at a time
_KINDS = {tags.UNSIGNED: "u", tags.SIGNED: "i", tags.FLOAT: "f", 4: "u"}


def decode(tiff: Tiff) -> tuple[Image.Image, Image.Image | None]:
    """Unpack the image.

    Returns:
        Color of mode L, RGB or CMYK, and alpha of mode L, if any.
    """
    planes = [_plane(tiff, data, together) for data, together in tags.byte_planes(tiff)]
    height, width = planes[0].shape[:2]
    count, photometric = tiff.color_samples, tiff.number(tags.PHOTOMETRIC, tags.BLACK_IS_ZERO)
    is_lab = photometric in (tags.CIELAB, tags.ICCLAB)
    to_unit = _range_of(tiff, [plane[..., :count] for plane in planes[:count]])
    alpha_to_unit = _range_of(tiff, [planes[-1]], is_alpha=True) if tiff.alpha in (1, 2) else None
    color = np.empty((height, width, count), np.uint8)
    alpha = None if alpha_to_unit is None else np.empty((height, width), np.uint8)
    for top in range(0, height, BAND):
        rows = slice(top, top + BAND)
        band = np.concatenate([plane[rows] for plane in planes], -1) if len(planes) > 1 else planes[0][rows]
        samples = band[..., :count]
        values = _lab(samples, is_signed=photometric == tags.CIELAB) if is_lab else to_unit(samples)
        if alpha is not None and alpha_to_unit is not None:
            transparency = alpha_to_unit(band[..., count])
            if tiff.alpha == 1 and not is_lab:
                weight = transparency[..., None]
                values = np.divide(values, weight, out=np.zeros_like(values), where=weight > 0).clip(0, 1)
            alpha[rows] = _to_bytes(transparency)
        color[rows] = _to_bytes(1 - values if photometric == tags.WHITE_IS_ZERO else values)
    image = Image.fromarray(color[..., 0] if count == 1 else color, "CMYK" if count == 4 else None)
    return image, None if alpha is None else Image.fromarray(alpha)


def _plane(tiff: Tiff, data: bytes, together: int) -> Samples:
    """Return the samples (h, w, together) of one plane, in native byte order."""
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    image.load()
    rows = np.array(image)
    del image
    kind = _KINDS[tiff.number(tags.SAMPLE_FORMAT, tags.UNSIGNED)]
    size = tiff.bits // 8
    predictor = tiff.number(tags.PREDICTOR, 1)
    tile = tiff.number(tags.TILE_WIDTH, 0) if tags.TILE_OFFSETS in tiff.tags else tags.row_pixels(tiff)
    if predictor == 3:
        samples = _undo_float_predictor(rows, tile, together, size).view(f"{kind}{size}")
    else:
        samples = rows.view(f"{tiff.order}u{size}").astype(f"=u{size}", copy=False)
        if predictor == 2:
            shaped = samples.reshape(len(samples), -1, tile, together)
            np.cumsum(shaped, axis=2, dtype=samples.dtype, out=shaped)
        samples = samples.view(f"=f{size}" if kind == "f" else f"={kind}{size}")
    return samples.reshape(len(samples), -1, together)[:, : tiff.number(tags.WIDTH, 0)]


def _undo_float_predictor(rows: npt.NDArray[np.uint8], tile: int, together: int, size: int) -> npt.NDArray[np.uint8]:
    """Undo predictor 3 (Adobe Photoshop TIFF Technical Note 3): each row's bytes by significance, then differenced."""
    height = len(rows)
    shaped = rows.reshape(height, -1, tile * size, together)
    sums = np.cumsum(shaped, axis=2, dtype=np.uint8)
    planes = sums.reshape(height, -1, size, tile * together)
    values = planes[:, :, ::-1] if sys.byteorder == "little" else planes
    return np.ascontiguousarray(values.swapaxes(2, 3)).reshape(height, -1)


def _range_of(tiff: Tiff, parts: list[Samples], *, is_alpha: bool = False) -> Callable[[Samples], Floats]:
    """Return the mapping of samples to [0, 1], from black to white or from transparent to opaque.

    Unsigned samples of 8 and 16 bits, 32-bit color (not gray) and alpha have a defined white: the maximum value. Floats
    within 0-1 do by convention; all others are stretched from their minimum to their maximum.
    """
    kind = _KINDS[tiff.number(tags.SAMPLE_FORMAT, tags.UNSIGNED)]
    if kind != "f" and is_alpha:
        black, white = 0.0, 2.0 ** (tiff.bits - (kind == "i")) - 1
    elif kind == "u" and (tiff.bits <= 16 or tiff.color_samples > 1):
        black, white = 0.0, 2.0**tiff.bits - 1
    else:
        bounds = [_finite_bounds(part) for part in parts]
        black, white = min(low for low, _ in bounds), max(high for _, high in bounds)
        if kind == "f" and 0 <= black <= white <= 1:
            black, white = 0.0, 1.0
        elif is_alpha or tiff.color_samples > 1:
            black = min(0.0, black)
    span = (white - black) or 1.0
    # Float32 represents integers of up to 24 bits exactly.
    is_exact = tiff.bits <= 16 or (kind == "f" and tiff.bits == 32)

    def to_unit(samples: Samples) -> Floats:
        exact: Samples = samples.astype(np.float32 if is_exact else np.float64)
        exact = (exact - black) / span  # Python floats preserve the dtype
        unit: Floats = np.nan_to_num(exact.astype(np.float32), copy=False, nan=0, posinf=1, neginf=0).clip(0, 1)
        return unit

    return to_unit


def _finite_bounds(samples: Samples) -> tuple[float, float]:
    """Return the minimum and the maximum of the finite values."""
    low, high = np.inf, -np.inf
    for top in range(0, len(samples), BAND):
        band = samples[top : top + BAND]
        if band.dtype.kind == "f":
            band = band[np.isfinite(band)]
        if band.size:
            low, high = min(low, float(band.min())), max(high, float(band.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _lab(samples: Samples, *, is_signed: bool) -> Floats:
    """Convert CIE L*a*b* as TIFF 6.0, section 23, or as ICC profiles store it, to sRGB in [0, 1]."""
    wide = samples.dtype.itemsize == 2
    values = samples.astype(np.float32)
    if is_signed:
        chroma = samples[..., 1:].view(samples.dtype.str.replace("u", "i")).astype(np.float32)
        lightness = values[..., :1] * (100 / (65535 if wide else 255))
        lab = np.concatenate([lightness, chroma / (256 if wide else 1)], -1)
    else:
        lightness = values[..., :1] * (100 / (65280 if wide else 255))
        lab = np.concatenate([lightness, values[..., 1:] / (256 if wide else 1) - 128], -1)
    return lab_to_srgb(lab)


def _to_bytes(values: Floats) -> npt.NDArray[np.uint8]:
    return np.rint(values * 255).astype(np.uint8)
