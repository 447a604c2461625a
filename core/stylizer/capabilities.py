"""Limits of each painting method, and their validation on plain values.

Imports neither torch nor NumPy: the library checks a call here before it loads a method, and the service checks a
request here before it stores a job.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from stylizer.errors import OptionError
from stylizer.options import (
    ORIGINAL,
    PRESERVE_COLOR,
    SIZE_RANGE,
    STYLE_SCALE_RANGE,
    FeaturesName,
    MethodName,
    PreserveColor,
    Size,
)


class SizeLimits(NamedTuple):
    """Maximum long sides in pixels: of the output, and of a style at the requested scale."""

    size: int
    style_size: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one method supports.

    Attributes:
        sizes: Size limits by perceptual features, the default features first; the only key is None for a method that
            uses no features.
        takes_content_mask: Whether it supports `content_mask`.
        has_strokes: Whether it paints strokes, which `style_scale` scales.
        preserve_color: The choices of `preserve_color` that it supports.
    """

    sizes: Mapping[FeaturesName | None, SizeLimits]
    takes_content_mask: bool
    has_strokes: bool = True
    preserve_color: tuple[PreserveColor, ...] = PRESERVE_COLOR


_UP_TO_MAXIMUM = SizeLimits(SIZE_RANGE[1], round(SIZE_RANGE[1] * STYLE_SCALE_RANGE[1]))
METHODS: dict[MethodName, Capabilities] = {
    "neighbor": Capabilities({"compact": _UP_TO_MAXIMUM}, takes_content_mask=True),
    "feedforward": Capabilities({"compact": _UP_TO_MAXIMUM}, takes_content_mask=True),
    "optimization": Capabilities(
        {"compact": SizeLimits(2048, 4096), "vgg19": SizeLimits(1024, 2048)}, takes_content_mask=False
    ),
    "texture": Capabilities({None: SizeLimits(2048, 4096)}, takes_content_mask=True),
    # "histogram" would give the style the photo's palette, and the photo its own.
    "color": Capabilities(
        {None: _UP_TO_MAXIMUM}, takes_content_mask=False, has_strokes=False, preserve_color=("none", "luminance")
    ),
}
STROKE_METHODS: tuple[MethodName, ...] = tuple(name for name, its in METHODS.items() if its.has_strokes)
"""The methods that paint, rather than only recolor the photo."""


def validate(
    method: MethodName,
    *,
    size: Size,
    style_scale: float,
    preserve_color: PreserveColor,
    features: FeaturesName | None,
    has_content_mask: bool,
    photo_size: tuple[int, int] | None = None,
) -> FeaturesName | None:
    """Check options that are within their own ranges against the limits of a method.

    Args:
        method: A key of `METHODS`.
        size: Long side of the output, pixels, or "original".
        style_scale: Scale of the style relative to the output.
        preserve_color: How the photo's colors are kept.
        features: Perceptual features; None for the method's default.
        has_content_mask: Whether a `content_mask` is given.
        photo_size: (width, height) of the upright photo; None if unknown, and then "original" counts as supported.

    Returns:
        The features to use; None for a method that uses none.

    Raises:
        OptionError: The method does not support one of them.
    """
    sizes = METHODS[method].sizes
    features = features or next(iter(sizes))
    if features not in sizes:
        choices = [choice for choice in sizes if choice is not None]
        allowed = choices or "nothing with this method"
        words = " or ".join(choices) or allowed
        detail = f"features is {features!r}, which method {method} cannot use; allowed: {words}"
        raise OptionError(detail, field="features", allowed=allowed)
    limits = sizes[features]
    combination = f"method {method}" if len(sizes) == 1 else f"method {method} and features {features}"
    side = None if size == ORIGINAL and photo_size is None else long_side(size, photo_size or (0, 0))
    if side is not None and not SIZE_RANGE[0] <= side <= limits.size:
        within = f"{SIZE_RANGE[0]} to {limits.size} pixels with {combination}"
        raise OptionError(
            f"size is {describe_size(size, photo_size)}; it must be {within}", field="size", allowed=within
        )
    if side is not None and round(side * style_scale) > limits.style_size:
        within = f"at most {limits.style_size / side:g} at size {side} with {combination}"
        raise OptionError(f"style_scale is {style_scale:g}; allowed: {within}", field="style_scale", allowed=within)
    if style_scale != 1 and not METHODS[method].has_strokes:
        detail = f"style_scale is {style_scale:g}, and method {method} paints no strokes; leave it out, or give 1"
        raise OptionError(detail, field="style_scale", allowed="1 with this method")
    colors = METHODS[method].preserve_color
    if preserve_color not in colors:
        detail = f"preserve_color is {preserve_color!r}; method {method} allows {' or '.join(colors)}"
        raise OptionError(detail, field="preserve_color", allowed=colors)
    if has_content_mask and not METHODS[method].takes_content_mask:
        *others, last = (other for other, its in METHODS.items() if its.takes_content_mask)
        able = f"{', '.join(others)} or {last}"
        detail = f"content_mask is not supported by method {method}; leave it out, or choose method {able}"
        raise OptionError(detail, field="content_mask", allowed="nothing with this method")
    return features


def size_limits(method: MethodName, features: FeaturesName | None) -> SizeLimits:
    """Return the largest sizes of a method with `features`, None for its default."""
    sizes = METHODS[method].sizes
    return sizes[features or next(iter(sizes))]


def long_side(size: Size, photo_size: tuple[int, int]) -> int:
    """Return the long side of the output in pixels, for an upright photo of `photo_size`, (width, height)."""
    return max(photo_size) if size == ORIGINAL else size


def describe_size(size: Size, photo_size: tuple[int, int] | None, subject: str = "the photo") -> str:
    """Describe a size in an error; "original" with the size of the photo, (width, height), if it is known."""
    if size != ORIGINAL or photo_size is None:
        return str(size)
    return f"{ORIGINAL}, and {subject} is {photo_size[0]} x {photo_size[1]} pixels"


def long_side_to(size: int, width: int, height: int) -> tuple[int, int]:
    """(width, height) with `size` pixels on the long side."""
    scale = size / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def validate_output_pixels(size: int, photo_size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """Return (width, height) of the output.

    Args:
        size: Long side of the output, pixels.
        photo_size: (width, height) of the upright photo.
        max_pixels: Maximum number of pixels, as for a photo.

    Raises:
        OptionError: The output would have more.
    """
    out_size = long_side_to(size, *photo_size)
    pixels = math.prod(out_size)
    if pixels > max_pixels:
        allowed = f"at most {math.floor(size * math.sqrt(max_pixels / pixels))} for a photo of this shape"
        detail = f"size is {size}, which makes {pixels / 1e6:,.1f} megapixels of this photo; allowed: {allowed}"
        raise OptionError(detail, field="size", allowed=allowed)
    return out_size
