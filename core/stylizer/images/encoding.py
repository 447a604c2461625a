"""Encoding: pixels to a file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin
from PIL.ExifTags import IFD

from stylizer.errors import OptionError
from stylizer.images import tiff
from stylizer.images.limits import dimensions
from stylizer.images.metadata import Metadata, to_exif
from stylizer.options import DEFAULT_FORMAT_QUALITY, FORMAT_QUALITY_RANGE, FORMATS, Format, check_choice

_LONGEST_SIDE: dict[Format, int] = {"jpeg": 65_500, "webp": 16_383, "avif": 65_536}


def encode(
    image: Image.Image,
    *,
    format: Format,  # noqa: A002 - what all call it
    quality: int = DEFAULT_FORMAT_QUALITY,
    metadata: Metadata | None = None,
) -> bytes:
    """Encode an image. Writes no profile, which by convention means sRGB, and no metadata but that which is given.

    Args:
        image: In sRGB, with or without alpha. JPEG has no alpha channel: there the image is composited onto white.
        format: One of `FORMATS`.
        quality: 1-100 for JPEG, WebP and AVIF; ignored for PNG and TIFF, which are lossless.
        metadata: Metadata to write as EXIF, and its resolution in the format's own way as well, if it has one.

    Raises:
        OptionError: Unknown format, quality out of range, or dimensions too large for the format.
    """
    check_choice("format", format, FORMATS)
    check_quality(quality)
    longest = _LONGEST_SIDE.get(format)
    if longest is not None and max(image.size) > longest:
        allowed = f"at most {longest:,} pixels a side"
        detail = f"format is {format}, which takes {allowed}; the picture is {dimensions(image.size)}"
        raise OptionError(detail, field="format", allowed=allowed)
    buffer = io.BytesIO()
    bare = _pixels_alone(image, keep_alpha=format != "jpeg")
    settings = _encoder_settings(format, quality)
    exif = to_exif(metadata, image.size) if metadata else None
    if exif is not None and format == "tiff":
        settings["tiffinfo"] |= dict(exif)
    elif exif is not None:
        settings["exif"] = exif
        if metadata and metadata.dpi and format in ("jpeg", "png"):
            settings["dpi"] = metadata.dpi
    bare.save(buffer, format, **settings)
    return _with_exif(buffer.getvalue(), exif) if exif is not None and format == "tiff" else buffer.getvalue()


def _with_exif(data: bytes, exif: Image.Exif) -> bytes:
    """Add the subdirectories of EXIF to a TIFF file: Pillow cannot write them to a compressed one."""
    file = tiff.read(data)
    assert file is not None  # it has just been written
    prefix = b"II" if file.order == "<" else b"MM"
    for pointer in (IFD.Exif, IFD.GPSInfo):
        if values := exif.get_ifd(pointer):
            directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=prefix, group=pointer)
            for tag, value in values.items():
                directory[tag] = value
            file.add_directory(pointer, directory.tobytes)
    return tiff.with_directory(file, file.tags)


def check_quality(quality: int) -> None:
    """Raise OptionError unless the encoder quality is within its range."""
    low, high = FORMAT_QUALITY_RANGE
    if not isinstance(quality, int) or isinstance(quality, bool) or not low <= quality <= high:
        allowed = f"a whole number from {low} to {high}"
        detail = f"format_quality is {quality!r}; it must be {allowed}"
        raise OptionError(detail, field="format_quality", allowed=allowed)


def _encoder_settings(name: Format, quality: int) -> dict[str, Any]:
    """Return Pillow's save options: full chroma resolution from quality 90, and moderate compression effort."""
    subsampling = "4:4:4" if quality >= 90 else "4:2:0"
    settings: dict[Format, dict[str, Any]] = {
        "jpeg": {"quality": quality, "subsampling": subsampling, "optimize": True, "progressive": True},
        "png": {},
        "webp": {"quality": quality, "method": 4},
        "avif": {"quality": quality, "subsampling": subsampling, "speed": 6},
        # LZW with horizontal differencing: every TIFF reader supports it.
        "tiff": {"compression": "tiff_lzw", "tiffinfo": {TiffImagePlugin.PREDICTOR: 2}},
    }
    return settings[name]


def _pixels_alone(image: Image.Image, *, keep_alpha: bool) -> Image.Image:
    """Return a copy as RGB or RGBA without attributes: Pillow would write some of `info` to the file."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if not keep_alpha:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image).convert("RGB")
    else:
        image = image.convert("RGB")
    return Image.fromarray(np.asarray(image))
