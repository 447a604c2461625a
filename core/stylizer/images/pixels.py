"""Conversion of a Pillow image to upright 8-bit sRGB with separate alpha."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from stylizer.images.colorimetry import Colorimetry

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow's mode for the color space signature of an ICC profile.
_PROFILE_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}


def turned(image: Image.Image, orientation: object) -> Image.Image:
    """Rotate or mirror an image by its EXIF orientation; an invalid value changes nothing."""
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split into color of mode L, RGB, CMYK or LAB and, where there may be transparency, alpha of mode L."""
    if image.mode.startswith("I") or image.mode == "F":
        return _gray_to_8_bits(image)
    if image.mode == "La":
        image = image.convert("LA")
    elif image.mode != "LA" and image.has_transparency_data:
        image = image.convert("RGBA")
    if image.mode in ("LA", "RGBA"):
        return image.convert(image.mode[:-1]), image.getchannel("A")
    if image.mode == "1":
        image = image.convert("L")
    return (image if image.mode in _PROFILE_MODES.values() else image.convert("RGB")), None


def _gray_to_8_bits(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Scale gray of more than 8 bits; Pillow itself would clip it."""
    values = np.asarray(image)
    alpha = None
    if image.mode.startswith("I;16"):
        black, white = 0.0, 2.0 ** _tiff_tag(image, TiffImagePlugin.BITSPERSAMPLE, 16) - 1
        if _tiff_tag(image, TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 1) == 0:  # "white is zero"
            black, white = white, black
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    else:
        values = np.nan_to_num(values.astype(np.float64), copy=False, posinf=0, neginf=0)
        black, white = float(values.min()), float(values.max())
        if image.mode == "F" and 0 <= black <= white <= 1:
            black, white = 0.0, 1.0
    scaled = (values.astype(np.float32) - black) * (255 / ((white - black) or 1))
    return Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8)), alpha


def _tiff_tag(image: Image.Image, tag: int, default: int) -> int:
    value = image.tag_v2.get(tag, default) if isinstance(image, TiffImagePlugin.TiffImageFile) else default
    return int(value[0] if isinstance(value, tuple) else value)


def to_srgb(image: Image.Image, profile: bytes | None, colorimetry: Colorimetry | None = None) -> Image.Image:
    """Convert mode L, RGB, CMYK or LAB to RGB in sRGB.

    Args:
        image: Color from `split_alpha`.
        profile: The embedded ICC profile. A broken or mismatched one is ignored, as in browsers.
        colorimetry: Fallback color space without a profile; None for sRGB.
    """
    if profile:
        with suppress(Exception):
            return _through_profile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    if colorimetry is not None and image.mode in ("L", "RGB"):
        return colorimetry.to_srgb(image)
    if image.mode == "LAB":
        return _through_profile(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    return image.convert("RGB")


def _through_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Convert from the color space of `profile` to sRGB; raise if image and profile do not match."""
    mode = _PROFILE_MODES[profile.profile.xcolor_space.strip()]
    if mode == "RGB" and image.mode == "L":  # gray photos with an RGB profile are common
        image = image.convert("RGB")
    if mode != image.mode:
        raise ValueError(f"a profile for {mode} does not fit a picture in {image.mode}")
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None is returned only for in-place conversion
    return converted
