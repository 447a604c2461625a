"""Decoding: bytes to an upright 8-bit sRGB image, or to a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stylizer.errors import MaskMismatch
from stylizer.images.limits import DEFAULT_LIMITS, Limits, check_dimensions, check_pixels, dimensions, noun
from stylizer.images.pillow_settings import default_pillow_settings
from stylizer.images.pixels import to_srgb
from stylizer.images.reading import open_header, translated_errors
from stylizer.images.sources import ImageSource


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded image, upright, in sRGB.

    Attributes:
        rgb: (height, width, 3), 0-255, not premultiplied by alpha.
        alpha: (height, width), 0 transparent to 255 opaque; None if fully opaque.
        format: Format of the source: "jpeg", "png", "webp", "avif", "tiff", "gif", "heic", or "memory".
    """

    rgb: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None
    format: str


class Decoder(Protocol):
    """Image decoder. The functions of this module implement it in the calling process."""

    def decode(self, source: ImageSource, *, limits: Limits, field: str) -> Picture:  # noqa: D102
        ...

    def decode_mask(  # noqa: D102
        self, source: ImageSource, *, shape: tuple[int, int], limits: Limits, field: str
    ) -> npt.NDArray[np.uint8]: ...


@default_pillow_settings()
def decode(source: ImageSource, *, limits: Limits = DEFAULT_LIMITS, field: str = "content") -> Picture:
    """Decode an image of any accepted format: upright, in sRGB, 8 bits per channel, with separate alpha.

    Of an animation, the first frame is decoded. 16-bit gray is scaled. Floating-point and 32-bit values have no
    standard white: floats within 0-1 map to black to white, all others are stretched from their minimum to their
    maximum.

    Args:
        source: JPEG, PNG, WebP, AVIF, TIFF, GIF or HEIC.
        limits: Size limits.
        field: The input it came in, for the error message.

    Raises:
        ImageError: One subclass for each possible defect.
    """
    opened = open_header(source, limits, field)
    check_dimensions(opened.size, limits, field)
    with translated_errors(limits, field):
        unpacked, name = opened.unpack(), opened.format
        del opened  # frees the unpacked pixels: 50 megapixels take 200 MB in each form
        # A HEIC header can promise another size than its data turns out to have.
        check_dimensions(unpacked.color.size, limits, field)
        image, alpha = to_srgb(unpacked.color, unpacked.profile, unpacked.colorimetry), unpacked.alpha
        del unpacked
        opaque = alpha is None or alpha.getextrema() == (255, 255)
        return Picture(np.asarray(image), None if opaque else np.asarray(alpha), name)


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
