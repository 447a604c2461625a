"""Decoding: bytes to an upright 8-bit sRGB image, or to a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stylizer.errors import MaskMismatch
from stylizer.images.jpeg_reduction import check_photo
from stylizer.images.limits import DEFAULT_LIMITS, Limits, check_dimensions, check_pixels, dimensions, noun
from stylizer.images.metadata import Metadata, read_metadata
from stylizer.images.pillow_settings import default_pillow_settings
from stylizer.images.pixels import to_srgb
from stylizer.images.reading import open_header, translated_errors
from stylizer.images.sources import ImageSource
from stylizer.options import KeepMetadata, Size


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded image, upright, in sRGB.

    Attributes:
        rgb: (height, width, 3), 0-255, not premultiplied by alpha.
        alpha: (height, width), 0 transparent to 255 opaque; None if fully opaque.
        format: Format of the source: "jpeg", "png", "webp", "avif", "tiff", "gif", "heic", or "memory".
        metadata: What was asked for of the source's metadata; None if there is none.
        reduced_from: (width, height) of the upright source if it was decoded at reduced size; None otherwise.
    """

    rgb: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None
    format: str
    metadata: Metadata | None = None
    reduced_from: tuple[int, int] | None = None

    @property
    def source_size(self) -> tuple[int, int]:
        """(width, height) of the upright source."""
        height, width = self.rgb.shape[:2]
        return self.reduced_from or (width, height)


class Decoder(Protocol):
    """Image decoder. The functions of this module implement it in the calling process."""

    def decode(  # noqa: D102
        self,
        source: ImageSource,
        *,
        limits: Limits,
        field: str,
        painted_size: Size | None = None,
        keep_metadata: KeepMetadata = "none",
    ) -> Picture: ...

    def decode_mask(  # noqa: D102
        self, source: ImageSource, *, shape: tuple[int, int], limits: Limits, field: str
    ) -> npt.NDArray[np.uint8]: ...


@default_pillow_settings()
def decode(
    source: ImageSource,
    *,
    limits: Limits = DEFAULT_LIMITS,
    field: str = "content",
    painted_size: Size | None = None,
    keep_metadata: KeepMetadata = "none",
) -> Picture:
    """Decode an image of any accepted format: upright, in sRGB, 8 bits per channel, with separate alpha.

    Of an animation, the first frame is decoded. 16-bit gray is scaled. Floating-point and 32-bit values have no
    standard white: floats within 0-1 map to black to white, all others are stretched from their minimum to their
    maximum.

    Args:
        source: JPEG, PNG, WebP, AVIF, TIFF, GIF or HEIC.
        limits: Size limits.
        field: The input it came in, for the error message.
        painted_size: Size of the painting, if the image is the photo: a JPEG of more than `max_pixels` is then decoded
            at reduced size (`jpeg_reduction`). Other images are never reduced.
        keep_metadata: What to read of the metadata. Malformed metadata counts as missing.

    Raises:
        ImageError: One subclass for each possible defect.
    """
    opened = open_header(source, limits, field)
    divisor = check_photo(opened.size, limits, field, jpeg=opened.jpeg, painted_size=painted_size)
    with translated_errors(limits, field):
        reduced_from = opened.reduce(divisor) if divisor > 1 else None
        unpacked, name = opened.unpack(), opened.format
        metadata = None if keep_metadata == "none" else read_metadata(opened.exif(), opened.dpi, keep_metadata)
        del opened  # frees the unpacked pixels: 50 megapixels take 200 MB in each form
        # A HEIC header can promise another size than its data turns out to have.
        check_dimensions(unpacked.color.size, limits, field)
        image, alpha = to_srgb(unpacked.color, unpacked.profile, unpacked.colorimetry), unpacked.alpha
        del unpacked
        opaque = alpha is None or alpha.getextrema() == (255, 255)
        return Picture(np.asarray(image), None if opaque else np.asarray(alpha), name, metadata, reduced_from)


@default_pillow_settings()
def decode_mask(
    source: ImageSource, *, shape: tuple[int, int], limits: Limits = DEFAULT_LIMITS, field: str = "mask"
) -> npt.NDArray[np.uint8]:
    """Decode a mask: the lightness of each pixel as stored (ignoring profiles); transparent pixels count as black.

    Args:
        source: An image, as for `decode`.
        shape: (height, width) of the upright photo it belongs to.
        limits: Size limits; `shape` replaces the minimum side and the aspect ratio.
        field: The input it came in, for the error message.

    Returns:
        (height, width), 0 black to 255 white.

    Raises:
        MaskMismatch: The mask's shape differs from the photo's.
        ImageError: Any other defect of the image.
    """
    opened = open_header(source, limits, field)
    check_pixels(opened.size, limits, field)
    with translated_errors(limits, field):
        unpacked = opened.unpack()
        color, alpha = unpacked.color, unpacked.alpha
        height, width = shape
        if color.size != (width, height):
            allowed = f"{dimensions((width, height))} pixels"
            detail = f"{noun(field)} is {dimensions(color.size)} pixels; the photo it is for has {allowed}"
            raise MaskMismatch(detail, field=field, allowed=allowed)
        lightness = np.asarray(to_srgb(color, None).convert("L"))
        if alpha is None:
            return lightness
        product = lightness.astype(np.uint16) * np.asarray(alpha, dtype=np.uint16)
        return ((product + np.uint16(127)) // np.uint16(255)).astype(np.uint8)
