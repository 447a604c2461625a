"""Clips: animated GIF, WebP and PNG pictures, and short MP4 and WebM videos.

    from stylizer import Options, stylize_clip

    clip = stylize_clip("waves.mp4", "great-wave", options=Options(size=512))
    clip.save("painted.mp4")

`probe` describes a clip by its headers, `stylize_clip` paints it. A program that stores its progress paints segment by
segment instead: `plan_segments`, `paint_segment` for each with the state of the one before, and `join_segments`.

Importing this package loads neither NumPy, Pillow, PyAV nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from stylizer.clips.info import CLIP_FORMATS, MEDIA_TYPES, ClipFormat, ClipInfo, clip_format, default_format
from stylizer.clips.limits import DEFAULT_CLIP_LIMITS, ClipLimits, check_output
from stylizer.clips.progress import ClipProgress, OnClipProgress
from stylizer.clips.segments import Segment, plan_chunk, plan_chunks, plan_segments

if TYPE_CHECKING:
    from stylizer.clips.frames import Frame, FrameReader, probe, read_frames
    from stylizer.clips.painting import (
        Clip,
        PaintedSegment,
        join_segments,
        paint_segment,
        stylize_clip,
    )

__all__ = [
    "CLIP_FORMATS",
    "DEFAULT_CLIP_LIMITS",
    "MEDIA_TYPES",
    "Clip",
    "ClipFormat",
    "ClipInfo",
    "ClipLimits",
    "ClipProgress",
    "Frame",
    "FrameReader",
    "OnClipProgress",
    "PaintedSegment",
    "Segment",
    "check_output",
    "clip_format",
    "default_format",
    "join_segments",
    "paint_segment",
    "plan_chunk",
    "plan_chunks",
    "plan_segments",
    "probe",
    "read_frames",
    "stylize_clip",
]

_FRAMES = {"Frame", "FrameReader", "probe", "read_frames"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _FRAMES:
        from stylizer.compute import load_torch

        load_torch()
    value = getattr(import_module(f"{__name__}.{'frames' if name in _FRAMES else 'painting'}"), name)
    globals()[name] = value  # cached for later lookups
    return value
