"""Decoding: bytes to an upright 8-bit sRGB picture, or to a mask."""

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
    """Decodes pictures. The package `stylizer.images` is one, in the calling process; see its functions."""

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
