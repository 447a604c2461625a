"""One opener per format: from a source to an image whose header can be checked before it is unpacked."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from PIL import (
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from stylizer.errors import CorruptImage, ImageError, TooManyPixels, UnsupportedImage
from stylizer.images import boxes, jpeg, png, tiff, tiff_samples
from stylizer.images.colorimetry import Colorimetry
from stylizer.images.complexity import check_complexity
from stylizer.images.limits import Limits, check_pixels, noun
from stylizer.images.pixels import split_alpha, turned
from stylizer.images.signatures import NotDecoded, identify
from stylizer.images.size_readers import orientation_of, upright
from stylizer.images.sources import ImageSource, in_memory, read


@dataclass(frozen=True, slots=True, eq=False)
class Unpacked:
    """Unpacked pixels of an image, upright.

    Attributes:
        color: Mode L, RGB, CMYK or LAB.
        alpha: Mode L; None if fully opaque.
        profile: The embedded ICC profile, which may be invalid.
        colorimetry: Color space if there is no usable profile; None for sRGB.
    """

    color: Image.Image
    alpha: Image.Image | None = None
    profile: bytes | None = None
    colorimetry: Colorimetry | None = None

    def upright(self, orientation: object) -> Unpacked:
        """Apply the EXIF orientation."""
        alpha = None if self.alpha is None else turned(self.alpha, orientation)
        return Unpacked(turned(self.color, orientation), alpha, self.profile, self.colorimetry)


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An image whose header has been read.

    Attributes:
        format: In lower case, such as "jpeg"; "memory" for an in-memory image.
        size: (width, height) before orientation is applied.
        unpack: Decodes the pixels.
        exif: Returns the EXIF block, which may be invalid, or a TIFF file; None if there is none.
        dpi: Resolution in pixels per inch, stated outside of EXIF.
        jpeg: The file, if it is a JPEG.
        reduce: Makes `unpack` decode at 1/2, 1/4 or 1/8 of the size, and returns the upright `size`; for a JPEG only.
    """

    format: str
    size: tuple[int, int]
    unpack: Callable[[], Unpacked]
    exif: Callable[[], bytes | None] = lambda: None
    dpi: tuple[float, float] | None = None
    jpeg: bytes | None = None
    reduce: Callable[[int], tuple[int, int]] = lambda _: (0, 0)


def open_header(source: ImageSource, limits: Limits, field: str) -> Opened:
    """Read the header without decoding pixels. An in-memory image is returned as is.

    Raises:
        OptionError: The source is not of a supported type.
        ImageError: The source cannot be read, has an unsupported format, or is broken.
    """
    image = in_memory(source, field)
    if image is not None:
        return _opened(image, (image.format or "memory").lower())
    data = read(source, limits, field)  # type: ignore[arg-type]  # in_memory has handled pixels
    with translated_errors(limits, field):
        name = identify(data)
        check_complexity(data, name, field)
        if name in ("avif", "heic"):
            for size in boxes.declared_sizes(data):
                check_pixels(size, limits, field)
        return _OPENERS[name](data)


@contextmanager
def translated_errors(limits: Limits, field: str) -> Iterator[None]:
    """Translate any decoder exception, of whatever type, into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except NotDecoded as error:
        raise _unsupported(f"{noun(field)} is {error}", field, tuple(_OPENERS)) from error
    except _NoHeic as error:
        detail = f"{noun(field)} is HEIC, which this machine has no library for"
        raise _unsupported(detail, field, tuple(name for name in _OPENERS if name != "heic")) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Limits the decoder enforces itself: WebP's own maximum, a frame larger than its canvas.
        allowed = f"at most {limits.max_pixels / 1e6:g} megapixels"
        detail = f"{noun(field)} would unpack to far too many pixels; allowed: {allowed}"
        raise TooManyPixels(detail, field=field, allowed=allowed) from error
    except MemoryError as error:
        raise ImageError(f"{noun(field)} does not fit into memory", field=field) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CorruptImage(f"{noun(field)} is damaged or truncated: {reason}", field=field) from error


def _unsupported(detail: str, field: str, formats: tuple[str, ...]) -> UnsupportedImage:
    allowed = [f"image/{name}" for name in formats]
    return UnsupportedImage(f"{detail}; accepted: {', '.join(formats)}", field=field, allowed=allowed)


def _unpack(image: Image.Image) -> Unpacked:
    """Decode an image that needs no format-specific handling."""
    image.load()
    # Read only after loading: Pillow's TIFF plugin applies and removes the orientation in load().
    orientation = orientation_of(image)
    profile = image.info.get("icc_profile")
    color, alpha = split_alpha(image)
    return Unpacked(color, alpha, profile).upright(orientation)


def _opened(image: Image.Image, name: str) -> Opened:
    """Return an image that needs no format-specific handling."""
    return Opened(name, image.size, lambda: _unpack(image), partial(_exif_block, image), _density(image.info))


def _exif_block(image: Image.Image) -> bytes | None:
    """Return the EXIF block of an image; None if there is none."""
    if isinstance(exif := image.info.get("exif"), bytes):
        return exif
    with suppress(Exception):  # other places: text of a PNG, tags of a TIFF
        return Image.Image.getexif(image).tobytes()
    return None


def _density(info: Mapping[Any, Any]) -> tuple[float, float] | None:
    """Return the resolution of a JFIF header in pixels per inch; that of EXIF, and Pillow's default, do not count."""
    factor = {1: 1.0, 2: 2.54}.get(info.get("jfif_unit", 0))
    if factor is None or "jfif_density" not in info:
        return None
    across, down = info["jfif_density"]
    return across * factor, down * factor


def _open_jpeg(data: bytes) -> Opened:
    parts = jpeg.reduce(data)
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(parts.data))
    if parts.exif:
        image.info["exif"] = parts.exif

    def reduce(divisor: int) -> tuple[int, int]:
        width, height = image.size
        image.draft(None, (width // divisor, height // divisor))
        return upright((width, height), orientation_of(image))

    return replace(_opened(image, "jpeg"), jpeg=parts.data, reduce=reduce)


def _open_webp(data: bytes) -> Opened:
    return _opened(WebPImagePlugin.WebPImageFile(io.BytesIO(data)), "webp")


def _open_png(data: bytes) -> Opened:
    parts = png.reduce(data)
    image = PngImagePlugin.PngImageFile(io.BytesIO(parts.data))
    size = image.size if parts.canvas is None else parts.canvas[0]

    def unpack() -> Unpacked:
        image.load()
        image.info |= parts.metadata
        # Not PngImageFile's method, which sees only the metadata that it has parsed itself.
        orientation = orientation_of(image)
        color, alpha = split_alpha(image)
        if parts.transparent is not None:
            alpha = _alpha_of_color(image, parts)
        if parts.canvas is not None:
            color, alpha = _placed(color, alpha, *parts.canvas)
        profile = None if parts.overrides_profile else parts.icc_profile
        return Unpacked(color, alpha, profile, parts.color).upright(orientation)

    def exif() -> bytes | None:
        image.info |= parts.metadata
        return _exif_block(image)

    return Opened("png", size, unpack, exif, parts.dpi)


def _alpha_of_color(image: Image.Image, parts: png.Png) -> Image.Image:
    """Return alpha of 0 where the image has its one transparent color, and 255 elsewhere."""
    wanted = parts.transparent or ()
    if len(wanted) == 3 and parts.depth == 16:  # Pillow keeps only the high bytes, so the low ones are read as well
        low_bytes = PngImagePlugin.PngImageFile(io.BytesIO(parts.data))
        low_bytes.tile = [
            tile._replace(args=("RGB;16L", *tile.args[1:]) if isinstance(tile.args, tuple) else "RGB;16L")
            for tile in low_bytes.tile
        ]
        low_bytes.load()
        is_clear = np.all(np.asarray(image) == [value >> 8 for value in wanted], axis=-1)
        is_clear &= np.all(np.asarray(low_bytes) == [value & 255 for value in wanted], axis=-1)
    elif len(wanted) == 3:
        is_clear = np.all(np.asarray(image) == wanted, axis=-1)
    elif parts.depth == 16:
        is_clear = np.asarray(image) == wanted[0]
    else:
        is_clear = np.asarray(image.convert("L")) == wanted[0] * 255 // (2**parts.depth - 1)
    return Image.fromarray(np.where(is_clear, 0, 255).astype(np.uint8))


def _placed(
    color: Image.Image, alpha: Image.Image | None, size: tuple[int, int], at: tuple[int, int]
) -> tuple[Image.Image, Image.Image]:
    """Paste a frame onto a transparent canvas."""
    whole, mask = Image.new(color.mode, size), Image.new("L", size)
    whole.paste(color, at)
    mask.paste(Image.new("L", color.size, 255) if alpha is None else alpha, at)
    return whole, mask


def _open_gif(data: bytes) -> Opened:
    image = GifImagePlugin.GifImageFile(io.BytesIO(data))
    box = image.tile[0].extents if image.tile else None

    def unpack() -> Unpacked:
        unpacked = _unpack(image)
        if box is None or box == (0, 0, *image.size):
            return unpacked
        color, alpha = (layer.crop(box) if layer else None for layer in (unpacked.color, unpacked.alpha))
        assert color is not None
        return Unpacked(*_placed(color, alpha, image.size, (box[0], box[1])))

    return Opened("gif", image.size, unpack)


def _open_avif(data: bytes) -> Opened:
    image, properties = boxes.open_avif(data)
    crop = properties.crop
    size = image.size if crop is None else (crop[2] - crop[0], crop[3] - crop[1])

    def unpack() -> Unpacked:
        image.load()
        orientation, profile = orientation_of(image), image.info.get("icc_profile")
        shown = image if crop is None else image.crop(crop)
        color, alpha = split_alpha(shown)
        return Unpacked(color, alpha, profile, _nclx_colorimetry(properties)).upright(orientation)

    return Opened("avif", size, unpack, partial(_exif_block, image))


def _nclx_colorimetry(properties: boxes.Properties) -> Colorimetry | None:
    """Return the color space of the last usable nclx box; None for sRGB."""
    for primaries, transfer in reversed(properties.nclx):
        with suppress(ValueError):
            return Colorimetry.by_codes(primaries, transfer)
    return None


class _NoHeic(Exception):
    """The library that decodes HEIC is not installed."""


def _open_heic(data: bytes) -> Opened:
    """Open a HEIC file; its library is optional, and imported with the first such image."""
    try:
        from pillow_heif import as_plugin
    except ImportError as error:
        raise _NoHeic from error
    image: Image.Image = as_plugin.HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
    properties, size = boxes.read_properties(data), image.size

    def unpack() -> Unpacked:
        unpacked = _unpack(image)
        if unpacked.color.size != size:  # libheif clips a crop (clap) that exceeds the image only when it decodes
            raise ValueError("its crop exceeds the image")
        return Unpacked(unpacked.color, unpacked.alpha, unpacked.profile, _nclx_colorimetry(properties))

    return Opened("heic", size, unpack, partial(_exif_block, image))


def _open_tiff(data: bytes) -> Opened:
    file = tiff.read(data)
    if file is None:
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
        return Opened("tiff", image.size, lambda: _unpack(image), lambda: data)
    width, height = file.number(tiff.WIDTH, 0), file.number(tiff.HEIGHT, 0)
    profile = file.tags.get(tiff.ICC_PROFILE)
    if tiff.is_unpacked_here(file):

        def unpack() -> Unpacked:
            color, alpha = tiff_samples.decode(file)
            unpacked = Unpacked(color, alpha, profile.data if profile and color.mode != "LAB" else None)
            return unpacked.upright(file.number(tiff.ORIENTATION, 1))

        return Opened("tiff", (width, height), unpack, lambda: data)
    try:
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(tiff.for_pillow(file)))
    except (SyntaxError, KeyError) as error:
        raise NotDecoded(tiff.describe(file)) from error
    return Opened("tiff", image.size, lambda: _unpack(image), lambda: data)


_OPENERS: dict[str, Callable[[bytes], Opened]] = {
    "jpeg": _open_jpeg,
    "png": _open_png,
    "webp": _open_webp,
    "avif": _open_avif,
    "tiff": _open_tiff,
    "gif": _open_gif,
    "heic": _open_heic,
}
