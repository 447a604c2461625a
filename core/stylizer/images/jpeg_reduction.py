"""Decoding of very large JPEG photos at 1/2, 1/4 or 1/8 of their size.

libjpeg skips the high frequencies of each block (scaled DCT), so memory and time are those of the smaller image, unless
the file has several scans: then it keeps all coefficients, 2 bytes each, until the last scan.
"""

from __future__ import annotations

from dataclasses import replace

from stylizer.errors import TooManyPixels
from stylizer.images.jpeg_segments import SOF, SOF_PROGRESSIVE, SOS, segments
from stylizer.images.limits import Limits, check_dimensions, check_pixels, dimensions, noun
from stylizer.options import ORIGINAL, Size

DIVISORS = (2, 4, 8)
MULTISCAN_SHARE = 2
"""A JPEG with several scans may have 1/2 of `Limits.max_jpeg_pixels`."""


def check_photo(
    size: tuple[int, int], limits: Limits, field: str, *, jpeg: bytes | None, painted_size: Size | None
) -> int:
    """Check the size of an image of any format.

    Args:
        size: (width, height) in pixels.
        limits: Size limits.
        field: The input it came in, for errors.
        jpeg: The file, if it is a JPEG.
        painted_size: Size of the painting of a photo; None for other images, which are never reduced.

    Returns:
        The divisor of both sides at which to decode it: 1, or one of `DIVISORS`. The result is within `max_pixels`, and
        not smaller than the painting.

    Raises:
        ImageError: One subclass for each limit.
    """
    width, height = size
    if jpeg is None or painted_size is None or width * height <= limits.max_pixels:
        if painted_size is not None and limits.max_jpeg_pixels > limits.max_pixels:
            check_pixels(size, limits, field, f", or {limits.max_jpeg_pixels / 1e6:g} as a JPEG")
        check_dimensions(size, limits, field)
        return 1
    largest = limits.max_jpeg_pixels // (MULTISCAN_SHARE if _has_several_scans(jpeg) else 1)
    largest = min(largest, limits.max_pixels * DIVISORS[-1] ** 2)
    check_dimensions(size, replace(limits, max_pixels=max(limits.max_pixels, largest)), field)
    divisor = next((n for n in DIVISORS if -(-width // n) * -(-height // n) <= limits.max_pixels), DIVISORS[-1])
    longest = -(-max(size) // divisor)
    if painted_size == ORIGINAL or painted_size > longest:
        allowed = f"size up to {longest}, or a photo of at most {limits.max_pixels / 1e6:g} megapixels"
        megapixels = f"{width * height / 1e6:,.1f} megapixels"
        detail = f"{noun(field)} is {dimensions(size)} = {megapixels}, and size is {painted_size}; allowed: {allowed}"
        raise TooManyPixels(detail, field=field, allowed=allowed)
    return divisor


def _has_several_scans(data: bytes) -> bool:
    """Whether a decoder has to keep all coefficients: a progressive JPEG, or one whose first scan lacks a component."""
    components = 0
    for marker, _, _, payload, _ in segments(data):
        if marker in SOF_PROGRESSIVE:
            return True
        if marker in SOF:
            components = data[payload + 5] if len(data) > payload + 5 else 0
        if marker == SOS:
            return len(data) > payload and data[payload] < components
    return False
