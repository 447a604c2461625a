"""From a photo and a style to a painting: what every method has in common."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from stylizer.output import format_of, write_whole
from stylizer.progress import OnProgress, Progress
from stylizer.synthesis.pyramid import resize
from stylizer.tensors import to_image, to_tensor

BAND = 256  # rows of a picture that are finished at once
WeightedStyles = Sequence[tuple[ImageSource, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """A finished painting and how it came about.

    Attributes:
        image: "RGB", or "RGBA" where the photo was transparent.
        method: The method that painted it.
        options: What was asked for.
        seconds: Time from the call to the finished picture.
        features: Which perceptual features the method used; None for a method that uses none.
    """

    image: Image.Image
    method: MethodName
    options: Options
    seconds: float
    features: FeaturesName | None

    def encode(self, format: Format = "jpeg", quality: int = DEFAULT_FORMAT_QUALITY) -> bytes:  # noqa: A002 - as everywhere
        """The painting as a file; `quality` (1-100) counts for formats that lose some.

        Raises:
            OptionError: An unknown format, or a quality out of range.
        """
        return encode(self.image, format=format, quality=quality)

    def save(self, path: str | os.PathLike[str], quality: int = DEFAULT_FORMAT_QUALITY) -> None:
        """Write the painting to a file, in the format its suffix names.

        Raises:
            OptionError: The suffix names no format (`allowed` lists those there are), or the quality is out of range.
            OSError: The file cannot be written.
        """
        write_whole(Path(path), self.encode(format_of(path), quality))


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
    """Paint a photo in the style of a picture, or of a blend of pictures.

    Args:
        content: The photo: a path, the bytes of a file, an open file or a Pillow image.
        style: A built-in style's id, a picture, or a list of up to four of them with weights > 0 (relative).
        method: How to paint; see `METHOD_NAMES`.
        options: Size, strength, color and so on.
        mask: Paint only where it is white; gray is mixed. Of the photo's shape.
        content_mask: Keep the photo's structure where it is white, and let the style run free where it is black.
            Of the photo's shape. Without it a method judges for itself.
        limits: What is accepted as a picture.
        on_progress: Called after every unit of work; raise from it to stop.
        decoder: Who decodes the pictures: this process, unless a stranger's pictures are better decoded elsewhere.

    Returns:
        The painting; its long side is exactly `options.size`.

    Raises:
        OptionError: An option out of range, or one that the method cannot honor.
        UnknownStyle: A text that is neither a built-in style nor a file.
        ImageError: A picture that cannot be used; `field` says which.
        MissingWeights: Those of `options.features` are not on this machine.
        OutOfMemory: The painting is too large for the device; see `stylizer.compute.device`.
    """
    try:
        return _stylize(content, style, method, options, mask, content_mask, limits, on_progress, decoder)
    except (RuntimeError, MemoryError) as error:
        if not compute.is_out_of_memory(error):
            raise
    # Only here, since that error holds on to all that the painting had in memory.
    allowed = f"a size below {options.size}"
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
) -> Painting:
    began = time.perf_counter()
    check_choice("method", method, METHOD_NAMES)
    weighted = _weighted(style)
    chosen = methods.load(method)
    features = capabilities.validate(
        method,
        size=options.size,
        style_scale=options.style_scale,
        features=options.features,
        has_content_mask=content_mask is not None,
    )
    device = compute.device()

    picture = decoder.decode(content, limits=limits, field="content")
    height, width = picture.rgb.shape[:2]
    out_size = capabilities.validate_output_pixels(options.size, (width, height), limits.max_pixels)
    with (
        compute.independent_of_caller(),
        torch.inference_mode(),
        compute.exact_float32(),
        _memory_for(chosen, math.prod(out_size)),
    ):
        photo = _load(picture, out_size, device)
        load_mask = partial(_load_mask, decoder, (height, width), photo, limits)
        region = load_mask(mask, "mask")
        finisher = _Finisher(photo, region, options)
        painted = chosen.paint(
            methods.Task(
                photo=photo,
                styles=tuple(_styles(weighted, photo, options, limits, chosen, decoder)),
                options=options,
                mask=region,
                content_mask=load_mask(content_mask, "content_mask"),
                report=_reporter(on_progress, finisher),
            )
        )
        image = finisher(painted)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha).resize(out_size, Image.Resampling.LANCZOS))
    return Painting(image, method, options, time.perf_counter() - began, features)


def _weighted(style: ImageSource | WeightedStyles) -> list[tuple[ImageSource, float]]:
    """The styles with weights that sum to 1."""
    entries = list(style) if isinstance(style, Sequence) and not isinstance(style, str | bytes) else [(style, 1.0)]
    if not 1 <= len(entries) <= MAX_STYLES:
        allowed = f"1 to {MAX_STYLES} styles"
        raise OptionError(f"{len(entries)} styles are given; allowed are {allowed}", field="style", allowed=allowed)
    for entry in entries:
        _check_pair(entry)
    largest = max(weight for _, weight in entries)
    total = sum(weight / largest for _, weight in entries)
    return [(source, weight / largest / total) for source, weight in entries]


def _check_pair(entry: object) -> None:
    """Raise an OptionError unless this is a style and its weight: a list of styles alone is an easy mistake."""
    if not (isinstance(entry, Sequence) and len(entry) == 2 and not isinstance(entry, str | bytes)):
        allowed = "pairs of a style and its weight"
        raise OptionError(f"style is a list with {entry!r}; it must hold {allowed}", field="style", allowed=allowed)
    check_weight(entry[1])


def _memory_for(method: methods.Method, pixels: int) -> AbstractContextManager[None]:
    """How memory is kept while so many pixels are painted."""
    return (
        compute.trim_large_allocations(method.MEMORY_POLICY.piece)
        if pixels > method.MEMORY_POLICY.pixels
        else nullcontext()
    )


def _load(picture: Picture, size: tuple[int, int], device: torch.device) -> Tensor:
    """The picture's colors at `size` (width, height), as (1, 3, H, W); invisible ones do not count."""
    return to_tensor(transparency.resized(picture, size), device)


def _styles(
    weighted: Sequence[tuple[ImageSource, float]],
    photo: Tensor,
    options: Options,
    limits: Limits,
    method: methods.Method,
    decoder: Decoder,
) -> Iterator[methods.Style]:
    """The styles at the scale asked for, in the photo's palette where its colors are to be kept."""
    side = max(16, round(min(options.size, method.MAX_STYLE_SIDE) * options.style_scale))
    enlarged = max(16, round(min(options.size, method.MAX_UPSCALED_STYLE_SIDE) * options.style_scale))
    kept = color.Palette.of(photo[0]) if options.preserve_color == "histogram" else None
    for source, share in weighted:
        file, known = _style_file(source)
        picture = partial(load_style, file, side, kept, limits, photo.device, decoder, enlarged)
        if known is None or known.statistics is None or kept is not None:
            yield methods.Style(picture, share)
        else:
            finest = styles.STATISTICS_SIDE * options.style_scale
            statistics = partial(_cached_statistics, known.statistics, side, finest, photo.device)
            yield methods.Style(picture, share, statistics, partial(_cached_colors, known.statistics, photo.device))


def _cached_statistics(
    file: Path, side: int, finest: float, device: torch.device, part: float
) -> StyleStatistics | None:
    return style_cache.statistics_at(file, side * part, finest=finest, device=device)


def _cached_colors(file: Path, device: torch.device) -> Tensor:
    """The palette in a style's file as a picture of one row, (3, 1, N), sRGB in [0, 1]."""
    return style_cache.read_palette(file).T[:, None].to(device).float() / 255


def load_style(
    file: ImageSource,
    side: int,
    kept: color.Palette | None,
    limits: Limits,
    device: torch.device,
    decoder: Decoder = images,
    enlarged: int | None = None,
) -> Tensor:
    """A style's picture (1, 3, h, w) with `side` pixels on the long side; in the palette `kept`, if there is one.

    One that has fewer pixels is enlarged to no more than `enlarged` of them, by default to `side`.
    """
    picture = decoder.decode(file, limits=limits, field="style")
    height, width = picture.rgb.shape[:2]
    side = side if enlarged is None else min(side, max(enlarged, height, width))
    style = _load(_over_white(picture), capabilities.long_side_to(side, width, height), device)
    return style if kept is None else color.match_distribution(style[0], kept)[None]


def _style_file(source: ImageSource) -> tuple[ImageSource, styles.Style | None]:
    """A text names a style or, failing that, a file."""
    if not isinstance(source, str):
        return source, None
    known = styles.find(source)
    if known is not None:
        return known.swatch, known
    if not Path(source).exists():
        names = [*styles.catalog(), *styles.own()]
        detail = f"style is {source!r}, which is neither a file nor one of {', '.join(names)}"
        raise UnknownStyle(detail, field="style", allowed=names)
    return source, None


def _over_white(picture: Picture) -> Picture:
    """A style's transparent parts show as white paper."""
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
    """A mask of the photo's `shape` (height, width), of the size of `photo` and beside it: (1, 1, H, W) in [0, 1]."""
    if source is None:
        return None
    mask = decoder.decode_mask(source, shape=shape, limits=limits, field=field)
    size = photo.shape[3], photo.shape[2]
    return to_tensor(Image.fromarray(mask).resize(size, Image.Resampling.BILINEAR), photo.device)


@dataclass(frozen=True, slots=True)
class _Finisher:
    """What is done to a painting whatever the method: to the finished one, and to every preview of it."""

    photo: Tensor
    mask: Tensor | None
    options: Options

    def __call__(self, painted: Tensor) -> Image.Image:
        height, width = painted.shape[2:]
        photo = resize(self.photo[0], (height, width))
        mask = None if self.mask is None else resize(self.mask[0], (height, width))
        # Band by band, since every step makes copies in floating point.
        image = Image.new("RGB", (width, height))
        for top in range(0, height, BAND):
            rows = slice(top, top + BAND)
            band = painted[0, :, rows]
            if self.options.preserve_color == "luminance":
                band = color.keep_chroma(band, photo[:, rows])
            if mask is not None:
                band = torch.lerp(photo[:, rows], band, mask[:, rows])
            image.paste(to_image(band[None]), (0, top))
        return image


def _reporter(on_progress: OnProgress | None, finisher: _Finisher) -> methods.Report:
    """What a method calls: makes a `Progress` of it."""

    def report(step: int, total: int, current: methods.Current) -> None:
        if on_progress is not None:
            on_progress(Progress(step, total, preview=lambda: finisher(current())))

    return report
