"""Bytes to picture and back.

What comes in may be anything: a photo straight from a phone, a scan made for print, a hostile file. What
comes out is always upright 8-bit sRGB with its alpha beside it, or one `ImageError` that says what is
wrong. Limits on size are checked on the header, before a pixel is decoded. Only the decoders named in
`reading` ever see the data. Pillow's global registry is not used, and its global settings count as if they had their
defaults (`pillow_settings`); everything here may be called from many threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stylizer.errors import MaskMismatch
from stylizer.images.encoding import FORMATS, LOSSY, MEDIA_TYPES, Format, encode
from stylizer.images.limits import DEFAULT_LIMITS, Limits, check_dimensions, check_pixels, dimensions, noun
from stylizer.images.pillow_settings import default_pillow_settings
from stylizer.images.pixels import to_srgb
from stylizer.images.reading import open_header, translated_errors
from stylizer.images.sources import ImageSource

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "LOSSY",
    "MEDIA_TYPES",
    "Decoder",
    "Format",
    "ImageSource",
    "Limits",
    "Picture",
    "decode",
    "decode_mask",
    "encode",
]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture, upright, in sRGB.

    Attributes:
        rgb: (height, width, 3), 0-255, not multiplied by alpha.
        alpha: (height, width), 0 transparent to 255 opaque; None where all of it is opaque.
        format: What it came as: "jpeg", "png", "webp", "avif", "tiff", "gif", "heic", or "memory".
    """

    rgb: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None
    format: str


class Decoder(Protocol):
    """Who decodes pictures: this module is one, in the process that calls it. See its functions."""

    def decode(self, source: ImageSource, *, limits: Limits, field: str) -> Picture:  # noqa: D102
        ...

    def decode_mask(  # noqa: D102
        self, source: ImageSource, *, shape: tuple[int, int], limits: Limits, field: str
    ) -> npt.NDArray[np.uint8]: ...


@default_pillow_settings()
def decode(source: ImageSource, *, limits: Limits = DEFAULT_LIMITS, field: str = "content") -> Picture:
    """Read a picture whatever it comes as: turned upright, in sRGB, 8 bits a channel, alpha apart.

    Of an animation the first frame counts. Gray of 16 bits is scaled. Floating-point and 32-bit values have
    no agreed white: floats within 0-1 run from black to white, all others from their darkest to their
    brightest.

    Args:
        source: JPEG, PNG, WebP, AVIF, TIFF, GIF or HEIC.
        limits: What is allowed.
        field: Which input this is, for the error message.

    Raises:
        ImageError: One kind for each thing that can be wrong with a picture.
    """
    opened = open_header(source, limits, field)
    check_dimensions(opened.size, limits, field)
    with translated_errors(limits, field):
        unpacked, name = opened.unpack(), opened.format
        del opened  # and with it what was unpacked: 50 megapixels are 200 MB in each form
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
    """Read a mask: how light every pixel is as stored (profiles are ignored), transparent counting as black.

    Args:
        source: A picture, as for `decode`.
        shape: (height, width) of the upright photo it belongs to.
        limits: What is allowed; `shape` stands in for the shortest side and the aspect ratio.
        field: Which input this is, for the error message.

    Returns:
        (height, width), 0 black to 255 white.

    Raises:
        MaskMismatch: The mask has another shape than the photo.
        ImageError: Anything else that can be wrong with a picture.
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
