"""Size limits of images, and the checks that raise an error for each."""

from __future__ import annotations

from dataclasses import dataclass

from stylizer.errors import ExtremeAspectRatio, ImageTooSmall, TooManyPixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on the size of an image, checked before anything is decoded.

    Attributes:
        max_bytes: Size of the encoded file.
        max_pixels: Width times height.
        max_jpeg_pixels: Width times height of a JPEG photo above `max_pixels`, which is decoded at reduced size by
            `jpeg_reduction`.
        max_aspect_ratio: Long side over short side.
        min_side: Length of the short side in pixels.
        label: Noun for the image in errors; by default that of its field.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 50_000_000
    max_jpeg_pixels: int = 400_000_000
    max_aspect_ratio: float = 16
    min_side: int = 16
    label: str | None = None


DEFAULT_LIMITS = Limits()

_NOUNS = {
    "content": "the photo",
    "content_url": "the photo",
    "style": "the style picture",
    "mask": "the mask",
    "content_mask": "the content mask",
}


def noun(field: str, limits: Limits | None = None) -> str:
    """Return the noun for the image of a field in errors: the label of the limits, if set, or that of the field."""
    if limits is not None and limits.label is not None:
        return limits.label
    if field.startswith("style"):
        return "the mask of a style" if field.endswith("mask") else _NOUNS["style"]
    return _NOUNS.get(field, "the picture")


def dimensions(size: tuple[int, int]) -> str:
    """Format (width, height) for an error message."""
    return f"{size[0]:,} x {size[1]:,}"


def check_dimensions(size: tuple[int, int], limits: Limits, field: str) -> None:
    """Raise the matching ImageError unless (width, height) is within every limit."""
    check_pixels(size, limits, field)
    label = noun(field, limits)
    short, long = sorted(size)
    if short < limits.min_side:
        allowed = f"at least {limits.min_side} pixels a side"
        detail = f"{label} is {dimensions(size)} pixels; it must have {allowed}"
        raise ImageTooSmall(detail, field=field, allowed=allowed)
    if long > short * limits.max_aspect_ratio:
        allowed = f"at most {limits.max_aspect_ratio:g} times as long as wide"
        detail = f"{label} is {dimensions(size)} pixels, {long / short:.3g} times as long as wide; it may be {allowed}"
        raise ExtremeAspectRatio(detail, field=field, allowed=allowed)


def check_pixels(size: tuple[int, int], limits: Limits, field: str, exception: str = "") -> None:
    """Raise TooManyPixels if (width, height) exceeds the limit; `exception` is appended to what is allowed."""
    width, height = size
    if width * height > limits.max_pixels:
        allowed = f"at most {limits.max_pixels / 1e6:g} megapixels{exception}"
        label = noun(field, limits)
        detail = f"{label} is {dimensions(size)} = {width * height / 1e6:,.1f} megapixels; allowed: {allowed}"
        raise TooManyPixels(detail, field=field, allowed=allowed)
