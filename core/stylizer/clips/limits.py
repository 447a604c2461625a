"""Limits on clips, checked on the header before decoding."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stylizer.capabilities import describe_size, long_side, long_side_to
from stylizer.clips.info import VIDEOS, ClipFormat, ClipInfo
from stylizer.errors import ClipTooLong, CorruptImage, OptionError
from stylizer.images.limits import Limits, check_dimensions, dimensions
from stylizer.options import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLimits:
    """Limits on a clip and its painting.

    Attributes:
        max_bytes: Size of the encoded file.
        max_frames: Number of frames.
        max_seconds: Playing time of a video.
        max_animation_seconds: Playing time of an animated picture, which may show single frames for a long time.
        max_frame_pixels: Width times height of a frame.
        max_pixels: Pixels of all frames together.
        max_painted_pixels: Pixels of all frames of the painting together.
        max_animation_pixels: Likewise for an animated picture, which is encoded in memory.
        max_size: Long side of the painting in pixels.
        min_side: Length of the short side of a frame in pixels.
        max_aspect_ratio: Long side over short side of a frame.
    """

    max_bytes: int = 200 * 2**20
    max_frames: int = 1_800
    max_seconds: float = 30
    max_animation_seconds: float = 300
    max_frame_pixels: int = 9_000_000
    max_pixels: int = 8_000_000_000
    max_painted_pixels: int = 1_800 * 1080 * 1080
    max_animation_pixels: int = 300_000_000
    max_size: int = 1080
    min_side: int = 16
    max_aspect_ratio: float = 16

    def of_frames(self) -> Limits:
        """Return the limits of a single frame."""
        return Limits(
            max_bytes=self.max_bytes,
            max_pixels=self.max_frame_pixels,
            max_jpeg_pixels=self.max_frame_pixels,
            max_aspect_ratio=self.max_aspect_ratio,
            min_side=self.min_side,
            label="the clip",
        )


DEFAULT_CLIP_LIMITS = ClipLimits()


def check_frame_count(frames: int, limits: ClipLimits, field: str) -> None:
    """Raise ClipTooLong if a clip has too many frames. Called by readers while counting."""
    if frames > limits.max_frames:
        allowed = f"at most {limits.max_frames:,} frames"
        raise ClipTooLong(
            f"the clip has more than {limits.max_frames:,} frames; allowed: {allowed}", field=field, allowed=allowed
        )


def check_clip(info: ClipInfo, limits: ClipLimits, field: str) -> None:
    """Raise the matching ImageError unless a clip is within every limit."""
    if info.frames == 0:
        raise CorruptImage("the clip has no frames", field=field, allowed="at least 1 frame")
    check_dimensions((info.width, info.height), limits.of_frames(), field)
    check_frame_count(info.frames, limits, field)
    max_seconds = limits.max_seconds if info.format in VIDEOS else limits.max_animation_seconds
    if info.seconds > max_seconds:
        allowed = f"at most {max_seconds:g} seconds"
        raise ClipTooLong(
            f"the clip takes {info.seconds:,.1f} seconds; allowed: {allowed}", field=field, allowed=allowed
        )
    pixels = info.frames * info.width * info.height
    if pixels > limits.max_pixels:
        allowed = f"at most {limits.max_pixels // (info.width * info.height):,} frames of this size"
        size = dimensions((info.width, info.height))
        raise ClipTooLong(
            f"the clip has {info.frames:,} frames of {size} pixels; allowed: {allowed}",
            field=field,
            allowed=allowed,
        )


def check_output(
    info: ClipInfo, size: Size, limits: ClipLimits = DEFAULT_CLIP_LIMITS, name: ClipFormat = "mp4"
) -> tuple[int, int]:
    """Return (width, height) of the painting of a clip.

    Args:
        info: The clip.
        size: Long side of the painting, pixels, or "original".
        limits: Limits on the painting.
        name: Format of the painting.

    Raises:
        OptionError: The painting would be too large; the error names the maximum size.
    """
    shape = info.width, info.height
    side = long_side(size, shape)
    out_size = long_side_to(side, info.width, info.height)
    max_pixels = limits.max_painted_pixels if name == "mp4" else limits.max_animation_pixels
    largest = min(limits.max_size, math.floor(side * math.sqrt(max_pixels / (info.frames * math.prod(out_size)))))
    if side > largest:
        allowed = f"at most {largest} pixels for a clip of {info.frames:,} frames as {name}"
        detail = f"size is {describe_size(size, shape, 'the clip')}; allowed: {allowed}"
        raise OptionError(detail, field="size", allowed=allowed)
    return out_size
