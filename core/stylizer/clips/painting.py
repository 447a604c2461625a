"""Painting of clips by segments: `stylize_clip`, and its steps for callers that store segments."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from stylizer import compute, images
from stylizer.capabilities import long_side, long_side_to
from stylizer.clips.caching_decoder import CachingDecoder
from stylizer.clips.frames import (
    Frame,
    FrameReader,
    encode_animation,
    load,
    pack_frames,
    probe,
    read_frames,
    unpack_frames,
)
from stylizer.clips.info import CLIP_FORMATS, ClipFormat, ClipInfo, default_format
from stylizer.clips.limits import DEFAULT_CLIP_LIMITS, ClipLimits, check_output
from stylizer.clips.progress import OnClipProgress, Reporter
from stylizer.clips.segments import ANCHOR_INTERVAL, BLEND_FRAMES, Segment, plan_segments
from stylizer.clips.stabilizer import SceneState, Stabilizer, blend_into
from stylizer.clips.state import dump_state, load_state
from stylizer.clips.video import encode_h264, join_h264, load_av
from stylizer.errors import OptionError
from stylizer.images import DEFAULT_LIMITS, Decoder, ImageSource, Limits
from stylizer.images.encoding import check_quality
from stylizer.options import (
    DEFAULT_FORMAT_QUALITY,
    DEFAULT_METHOD,
    MethodName,
    Options,
    check_choice,
    check_clip_metadata,
)
from stylizer.output import write_atomically
from stylizer.painting import StylizeArguments, paint_picture
from stylizer.progress import Progress
from stylizer.style_inputs import WeightedStyles
from stylizer.synthesis.temporal import TemporalHints
from stylizer.tensors import pixels_to_tensor, tensor_to_pixels
from stylizer.transparency import composite_on_white

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class PaintedSegment:
    """A painted segment of a clip.

    Attributes:
        data: The frames; for `join_segments`.
        state: State from which painting of the next segment continues.
        frames: Number of frames.
        painted: Number of frames repainted, at least in part; the others are the previous one, warped.
        preview: The last frame.
    """

    data: bytes
    state: bytes
    frames: int
    painted: int
    preview: Image.Image


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A painted clip.

    Attributes:
        data: The file.
        format: Its format.
        info: The clip it was painted from.
        size: (width, height) in pixels.
        seconds: Wall-clock time of the call.
        painted: Number of frames repainted, at least in part; the others are the previous one, warped.
    """

    data: bytes = field(repr=False)
    format: ClipFormat
    info: ClipInfo
    size: tuple[int, int]
    seconds: float
    painted: int

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file atomically.

        Raises:
            OSError: The file cannot be written.
        """
        write_atomically(Path(path), self.data)


def stylize_clip(
    content: ImageSource,
    style: ImageSource | WeightedStyles,
    *,
    method: MethodName = DEFAULT_METHOD,
    options: Options = Options(),  # noqa: B008 - immutable
    mask: ImageSource | None = None,
    content_mask: ImageSource | None = None,
    format: ClipFormat | None = None,  # noqa: A002 - as everywhere
    format_quality: int = DEFAULT_FORMAT_QUALITY,
    limits: Limits = DEFAULT_LIMITS,
    clip_limits: ClipLimits = DEFAULT_CLIP_LIMITS,
    on_progress: OnClipProgress | None = None,
    decoder: Decoder = images,
    reader: FrameReader = read_frames,
) -> Clip:
    """Paint an animated picture or a short video in the style of a picture or of a blend of pictures.

    Strokes move with the objects they depict. Timestamps of frames are kept, and audio is copied to MP4.

    Args:
        content: GIF, WebP, PNG, MP4 or WebM: a path, the bytes of a file or an open file.
        style: As for `stylize`.
        method: One of `METHOD_NAMES`. All work; `neighbor` also keeps its matches from frame to frame.
        options: As for `stylize`.
        mask: As for `stylize`; of the shape of the frames, and the same for all of them.
        content_mask: Likewise.
        format: Format of the result; by default that of `content`, or MP4 for a video.
        format_quality: 1-100, for WebP and MP4.
        limits: Limits on styles and masks.
        clip_limits: Limits on the clip.
        on_progress: Called several times for each frame; may raise to cancel.
        decoder: Decoder of styles and masks.
        reader: Decoder of frames.

    Raises:
        MissingVideoSupport: A video is read or written, and PyAV is not installed.
        OptionError, UnknownStyle, ImageError, MissingWeights, OutOfMemory: As from `stylize`.
    """
    started = time.perf_counter()
    data = load(content, clip_limits)
    info = probe(data, limits=clip_limits)
    name = default_format(info.format) if format is None else format
    args = StylizeArguments(data, style, method, options, mask, content_mask, limits, None, decoder)
    painter = _ClipPainter(data, args, info, name, format_quality, reader)
    size = check_output(info, options.size, clip_limits, name)
    state: bytes | None = None
    parts: list[bytes] = []
    painted = 0
    for segment in plan_segments(info):
        part = painter.paint(segment, state, Reporter(on_progress, segment.start, info.frames))
        state, painted = part.state, painted + part.painted
        parts.append(part.data)
    result = join_segments(parts, info, format=name, format_quality=format_quality, source=data)
    return Clip(result, name, info, size, time.perf_counter() - started, painted)


def paint_segment(
    source: ImageSource,
    info: ClipInfo,
    segment: Segment,
    style: ImageSource | WeightedStyles,
    *,
    state: bytes | None,
    state_stop: int | None = None,
    next_keyframe_state: bytes | None = None,
    method: MethodName = DEFAULT_METHOD,
    options: Options = Options(),  # noqa: B008 - immutable
    mask: ImageSource | None = None,
    content_mask: ImageSource | None = None,
    format: ClipFormat,  # noqa: A002 - as everywhere
    format_quality: int = DEFAULT_FORMAT_QUALITY,
    limits: Limits = DEFAULT_LIMITS,
    clip_limits: ClipLimits = DEFAULT_CLIP_LIMITS,
    on_progress: OnClipProgress | None = None,
    decoder: Decoder = images,
    reader: FrameReader = read_frames,
) -> PaintedSegment:
    """Paint one segment of `plan_segments`; the same arguments give the same bytes.

    Args:
        source: The clip.
        info: Its description by `probe`.
        segment: What to paint.
        state: State after the previous segment; None for the first one.
        state_stop: Frame after the last one that `state` covers; by default the segment's first. Smaller for the key
            frame of a chunk, which continues from the previous key frame.
        next_keyframe_state: State after the key frame that follows the segment, if that was painted first: the last
            `BLEND_FRAMES` frames are blended into it.
        style: As for `stylize_clip`, like all that follows, and the same for all segments of a clip.
        method: Likewise.
        options: Likewise.
        mask: Likewise.
        content_mask: Likewise.
        format: Format that `join_segments` will be given.
        format_quality: Likewise.
        limits: Limits on styles and masks.
        clip_limits: Limits on the clip.
        on_progress: Called for this segment only.
        decoder: Decoder of styles and masks.
        reader: Decoder of frames.

    Raises:
        InvalidState: `state` is damaged or of another segment.
        StylizerError: As from `stylize_clip`.
    """
    check_output(info, options.size, clip_limits, format)
    data = load(source, clip_limits)
    args = StylizeArguments(data, style, method, options, mask, content_mask, limits, None, decoder)
    painter = _ClipPainter(data, args, info, format, format_quality, reader)
    reporter = Reporter(on_progress, 0, segment.stop - segment.start)
    return painter.paint(segment, state, reporter, state_stop=state_stop, next_keyframe_state=next_keyframe_state)


def join_segments(
    segments: Iterable[bytes],
    info: ClipInfo,
    *,
    format: ClipFormat,  # noqa: A002 - as everywhere
    format_quality: int = DEFAULT_FORMAT_QUALITY,
    source: bytes | None = None,
) -> bytes:
    """Join the painted segments of a clip into a file.

    Args:
        segments: `PaintedSegment.data` of all segments, in order.
        info: The clip.
        format: As for `paint_segment`.
        format_quality: Likewise.
        source: The clip, whose audio is copied to MP4.

    Raises:
        ValueError: Segments are missing.
    """
    if format == "mp4":
        return join_h264(segments, info, source if info.has_audio else None)
    frames = chain.from_iterable(unpack_frames(part) for part in segments)
    return encode_animation(frames, info, format, format_quality)


class _ClipPainter:
    """Painter of the segments of one clip.

    Args:
        data: The clip.
        args: The arguments of `stylize` for all frames.
        info: The clip's description.
        name: Format of the result.
        quality: 1-100, for MP4.
        reader: Decoder of frames.

    Raises:
        OptionError: The format, quality or size is invalid.
        MissingVideoSupport: The format is MP4, and PyAV is not installed.
    """

    def __init__(
        self,
        data: bytes,
        args: StylizeArguments,
        info: ClipInfo,
        name: ClipFormat,
        quality: int,
        reader: FrameReader,
    ):
        check_choice("format", name, CLIP_FORMATS)
        check_quality(quality)
        check_clip_metadata(args.options.keep_metadata)
        if name == "mp4":
            load_av()
        self._args = replace(args, decoder=CachingDecoder(args.decoder, info))
        self._data, self._info, self._name, self._quality, self._reader = data, info, name, quality, reader
        size = args.options.size
        self._size = long_side_to(long_side(size, (info.width, info.height)), info.width, info.height)
        if name == "mp4" and min(self._size) < 2:
            raise OptionError(f"size is {size}; mp4 needs 2 pixels a side", field="size")

    def paint(
        self,
        segment: Segment,
        state: bytes | None,
        reporter: Reporter,
        *,
        state_stop: int | None = None,
        next_keyframe_state: bytes | None = None,
    ) -> PaintedSegment:
        """Paint a segment; see `paint_segment`."""
        # A key frame begins an anchor interval, and so does the frame after it.
        if segment.start % ANCHOR_INTERVAL > 1 or not 0 <= segment.start < segment.stop <= self._info.frames:
            raise ValueError(f"{segment} is not a segment of this clip")
        stop = segment.start if state_stop is None else state_stop
        before = None if state is None else load_state(state, self._identity(stop))
        if segment.start and state is None:
            raise ValueError("a segment after the first one needs the state after the previous one")
        next_keyframe = None
        if next_keyframe_state is not None:
            next_keyframe = load_state(next_keyframe_state, self._identity(segment.stop + 1))
        stabilizer = Stabilizer(before, segment.start)
        frames: list[Frame] = []
        latest: deque[tuple[Bytes, Bytes]] = deque(maxlen=BLEND_FRAMES)  # frames and their unmasked paintings
        painted = 0
        for frame in self._reader(self._data, self._info, segment.start, segment.stop, self._size):
            number = len(frames)
            painting, is_painted = self._paint_frame(frame.rgb, stabilizer, reporter, number)
            painted += is_painted
            latest.append((frame.rgb, painting))
            frames.append(Frame(self._apply_mask(painting, frame.rgb), frame.alpha))
            reporter.frame_done(number, frames[-1].image)
        if next_keyframe is not None:
            frames[-len(latest) :] = self._blend(next_keyframe, list(latest), frames[-len(latest) :])
        return PaintedSegment(
            self._encode(frames),
            dump_state(stabilizer.state, self._identity(segment.stop)),
            len(frames),
            painted,
            frames[-1].image(),
        )

    def _blend(self, keyframe: SceneState, latest: list[tuple[Bytes, Bytes]], frames: list[Frame]) -> list[Frame]:
        """Blend the last frames into the following key frame."""
        with compute.independent_of_caller(), torch.inference_mode():
            sources, paintings = ([pixels_to_tensor(pair[part]) for pair in latest] for part in (0, 1))
            blended = [tensor_to_pixels(painting) for painting in blend_into(keyframe, sources, paintings)]
        return [
            Frame(self._apply_mask(painting, rgb), frame.alpha)
            for painting, (rgb, _), frame in zip(blended, latest, frames, strict=True)
        ]

    def _paint_frame(self, rgb: Bytes, stabilizer: Stabilizer, reporter: Reporter, number: int) -> tuple[Bytes, bool]:
        """Paint a frame without the mask; return the painting, and whether any of it was repainted."""
        before = stabilizer.state

        def paint(hints: TemporalHints) -> Tensor:
            def on_progress(progress: Progress) -> None:
                if before is not None:  # a half-painted frame after a finished one would flicker
                    finished = before.layer.painting
                    progress = replace(progress, preview=lambda: Image.fromarray(tensor_to_pixels(finished)))
                reporter.frame_progress(number, progress)

            painting = paint_picture(replace(self._args, content=rgb, on_progress=on_progress, hints=hints))
            return pixels_to_tensor(np.asarray(painting.image))

        with compute.independent_of_caller(), torch.inference_mode():
            if self._args.options.strength == 0:
                return tensor_to_pixels(paint(TemporalHints())), True
            moved, is_painted = stabilizer.paint(pixels_to_tensor(rgb), paint)
            return tensor_to_pixels(moved), is_painted

    def _apply_mask(self, painting: Bytes, rgb: Bytes) -> Bytes:
        """Restore the current frame where the mask is 0: warped paintings have an earlier frame there."""
        args = self._args
        if args.mask is None:
            return painting
        shape = painting.shape[0], painting.shape[1]
        mask = args.decoder.decode_mask(args.mask, shape=shape, limits=args.limits, field="mask")
        opacity = np.minimum(1, mask.astype(np.float32) / 127)[..., None]
        masked: Bytes = np.rint(rgb + opacity * (painting.astype(np.float32) - rgb)).astype(np.uint8)
        return masked

    def _encode(self, frames: list[Frame]) -> bytes:
        if self._name != "mp4":
            return pack_frames(frames)
        return encode_h264((composite_on_white(frame.rgb, frame.alpha) for frame in frames), self._quality)

    def _identity(self, frame: int) -> str:
        """Return the identity of a state that `frame` continues from: the frame, and a hash of all arguments."""
        parts: tuple[Any, ...] = self._args.method, self._args.options, self._size, self._name, self._info
        return f"frame {frame} of painting {blake2b(repr(parts).encode(), digest_size=8).hexdigest()}"
