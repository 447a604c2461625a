"""The public entry point `stylize`: everything that all methods share."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from stylizer import capabilities, color, compute, images, methods
from stylizer.errors import OutOfMemory
from stylizer.images import DEFAULT_LIMITS, Decoder, ImageSource, Limits, encode
from stylizer.images.metadata import Metadata
from stylizer.options import (
    DEFAULT_FORMAT_QUALITY,
    DEFAULT_METHOD,
    METHOD_NAMES,
    FeaturesName,
    Format,
    MethodName,
    Options,
    check_choice,
)
from stylizer.output import format_from_suffix, write_atomically
from stylizer.progress import OnProgress, Progress
from stylizer.regions import RegionMasks, Regions
from stylizer.style_inputs import WeightedStyle, WeightedStyles, load_rgb, load_styles, weighted_styles
from stylizer.synthesis.pyramid import resize
from stylizer.synthesis.temporal import TemporalHints
from stylizer.tensors import to_image, to_tensor

BAND_ROWS = 256  # rows that are postprocessed at once


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """A finished painting with its parameters.

    Attributes:
        image: "RGB", or "RGBA" if the photo has an alpha channel.
        method: The method used.
        options: The options used.
        seconds: Wall-clock time of the call.
        features: The perceptual features used; None for a method that uses none.
        metadata: What `options.keep_metadata` keeps of the photo's metadata, for `encode`; None if there is none.
    """

    image: Image.Image
    method: MethodName
    options: Options
    seconds: float
    features: FeaturesName | None
    metadata: Metadata | None = None

    def encode(self, format: Format = "jpeg", quality: int = DEFAULT_FORMAT_QUALITY) -> bytes:  # noqa: A002 - as everywhere
        """Encode the painting as a file; `quality` (1-100) applies to lossy formats.

        Raises:
            OptionError: The format is unknown, or the quality is out of range.
        """
        return encode(self.image, format=format, quality=quality, metadata=self.metadata)

    def save(self, path: str | os.PathLike[str], quality: int = DEFAULT_FORMAT_QUALITY) -> None:
        """Write the painting to a file, in the format of its suffix.

        Raises:
            OptionError: The suffix is unknown (`allowed` lists the known ones), or the quality is out of range.
            OSError: The file cannot be written.
        """
        write_atomically(Path(path), self.encode(format_from_suffix(path), quality))


@dataclass(frozen=True, slots=True, eq=False)
class StylizeArguments:
    """The arguments of `stylize`, which describes them; for a frame of a clip also its `hints`."""

    content: ImageSource
    style: ImageSource | WeightedStyles
    method: MethodName
    options: Options
    mask: ImageSource | None
    content_mask: ImageSource | None
    limits: Limits
    on_progress: OnProgress | None
    decoder: Decoder
    hints: TemporalHints | None = None


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
    return paint_picture(
        StylizeArguments(content, style, method, options, mask, content_mask, limits, on_progress, decoder)
    )


def paint_picture(args: StylizeArguments) -> Painting:
    """Do the work of `stylize`."""
    try:
        return _stylize(args)
    except (RuntimeError, MemoryError) as error:
        if not compute.is_out_of_memory(error):
            raise
    # Raised outside the handler: the original error keeps the tensors of the painting alive.
    size = args.options.size
    allowed = "a size below that of the photo" if size == "original" else f"a size below {size}"
    detail = f"size is {size}, which does not fit into memory; try {allowed}"
    raise OutOfMemory(detail, field="size", allowed=allowed)


def _stylize(args: StylizeArguments) -> Painting:
    started = time.perf_counter()
    check_choice("method", args.method, METHOD_NAMES)
    weighted = weighted_styles(args.style)
    options, limits, decoder = args.options, args.limits, args.decoder
    module = methods.load(args.method)
    validate = partial(
        capabilities.validate,
        args.method,
        size=options.size,
        style_scale=options.style_scale,
        preserve_color=options.preserve_color,
        features=options.features,
        has_content_mask=args.content_mask is not None,
    )
    features = validate()
    device = compute.device()

    picture = decoder.decode(
        args.content,
        limits=limits,
        field="content",
        painted_size=options.size,
        keep_metadata=options.keep_metadata,
    )
    width, height = picture.source_size
    validate(photo_size=(width, height))
    side = capabilities.long_side(options.size, (width, height))
    out_size = capabilities.validate_output_pixels(side, (width, height), limits.max_pixels)
    with (
        compute.independent_of_caller(),
        torch.inference_mode(),
        compute.exact_float32(),
        _memory_context(module, math.prod(out_size)),
    ):
        photo = load_rgb(picture, out_size, device)
        load_mask = partial(_load_mask, decoder, (height, width), photo, limits)
        opacity = load_mask(args.mask, "mask")
        opacity, regions = _load_regions(weighted, load_mask, opacity, options.seed)
        finisher = _Postprocessor(photo, opacity, options)
        painted = methods.paint(
            args.method,
            methods.Task(
                photo=photo,
                styles=tuple(load_styles(weighted, photo, side, options, limits, module, decoder)),
                options=options,
                mask=opacity,
                content_mask=load_mask(args.content_mask, "content_mask"),
                report=_make_reporter(args.on_progress, finisher),
                regions=regions,
                hints=args.hints,
            ),
        )
        image = finisher(painted)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha).resize(out_size, Image.Resampling.LANCZOS))
    return Painting(image, args.method, options, time.perf_counter() - started, features, picture.metadata)


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
