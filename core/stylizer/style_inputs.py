"""Styles as they are given to `stylize`: their weights and masks, and their pictures at the size of a painting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from stylizer import capabilities, color, images, methods, style_cache, styles, transparency
from stylizer.errors import OptionError, UnknownStyle
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.images import Decoder, ImageSource, Limits, Picture
from stylizer.options import MAX_STYLES, Options, check_weight
from stylizer.tensors import to_tensor


class WeightedStyle(NamedTuple):
    """One of several styles.

    Attributes:
        style: The id of a style, or a picture.
        weight: Relative weight > 0, among the styles that paint the same place.
        mask: Where this style paints: white here, black elsewhere, soft edges honored. Of the photo's shape. None for
            wherever no mask is white.
    """

    style: ImageSource
    weight: float = 1.0
    mask: ImageSource | None = None


WeightedStyles = Sequence[tuple[ImageSource, float] | tuple[ImageSource, float, ImageSource | None]]


def weighted_styles(style: ImageSource | WeightedStyles) -> list[WeightedStyle]:
    """Return the styles with their weights and masks, validated."""
    entries = list(style) if isinstance(style, Sequence) and not isinstance(style, str | bytes) else [(style, 1.0)]
    if not 1 <= len(entries) <= MAX_STYLES:
        allowed = f"1 to {MAX_STYLES} styles"
        raise OptionError(f"{len(entries)} styles are given; allowed: {allowed}", field="style", allowed=allowed)
    for entry in entries:
        _validate_weighted_style(entry)
    return [WeightedStyle(*entry) for entry in entries]


def _validate_weighted_style(entry: object) -> None:
    """Raise an OptionError unless `entry` is a WeightedStyle: passing a list of styles is a common mistake."""
    if not (isinstance(entry, Sequence) and len(entry) in (2, 3) and not isinstance(entry, str | bytes)):
        allowed = "pairs of a style and its weight, or triples with a mask"
        raise OptionError(f"style is a list with {entry!r}; it must hold {allowed}", field="style", allowed=allowed)
    check_weight(entry[1])


def _normalize_weights(weighted: Sequence[WeightedStyle]) -> list[tuple[ImageSource, float]]:
    """Return the styles with shares: 1 for a style with a mask; those of the others sum to 1."""
    unmasked = [weight for _, weight, mask in weighted if mask is None]
    largest = max(unmasked, default=1.0)
    total = sum(weight / largest for weight in unmasked)
    return [(source, weight / largest / total if mask is None else 1.0) for source, weight, mask in weighted]


def load_rgb(picture: Picture, size: tuple[int, int], device: torch.device) -> Tensor:
    """Resize the colors of `picture` to `size` (width, height), ignoring transparent pixels: (1, 3, H, W)."""
    return to_tensor(transparency.resize_picture(picture, size), device)


def load_styles(
    weighted: Sequence[WeightedStyle],
    photo: Tensor,
    size: int,
    options: Options,
    limits: Limits,
    method: methods.Method,
    decoder: Decoder,
) -> Iterator[methods.StyleInput]:
    """Yield the styles for an output of long side `size`, in the photo's palette for preserve_color "histogram"."""
    side = max(16, round(min(size, method.MAX_STYLE_SIDE) * options.style_scale))
    max_upscaled_side = max(16, round(min(size, method.MAX_UPSCALED_STYLE_SIDE) * options.style_scale))
    photo_palette = color.Palette.from_image(photo[0]) if options.preserve_color == "histogram" else None
    for source, share in _normalize_weights(weighted):
        file, known = _resolve_style(source)
        picture = partial(load_style, file, side, photo_palette, limits, photo.device, decoder, max_upscaled_side)
        if known is None or known.statistics is None or photo_palette is not None:
            yield methods.StyleInput(picture, share)
        else:
            finest = styles.STATISTICS_SIDE * options.style_scale
            statistics = partial(_cached_statistics, known.statistics, side, finest, photo.device)
            yield methods.StyleInput(
                picture, share, statistics, partial(_cached_colors, known.statistics, photo.device)
            )


def _cached_statistics(
    file: Path, side: int, finest: float, device: torch.device, part: float
) -> StyleStatistics | None:
    return style_cache.statistics_at(file, side * part, finest=finest, device=device)


def _cached_colors(file: Path, device: torch.device) -> Tensor:
    """Read the cached palette of a style as a picture of one row, (3, 1, N), sRGB in [0, 1]."""
    return style_cache.read_palette(file).T[:, None].to(device).float() / 255


def load_style(
    file: ImageSource,
    side: int,
    palette: color.Palette | None,
    limits: Limits,
    device: torch.device,
    decoder: Decoder = images,
    max_upscaled_side: int | None = None,
) -> Tensor:
    """Load a style's picture, (1, 3, h, w), sRGB in [0, 1].

    Args:
        file: The picture.
        side: Long side of the result in pixels.
        palette: Palette to recolor the picture to, if any.
        limits: Limits on input pictures.
        device: Device of the result.
        decoder: Decoder of the picture.
        max_upscaled_side: Long side up to which a smaller picture is upscaled; by default `side`.
    """
    picture = decoder.decode(file, limits=limits, field="style")
    height, width = picture.rgb.shape[:2]
    paper = Picture(transparency.composite_on_white(picture.rgb, picture.alpha), None, picture.format)
    side = side if max_upscaled_side is None else min(side, max(max_upscaled_side, height, width))
    style = load_rgb(paper, capabilities.long_side_to(side, width, height), device)
    return style if palette is None else color.match_distribution(style[0], palette)[None]


def _resolve_style(source: ImageSource) -> tuple[ImageSource, styles.Style | None]:
    """Resolve a string to a style or, if there is none of that id, to a file.

    Returns:
        The picture, and the style if it is one.

    Raises:
        UnknownStyle: There is neither a style nor a file of that name.
    """
    if not isinstance(source, str):
        return source, None
    known = styles.find(source)
    if known is not None:
        return known.swatch, known
    if not Path(source).exists():
        names = [*styles.catalog(), *styles.user_styles()]
        detail = f"style is {source!r}, which is neither a file nor one of {', '.join(names)}"
        raise UnknownStyle(detail, field="style", allowed=names)
    return source, None
