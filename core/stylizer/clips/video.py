"""Video files by PyAV (FFmpeg): probing, decoding, H.264 encoding, and joining of encoded segments.

Only the demuxers of MP4/QuickTime and WebM/Matroska and a few decoders see the data, and no protocol is open to them:
a file cannot make FFmpeg open another one. Limits are checked on the container before a frame is decoded, and passed to
the decoder, since a stream may declare another size than its container.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylizer.clips.info import ClipInfo, InputFormat, clip_format
from stylizer.clips.limits import DEFAULT_CLIP_LIMITS, ClipLimits, check_clip, check_frame_count
from stylizer.errors import CorruptImage, MissingVideoSupport, UnsupportedImage
from stylizer.images.colorimetry import Colorimetry
from stylizer.images.limits import check_dimensions

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Bytes = npt.NDArray[np.uint8]

CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4")
"""Supported video codecs."""
COPIED_AUDIO = ("aac", "mp3", "opus", "ac3", "alac", "flac")
"""Audio codecs that MP4 supports and that are copied without re-encoding."""
# Decoder names; audio decoders are opened only for their parameters.
_DECODERS = ",".join((*CODECS, "libdav1d", "libvpx", "libvpx-vp9", *COPIED_AUDIO, "mp3float"))
_DEMUXERS: dict[InputFormat, str] = {"mp4": "mov", "webm": "matroska"}
_MUXED_RATE = 25  # frames per second in a segment; joining replaces all timestamps
_THREADS = "2"  # a fixed number: the encoder's output depends on it
_BT709, _BT601, _MPEG_RANGE = 1, 5, 1  # enum values of swscale and FFmpeg
_HDR_TRANSFERS = (16, 18)  # PQ and HLG, ITU-T H.273
_UNSPECIFIED = 2


def probe_video(data: bytes, limits: ClipLimits = DEFAULT_CLIP_LIMITS, field: str = "content") -> ClipInfo:
    """Probe an MP4 or WebM file: read the timestamps of all packets and, if within the limits, decode the first frame.

    Raises:
        MissingVideoSupport: PyAV is not installed.
        UnsupportedImage: The file has no video track, or one of another codec.
        CorruptImage: The file is truncated or broken, or has no frames.
        ImageError: The clip exceeds a limit; each has its own subclass.
    """
    with _opened(data, field) as (container, stream):
        name = cast(InputFormat, clip_format(data[:64]))
        width, height = _square_pixels(stream)
        check_dimensions((width, height), limits.of_frames(), field)
        stamps, end = _timestamps(container, stream, limits, field)
        base = cast(Fraction, stream.time_base)
        ticks = tuple(stamp - stamps[0] for stamp in stamps) if stamps else ()
        info = ClipInfo(
            name,
            width,
            height,
            (base.numerator, base.denominator),
            (*ticks, max(end - stamps[0], ticks[-1] + 1)) if stamps else (0,),
            has_audio=bool(container.streams.audio),
        )
        check_clip(info, limits, field)
        if stream.frames > info.frames:
            detail = f"the clip is broken: it ends after {info.frames:,} of {stream.frames:,} frames"
            raise CorruptImage(detail, field=field)
        container.seek(0)
        first = next(_decode(container, stream, limits.max_frame_pixels), None)
        if first is None:
            raise CorruptImage("the clip is broken: its first frame cannot be decoded", field=field)
        if _quarter_turns(first) % 2:
            width, height = height, width
        return ClipInfo(name, width, height, info.time_base, info.timestamps, 0, info.has_audio)


def read_video(
    data: bytes, info: ClipInfo, start: int, stop: int, size: tuple[int, int], field: str = "content"
) -> Iterator[Bytes]:
    """Decode the frames [start, stop), upright, in sRGB, resampled to `size` (width, height).

    A frame that is missing or broken is replaced by the previous one.

    Yields:
        Frames, (height, width, 3).

    Raises:
        CorruptImage: The clip ends early.
    """
    with _opened(data, field) as (container, stream):
        stamps, _ = _timestamps(container, stream, None, field)
        wanted = stamps[start:stop]
        container.seek(0)
        if start:
            container.seek(stamps[start], stream=stream)
        pixels = round(2 * info.width * info.height)  # coded sizes are padded
        current: Bytes | None = None
        at = 0
        for frame in _decode(container, stream, pixels):
            pts = cast(int, frame.pts)
            while at < len(wanted) and wanted[at] < pts and current is not None:
                yield current
                at += 1
            if at == len(wanted):
                return
            if pts >= wanted[at] or current is None:
                current = _to_rgb(frame, size)
            if pts == wanted[at]:
                yield current
                at += 1
        if at < len(wanted):
            raise CorruptImage(f"the clip is broken: only {start + at:,} frames can be decoded", field=field)


def encode_h264(frames: Iterable[Bytes], quality: int) -> bytes:
    """Encode frames (height, width, 3) as H.264 in an MP4 file, without B-frames, so that files can be joined.

    An odd last row or column is cropped: chroma is subsampled by 2.

    Args:
        frames: At least one, all of one size.
        quality: 1-100.
    """
    av = load_av()
    buffer = io.BytesIO()
    options = {"crf": f"{46 - 0.3 * quality:.1f}", "bf": "0", "preset": "medium", "threads": _THREADS}
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_MUXED_RATE, options=options)
        for number, pixels in enumerate(frames):
            height, width = (side // 2 * 2 for side in pixels.shape[:2])
            if number == 0:
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                context = stream.codec_context
                context.colorspace = context.color_primaries = context.color_trc = _BT709
                context.color_range = _MPEG_RANGE
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709)
            frame.colorspace, frame.pts = _BT709, number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def join_h264(segments: Iterable[bytes], info: ClipInfo, audio: bytes | None = None) -> bytes:
    """Join files of `encode_h264` into one with the timestamps of `info`, without re-encoding.

    Args:
        segments: All segments of the clip, in order.
        info: The clip.
        audio: A video file whose first audio track is copied, if MP4 can hold its codec.
    """
    buffer = io.BytesIO()
    # For faststart FFmpeg opens its output a second time, to read it. In memory, since sandboxes may not write files.
    options = {"movflags": "+faststart"}
    with load_av().open(buffer, "w", format="mp4", options=options, io_open=lambda *_: _SecondReader(buffer)) as output:
        count = _copy_packets(segments, info, output, _AudioTrack(output, audio))
    if count != info.frames:
        raise ValueError(f"the segments hold {count} frames, and the clip has {info.frames}")
    return buffer.getvalue()


class _SecondReader:
    """Sequential reader of a buffer that is still being written; FFmpeg does not seek in it."""

    def __init__(self, buffer: io.BytesIO) -> None:
        self._buffer = buffer
        self._at = 0

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes."""
        view = self._buffer.getbuffer()
        data = bytes(view[self._at : self._at + count])
        view.release()
        self._at += len(data)
        return data

    def close(self) -> None:
        """Do nothing: the buffer stays open."""


def _copy_packets(segments: Iterable[bytes], info: ClipInfo, output: OutputContainer, audio: _AudioTrack) -> int:
    """Mux the packets of all segments with the timestamps of `info`; return their number."""
    base, number, target = Fraction(*info.time_base), 0, None
    for segment in segments:
        with load_av().open(io.BytesIO(segment), format="mov") as part:
            source = part.streams.video[0]
            if target is None:
                target = output.add_stream_from_template(source)
                target.time_base = base
                audio.add()
            for packet in part.demux(source):
                if packet.size == 0:
                    continue
                if number == info.frames:
                    raise ValueError(f"the segments hold more frames than the {info.frames} of the clip")
                stamp, end = info.timestamps[number : number + 2]
                packet.stream, packet.time_base = target, base
                packet.pts = packet.dts = stamp
                packet.duration = end - stamp
                audio.write_until(stamp * base)
                output.mux(packet)
                number += 1
    audio.write_until(None)
    return number


class _AudioTrack:
    """First audio track of a file, remuxed into an output in order of time."""

    def __init__(self, output: OutputContainer, data: bytes | None) -> None:
        self._output, self._data = output, data
        self._packets: Iterator[Any] = iter(())
        self._next: Any = None
        self._stream: Any = None
        self._shift = Fraction(0)

    def add(self) -> None:
        """Add the track to the output, after its video track."""
        if self._data is None:
            return
        with suppress(_ffmpeg_error()):
            container = _open_container(self._data)
            audio = next((track for track in container.streams.audio if track.codec.name in COPIED_AUDIO), None)
            if audio is None:
                return
            video = container.streams.video[0]
            if video.start_time:  # the output's video starts at 0
                self._shift = Fraction(video.start_time) * cast(Fraction, video.time_base)
            self._stream = self._output.add_stream_from_template(audio)
            self._packets = (packet for packet in container.demux(audio) if packet.size and packet.dts is not None)
            self._advance()

    def write_until(self, seconds: Fraction | None) -> None:
        """Mux the packets up to a time; None for all remaining ones."""
        while self._next is not None:
            packet = self._next
            if seconds is not None and packet.dts * packet.time_base - self._shift > seconds:
                return
            shift = round(self._shift / packet.time_base)
            packet.dts -= shift
            packet.pts = packet.dts if packet.pts is None else packet.pts - shift
            packet.stream = self._stream
            self._output.mux(packet)
            self._advance()

    def _advance(self) -> None:
        self._next = None
        with suppress(_ffmpeg_error()):  # a truncated track ends early
            self._next = next(self._packets, None)


def load_av() -> Any:
    """Import PyAV.

    Raises:
        MissingVideoSupport: It is not installed.
    """
    try:
        import av
    except ImportError:
        detail = "videos need the package av, which is not installed: pip install 'image-stylizer[video]'"
        raise MissingVideoSupport(detail, field="content") from None
    av.logging.set_level(None)
    return av


def _ffmpeg_error() -> type[Exception]:
    return cast(type[Exception], load_av().error.FFmpegError)


def _open_container(data: bytes) -> InputContainer:
    """Open a file for demuxing, with all protocols and external references disabled."""
    name = clip_format(data[:64])
    return cast(
        "InputContainer",
        load_av().open(
            io.BytesIO(data),
            format=_DEMUXERS["webm" if name == "webm" else "mp4"],
            container_options={
                "protocol_whitelist": "",
                "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
                "codec_whitelist": _DECODERS,
                "enable_drefs": "0",
            },
            metadata_errors="replace",
            io_open=_refuse_to_open,
        ),
    )


def _refuse_to_open(*_arguments: object) -> NoReturn:
    raise PermissionError("a clip cannot refer to other files")


@contextmanager
def _opened(data: bytes, field: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file and its first video track; translate errors of FFmpeg."""
    error = _ffmpeg_error()
    try:
        with _open_container(data) as container:
            if not container.streams.video:
                raise UnsupportedImage("the clip has no video track", field=field)
            stream = container.streams.video[0]
            context = cast("VideoCodecContext | None", stream.codec_context)  # None if FFmpeg does not know the codec
            codec = context.codec.canonical_name if context else "an unknown codec"
            if codec not in CODECS:
                allowed = ", ".join(CODECS)
                detail = f"the clip is encoded with {codec}; supported: {allowed}"
                raise UnsupportedImage(detail, field=field, allowed=CODECS)
            yield container, stream
    except error as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise CorruptImage(f"the clip is broken: {reason}", field=field) from problem


def _timestamps(
    container: InputContainer, stream: VideoStream, limits: ClipLimits | None, field: str
) -> tuple[list[int], int]:
    """Return the timestamps of all frames, sorted, and the end of the last one, in ticks."""
    stamps, durations = [], {}
    for packet in container.demux(stream):
        if packet.size == 0 or packet.is_discard:
            continue
        if packet.pts is None:
            raise CorruptImage("the clip is broken: a frame has no timestamp", field=field)
        stamps.append(packet.pts)
        durations[packet.pts] = packet.duration or 0
        if limits is not None:
            check_frame_count(len(stamps), limits, field)
    stamps = sorted(set(stamps))
    if not stamps:
        return [], 0
    gaps = [after - before for before, after in pairwise(stamps)]
    return stamps, stamps[-1] + max(1, durations[stamps[-1]] or (sorted(gaps)[len(gaps) // 2] if gaps else 1))


def _decode(container: InputContainer, stream: VideoStream, max_pixels: int) -> Iterator[VideoFrame]:
    """Decode from the current position; skip damaged packets and frames without a timestamp."""
    context = stream.codec_context
    context.options = {**context.options, "max_pixels": str(max_pixels)}
    context.thread_count = 2
    error = _ffmpeg_error()
    for packet in container.demux(stream):
        with suppress(error):
            yield from (frame for frame in packet.decode() if frame.pts is not None)


def _square_pixels(stream: VideoStream) -> tuple[int, int]:
    """Return (width, height) of the frames before rotation, with square pixels (sample aspect ratio applied)."""
    aspect = stream.sample_aspect_ratio
    width, height = stream.width, stream.height
    if aspect is not None and 0 < aspect != 1 and Fraction(1, 4) <= aspect <= 4:
        width = max(1, round(width * aspect))
    return width, height


def _quarter_turns(frame: VideoFrame) -> int:
    """Return the number of counterclockwise quarter turns that make a frame upright."""
    return round(frame.rotation / 90) % 4


def _to_rgb(frame: VideoFrame, size: tuple[int, int]) -> Bytes:
    """Convert a frame to upright sRGB of `size` (width, height)."""
    turns = _quarter_turns(frame)
    width, height = size if turns % 2 == 0 else size[::-1]
    is_hd = max(frame.width, frame.height) >= 1280
    untagged = frame.colorspace in (0, _UNSPECIFIED)
    source = (_BT709 if is_hd else _BT601) if untagged else frame.colorspace
    rgb = frame.reformat(width, height, "rgb24", src_colorspace=source, interpolation="AREA").to_ndarray()
    if frame.color_trc in _HDR_TRANSFERS:
        hdr = None
        with suppress(ValueError):  # unknown primaries
            hdr = Colorimetry.by_codes(int(frame.color_primaries), int(frame.color_trc))
        if hdr is not None:
            rgb = np.asarray(hdr.to_srgb(Image.fromarray(rgb)))
    return np.ascontiguousarray(np.rot90(rgb, turns))
