"""The public entry point `stylize`: everything that all methods share."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylizer import capabilities, color, compute, images, methods, style_cache, styles, transparency
from stylizer.errors import OptionError, OutOfMemory, UnknownStyle
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.images import (
    DEFAULT_LIMITS,
    Decoder,
    ImageSource,
    Limits,
    Picture,
    encode,
)
from stylizer.options import (
    DEFAULT_FORMAT_QUALITY,
    DEFAULT_METHOD,
    MAX_STYLES,
    METHOD_NAMES,
    FeaturesName,
    Format,
    MethodName,
    Options,
    check_choice,
    check_weight,
)
from stylizer.output import format_from_suffix, write_atomically
from stylizer.progress import OnProgress, Progress
from stylizer.regions import RegionMasks, Regions
from stylizer.synthesis.pyramid import resize
from stylizer.synthesis.temporal import TemporalHints
from stylizer.tensors import to_image, to_tensor

BAND_ROWS = 256  # rows that are postprocessed at once


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


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """A finished painting with its parameters.

    Attributes:
        image: "RGB", or "RGBA" if the photo has an alpha channel.
        method: The method used.
        options: The options used.
        seconds: Wall-clock time of the call.
        features: The perceptual features used; None for a method that uses none.
    """

    image: Image.Image
    method: MethodName
    options: Options
    seconds: float
    features: FeaturesName | None

    def encode(self, format: Format = "jpeg", quality: int = DEFAULT_FORMAT_QUALITY) -> bytes:  # noqa: A002 - as everywhere
        """Encode the painting as a file; `quality` (1-100) applies to lossy formats.

        Raises:
            OptionError: The format is unknown, or the quality is out of range.
        """
        return encode(self.image, format=format, quality=quality)

    def save(self, path: str | os.PathLike[str], quality: int = DEFAULT_FORMAT_QUALITY) -> None:
        """Write the painting to a file, in the format of its suffix.

        Raises:
            OptionError: The suffix is unknown (`allowed` lists the known ones), or the quality is out of range.
            OSError: The file cannot be written.
        """
        write_atomically(Path(path), self.encode(format_from_suffix(path), quality))


def stylize(
    content: ImageSource,
    style: ImageSource | WeightedStyles,
    *,
    method: MethodName = DEFAULT_METHOD,
    options: Options = Options(),  # noqa: B008 - immutable
    mask: ImageSource | None = None,
    content_mask: ImageSource | None = None,
    limits: Limits = DEFAULT_LIMITS,
    on_progress: OnProgress | None = None,
    decoder: Decoder = images,
) -> Painting:
    """Paint a photo in the style of a picture or of a blend of pictures.

    Args:
        content: The photo: a path, the bytes of a file, an open file or a Pillow image.
        style: The id of a style, a picture, or a list of up to four `WeightedStyle`: pairs of a style and a relative
            weight > 0, or triples with a mask. Styles without a mask are blended, and paint where no mask is white; if
            every style has a mask, the photo is kept there. Where masks overlap, styles mix by weight times mask.
        method: One of `METHOD_NAMES`.
        options: Size, strength, color and so on.
        mask: Opacity of the painting over the photo: white paints, black keeps the photo. Of the photo's shape.
        content_mask: Where to preserve the photo's structure (white) and where not (black). Of the photo's shape. By
            default it is estimated by methods that use one.
        limits: Limits on input pictures.
        on_progress: Called after every unit of work; may raise to cancel.
        decoder: Decoder of the input pictures; by default in this process. Services pass a sandboxed one.

    Returns:
        The painting; its long side is exactly `options.size`, or the photo's.

    Raises:
        OptionError: An option is out of range or not supported by the method.
        UnknownStyle: The style is a string that is neither the id of a style nor a file.
        ImageError: A picture is unusable; `field` names the argument.
        MissingWeights: The weights of `options.features` are not installed.
        OutOfMemory: The painting does not fit into the memory of the device; see `stylizer.compute.device`.
    """
    return paint_picture(content, style, method, options, mask, content_mask, limits, on_progress, decoder)


def paint_picture(
    content: ImageSource,
    style: ImageSource | WeightedStyles,
    method: MethodName,
    options: Options,
    mask: ImageSource | None,
    content_mask: ImageSource | None,
    limits: Limits,
    on_progress: OnProgress | None,
    decoder: Decoder,
    hints: TemporalHints | None = None,
) -> Painting:
    """Do the work of `stylize`, which describes the arguments; `hints` are those of a frame of a clip."""
    try:
        return _stylize(content, style, method, options, mask, content_mask, limits, on_progress, decoder, hints)
    except (RuntimeError, MemoryError) as error:
        if not compute.is_out_of_memory(error):
            raise
    # Raised outside the handler: the original error keeps the tensors of the painting alive.
    allowed = "a size below that of the photo" if options.size == "original" else f"a size below {options.size}"
    detail = f"size is {options.size}, and such a painting takes more memory than there is; try {allowed}"
    raise OutOfMemory(detail, field="size", allowed=allowed)


def _stylize(
    content: ImageSource,
    style: ImageSource | WeightedStyles,
    method: MethodName,
    options: Options,
    mask: ImageSource | None,
    content_mask: ImageSource | None,
    limits: Limits,
    on_progress: OnProgress | None,
    decoder: Decoder,
    hints: TemporalHints | None,
) -> Painting:
    started = time.perf_counter()
    check_choice("method", method, METHOD_NAMES)
    weighted = _weighted_styles(style)
    module = methods.load(method)
    validate = partial(
        capabilities.validate,
        method,
        size=options.size,
        style_scale=options.style_scale,
        preserve_color=options.preserve_color,
        features=options.features,
        has_content_mask=content_mask is not None,
    )
    features = validate()
    device = compute.device()

    picture = decoder.decode(content, limits=limits, field="content")
    height, width = picture.rgb.shape[:2]
    validate(photo_size=(width, height))
    side = capabilities.long_side(options.size, (width, height))
    out_size = capabilities.validate_output_pixels(side, (width, height), limits.max_pixels)
    with (
        compute.independent_of_caller(),
        torch.inference_mode(),
        compute.exact_float32(),
        _memory_context(module, math.prod(out_size)),
    ):
        photo = _load_rgb(picture, out_size, device)
        load_mask = partial(_load_mask, decoder, (height, width), photo, limits)
        opacity = load_mask(mask, "mask")
        opacity, regions = _load_regions(weighted, load_mask, opacity, options.seed)
        finisher = _Postprocessor(photo, opacity, options)
        painted = methods.paint(
            method,
            methods.Task(
                photo=photo,
                styles=tuple(_load_styles(_normalize_weights(weighted), photo, side, options, limits, module, decoder)),
                options=options,
                mask=opacity,
                content_mask=load_mask(content_mask, "content_mask"),
                report=_make_reporter(on_progress, finisher),
                regions=regions,
                hints=hints,
            ),
        )
        image = finisher(painted)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha).resize(out_size, Image.Resampling.LANCZOS))
    return Painting(image, method, options, time.perf_counter() - started, features)


def _weighted_styles(style: ImageSource | WeightedStyles) -> list[WeightedStyle]:
    """Return the styles with their weights and masks, validated."""
    entries = list(style) if isinstance(style, Sequence) and not isinstance(style, str | bytes) else [(style, 1.0)]
    if not 1 <= len(entries) <= MAX_STYLES:
        allowed = f"1 to {MAX_STYLES} styles"
        raise OptionError(f"{len(entries)} styles are given; allowed are {allowed}", field="style", allowed=allowed)
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


def _load_regions(
    weighted: Sequence[WeightedStyle],
    load_mask: Callable[[ImageSource | None, str], Tensor | None],
    opacity: Tensor | None,
    seed: int,
) -> tuple[Tensor | None, Regions | None]:
    """Load the masks of the styles.

    Returns:
        The opacity of the painting, reduced to where a mask is white if every style has one; and the regions, None if
        there is only one.
    """
    masks = RegionMasks([entry.weight for entry in weighted], [entry.mask is not None for entry in weighted])
    for index, entry in enumerate(weighted):
        loaded = load_mask(entry.mask, f"styles[{index}].mask")
        if loaded is not None:
            masks.add(loaded)
    if masks.coverage is not None:
        opacity = masks.coverage if opacity is None else opacity * masks.coverage
    return opacity, masks.regions(seed)


def _memory_context(method: methods.Method, pixels: int) -> AbstractContextManager[None]:
    """Return the memory context of a painting of `pixels` pixels, by the method's `MEMORY_POLICY`."""
    return (
        compute.trim_large_allocations(method.MEMORY_POLICY.block_bytes)
        if pixels > method.MEMORY_POLICY.min_pixels
        else nullcontext()
    )


def _load_rgb(picture: Picture, size: tuple[int, int], device: torch.device) -> Tensor:
    """Resize the colors of `picture` to `size` (width, height), ignoring transparent pixels: (1, 3, H, W)."""
    return to_tensor(transparency.resize_picture(picture, size), device)


def _load_styles(
    weighted: Sequence[tuple[ImageSource, float]],
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
    for source, share in weighted:
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
    side = side if max_upscaled_side is None else min(side, max(max_upscaled_side, height, width))
    style = _load_rgb(_composite_on_white(picture), capabilities.long_side_to(side, width, height), device)
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


def _composite_on_white(picture: Picture) -> Picture:
    """Composite a transparent style on white."""
    if picture.alpha is None:
        return picture
    paper = Image.new("RGB", picture.rgb.shape[1::-1], "white")
    paper.paste(Image.fromarray(picture.rgb), mask=Image.fromarray(picture.alpha))
    return Picture(np.asarray(paper), None, picture.format)


def _load_mask(
    decoder: Decoder,
    shape: tuple[int, int],
    photo: Tensor,
    limits: Limits,
    source: ImageSource | None,
    field: str,
) -> Tensor | None:
    """Load a mask of the photo's `shape` (height, width), resized to `photo`, on its device: (1, 1, H, W) in [0, 1]."""
    if source is None:
        return None
    mask = decoder.decode_mask(source, shape=shape, limits=limits, field=field)
    size = photo.shape[3], photo.shape[2]
    return to_tensor(Image.fromarray(mask).resize(size, Image.Resampling.BILINEAR), photo.device)


@dataclass(frozen=True, slots=True)
class _Postprocessor:
    """Postprocessing shared by all methods, for the result and for previews: preserve_color and mask."""

    photo: Tensor
    mask: Tensor | None
    options: Options

    def __call__(self, painted: Tensor) -> Image.Image:
        height, width = painted.shape[2:]
        photo = resize(self.photo[0], (height, width))
        mask = None if self.mask is None else resize(self.mask[0], (height, width))
        # In bands to bound memory, since every step copies in float32.
        image = Image.new("RGB", (width, height))
        for top in range(0, height, BAND_ROWS):
            rows = slice(top, top + BAND_ROWS)
            band = painted[0, :, rows]
            if self.options.preserve_color == "luminance":
                band = color.keep_chroma(band, photo[:, rows])
            if mask is not None:
                band = torch.lerp(photo[:, rows], band, mask[:, rows])
            image.paste(to_image(band[None]), (0, top))
        return image


def _make_reporter(on_progress: OnProgress | None, finisher: _Postprocessor) -> methods.ReportFn:
    """Adapt `on_progress` to the callback of a method."""

    def report(step: int, total: int, current: methods.PreviewFn) -> None:
        if on_progress is not None:
            on_progress(Progress(step, total, preview=lambda: finisher(current())))

    return report
