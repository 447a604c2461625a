"""Options of a painting: one set of names for all methods, the command line and the API."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Literal, get_args

from stylizer.errors import OptionError

MethodName = Literal["neighbor", "feedforward", "optimization", "texture", "color"]
FeaturesName = Literal["compact", "vgg19"]
PreserveColor = Literal["none", "luminance", "histogram"]
Quality = Literal["draft", "standard", "high"]
Size = int | Literal["original"]
"""Long side of a painting in pixels, or that of the photo."""
Format = Literal["jpeg", "png", "webp", "avif", "tiff"]
"""File format of a painting."""
KeepMetadata = Literal["none", "exif", "exif+gps"]

DEFAULT_METHOD: MethodName = "neighbor"
METHOD_NAMES: tuple[MethodName, ...] = get_args(MethodName)
FEATURES: tuple[FeaturesName, ...] = get_args(FeaturesName)
PRESERVE_COLOR: tuple[PreserveColor, ...] = get_args(PreserveColor)
QUALITIES: tuple[Quality, ...] = get_args(Quality)
KEEP_METADATA: tuple[KeepMetadata, ...] = get_args(KeepMetadata)

SIZE_RANGE = (64, 8192)
ORIGINAL: Literal["original"] = "original"
STRENGTH_RANGE: tuple[float, float] = (0, 1)
STYLE_SCALE_RANGE: tuple[float, float] = (0.25, 4)
SEED_RANGE = (0, 2**32 - 1)
MAX_STYLES = 4
"""Maximum number of styles in a blend."""
VARIANTS_RANGE = (1, 4)
"""Number of variants of a painting that can be asked for at once."""

FORMATS: tuple[Format, ...] = get_args(Format)
LOSSY: tuple[Format, ...] = ("jpeg", "webp", "avif")
"""Formats in which quality trades for size; the others are lossless."""
DEFAULT_FORMAT_QUALITY = 90
FORMAT_QUALITY_RANGE = (1, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of one painting, validated on creation.

    Attributes:
        size: Long side of the output in pixels, 64-8192; the short side follows the photo. "original" is the size of
            the photo itself. Never changed silently: a method that cannot paint that size raises an error.
        strength: 0 returns the photo, 1 the full painting; continuous in between.
        style_scale: Size of the style's strokes relative to the output, 0.25-4; at 1 the style image is resized to the
            size of the output. Method color paints no strokes and takes 1 only.
        preserve_color: "none" uses the style's colors; "luminance" takes only the luminance from the painting and each
            pixel's color from the photo; "histogram" matches the style's colors to the photo's before painting (both
            after Gatys et al. 2017, arXiv 1611.07865, section 5). Method color takes no "histogram".
        quality: "draft", "standard" or "high": how much time to spend.
        features: The perceptual features by which a neural method compares images: "compact" ships with this library;
            "vgg19" is torchvision's network, whose weights must be downloaded once (`stylizer fetch vgg19`). None
            selects the method's default. A method that uses none raises an error.
        seed: 0 to 2^32 - 1. The same inputs, options and seed give the same pixels on the same machine. (On a GPU, the
            results of methods neighbor and optimization may differ slightly.)
        keep_metadata: What the file keeps of the photo's metadata: "none"; "exif" for the camera, lens, exposure,
            times, author, copyright and resolution; or "exif+gps" for the place as well. Clips take "none" only. See
            `stylizer.images.metadata`.

    Raises:
        OptionError: A value has the wrong type or is out of range; `field` and `allowed` give the details.
    """

    size: Size = 1024
    strength: float = 1.0
    style_scale: float = 1.0
    preserve_color: PreserveColor = "none"
    quality: Quality = "standard"
    features: FeaturesName | None = None
    seed: int = 0
    keep_metadata: KeepMetadata = "none"

    def __post_init__(self) -> None:
        if self.size != ORIGINAL:
            _check_integer("size", self.size, SIZE_RANGE, "pixels", f", or {ORIGINAL}")
        _check_number("strength", self.strength, STRENGTH_RANGE)
        _check_number("style_scale", self.style_scale, STYLE_SCALE_RANGE)
        check_choice("preserve_color", self.preserve_color, PRESERVE_COLOR)
        check_choice("quality", self.quality, QUALITIES)
        if self.features is not None:
            check_choice("features", self.features, FEATURES)
        _check_integer("seed", self.seed, SEED_RANGE)
        check_choice("keep_metadata", self.keep_metadata, KEEP_METADATA)


def check_choice(field: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise an OptionError that lists the choices unless `value` is one of them."""
    if value not in choices:
        raise OptionError(f"{field} is {value!r}; it must be one of {', '.join(choices)}", field=field, allowed=choices)


def check_clip_metadata(keep_metadata: KeepMetadata) -> None:
    """Raise OptionError unless `keep_metadata` is what a clip supports: "none"."""
    if keep_metadata != "none":
        detail = f"keep_metadata is {keep_metadata}; a clip keeps no metadata"
        raise OptionError(detail, field="keep_metadata", allowed="none for a clip")


def check_variants(value: object) -> None:
    """Raise OptionError unless `value` is a valid number of variants."""
    _check_integer("variants", value, VARIANTS_RANGE)


def check_weight(value: object) -> None:
    """Raise OptionError unless `value` is a valid weight of a style in a blend: a number above 0."""
    _check_number("weight", value, (math.ulp(0.0), sys.float_info.max), "a number above 0")


def _check_number(field: str, value: object, limits: tuple[float, float], allowed: str | None = None) -> None:
    low, high = limits
    allowed = allowed or f"a number from {low:g} to {high:g}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # type: ignore[operator]
        raise OptionError(f"{field} is {value!r}; it must be {allowed}", field=field, allowed=allowed)


def _check_integer(field: str, value: object, limits: tuple[int, int], unit: str = "", more: str = "") -> None:
    low, high = limits
    allowed = f"a whole number from {low} to {high}{' ' + unit if unit else ''}{more}"
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise OptionError(f"{field} is {value!r}; it must be {allowed}", field=field, allowed=allowed)
