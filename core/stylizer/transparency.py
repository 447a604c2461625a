"""Resizing pictures with alpha, without influence of invisible pixels on visible ones.

Colors are resampled with premultiplied alpha (Porter & Duff 1984), which avoids fringes at the edges of cut-outs. Fully
transparent areas are filled from the nearest visible colors by push-pull (Gortler et al., "The Lumigraph", SIGGRAPH
1996, section 3.3), so that statistics of the whole picture reflect its visible part only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylizer.images import Picture

Floats = npt.NDArray[np.float32]

BAND_ROWS = 256  # rows of the result resampled at once
MIN_ALPHA = 0.25 / 255  # below it colors are quotients of rounding errors; 0.5 / 255 is rounded to visible
_SUPPORT = 3  # radius of the Lanczos kernel, in pixels of the coarser of both pictures
WHITE = 255


def resize_picture(picture: Picture, size: tuple[int, int]) -> Image.Image:
    """Resize the colors of a picture to `size` (width, height): an "RGB" image."""
    if picture.alpha is None:
        return Image.fromarray(picture.rgb).resize(size, Image.Resampling.LANCZOS)
    if not picture.alpha.any():
        return Image.new("RGB", size, (WHITE, WHITE, WHITE))
    weighted, weight = _resample_weighted(picture.rgb, picture.alpha, size)
    is_visible = weight > MIN_ALPHA
    colors = np.divide(weighted, weight[..., None], where=is_visible[..., None], out=np.zeros_like(weighted))
    np.clip(colors, 0, 255, out=colors)
    if not is_visible.all():
        filled = _push_pull(colors, np.where(is_visible, weight.clip(0, 1), 0))
        colors = np.where(is_visible[..., None], colors, filled)
    return Image.fromarray(np.rint(colors).astype(np.uint8))


def composite_on_white(rgb: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8]:
    """Composite colors (h, w, 3) with their alpha (h, w), 0-255, on white."""
    if alpha is None:
        return rgb
    paper = Image.new("RGB", rgb.shape[1::-1], "white")
    paper.paste(Image.fromarray(rgb), mask=Image.fromarray(alpha))
    return np.asarray(paper)


def _resample_weighted(
    rgb: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8], size: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Resample premultiplied colors (h, w, 3), 0-255, and alpha (h, w), 0-1, in bands to bound memory."""
    width, height = size
    source_height, source_width = alpha.shape
    scale = source_height / height
    margin = math.ceil(_SUPPORT * max(1.0, scale)) + 1
    weighted, weight = np.empty((height, width, 3), np.float32), np.empty((height, width), np.float32)
    for top in range(0, height, BAND_ROWS):
        bottom = min(top + BAND_ROWS, height)
        first = max(0, math.floor(top * scale) - margin)
        last = min(source_height, math.ceil(bottom * scale) + margin)
        box = (0.0, top * scale - first, float(source_width), bottom * scale - first)
        part = alpha[first:last].astype(np.float32) / np.float32(255)

        def resample(
            plane: npt.NDArray[Any], box: tuple[float, float, float, float] = box, rows: int = bottom - top
        ) -> Floats:
            image = Image.fromarray(plane).resize((width, rows), Image.Resampling.LANCZOS, box)
            return np.asarray(image)

        weight[top:bottom] = resample(part)
        for channel in range(3):
            weighted[top:bottom, :, channel] = resample(rgb[first:last, :, channel] * part)
    return weighted, weight


def _push_pull(colors: Floats, weight: Floats) -> Floats:
    """Fill in `colors` (h, w, 3) where `weight` (h, w), 0-1, is 0.

    Push: halve the picture, averaging colors by weight, down to one pixel. Pull: on the way back, pixels without weight
    take the color of the coarser level.
    """
    height, width = weight.shape
    if height == 1 and width == 1:
        return colors
    even = ((0, height % 2), (0, width % 2))
    padded = np.pad(colors * weight[..., None], (*even, (0, 0)))
    weights = np.pad(weight, even)
    sums = padded.reshape(-(-height // 2), 2, -(-width // 2), 2, 3).sum((1, 3))
    totals = weights.reshape(-(-height // 2), 2, -(-width // 2), 2).sum((1, 3))
    coarse = np.divide(sums, totals[..., None], where=totals[..., None] > 0, out=np.zeros_like(sums))
    coarse = _push_pull(coarse, np.minimum(totals, 1))
    blurred = [
        np.asarray(Image.fromarray(np.ascontiguousarray(coarse[..., channel])).resize((width, height), _BILINEAR))
        for channel in range(3)
    ]
    return np.where(weight[..., None] > 0, colors, np.stack(blurred, -1))


_BILINEAR = Image.Resampling.BILINEAR
