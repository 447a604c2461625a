"""Paint a photo in the style of a picture.

    from stylizer import Options, stylize

    painting = stylize("cat.jpg", "woodcut", options=Options(size=1024))
    painting.save("painted.jpg")

Importing this package is fast: torch is loaded on first use. The import sets the wait policy of OpenMP's threads
(GOMP_SPINCOUNT, OMP_WAIT_POLICY) in the environment, unless it is set already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylizer.compute import load_torch, set_thread_defaults
from stylizer.errors import (
    Canceled,
    ClipTooLong,
    CorruptImage,
    EmptyImage,
    ExtremeAspectRatio,
    ImageError,
    ImageTooLarge,
    ImageTooSmall,
    InvalidState,
    MaskMismatch,
    MissingVideoSupport,
    MissingWeights,
    OptionError,
    OutOfMemory,
    StylizerError,
    TooManyPixels,
    UnknownStyle,
    UnreadableImage,
    UnsupportedImage,
)
from stylizer.options import DEFAULT_METHOD, METHOD_NAMES, Options
from stylizer.progress import OnProgress, Progress
from stylizer.styles import Style, catalog
from stylizer.variations import variants

if TYPE_CHECKING:
    from stylizer.clips.painting import Clip, stylize_clip
    from stylizer.painting import Painting, stylize
    from stylizer.style_inputs import WeightedStyle

__all__ = [
    "DEFAULT_METHOD",
    "METHOD_NAMES",
    "Canceled",
    "Clip",
    "ClipTooLong",
    "CorruptImage",
    "EmptyImage",
    "ExtremeAspectRatio",
    "ImageError",
    "ImageTooLarge",
    "ImageTooSmall",
    "InvalidState",
    "MaskMismatch",
    "MissingVideoSupport",
    "MissingWeights",
    "OnProgress",
    "OptionError",
    "Options",
    "OutOfMemory",
    "Painting",
    "Progress",
    "Style",
    "StylizerError",
    "TooManyPixels",
    "UnknownStyle",
    "UnreadableImage",
    "UnsupportedImage",
    "WeightedStyle",
    "catalog",
    "stylize",
    "stylize_clip",
    "variants",
]

set_thread_defaults()  # before any module of this package loads torch


def __getattr__(name: str) -> object:
    if name in {"Painting", "WeightedStyle", "stylize"}:
        load_torch()
        from stylizer import painting

        return getattr(painting, name)
    if name in {"Clip", "stylize_clip"}:
        from stylizer import clips

        return getattr(clips, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
