"""Clip decoding in a sandbox, as `decoding` for images: untrusted clips are parsed and decoded in forks."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from stylizer import errors
from stylizer.clips.frames import Frame, probe, read_frames
from stylizer.clips.info import ClipInfo
from stylizer.clips.limits import ClipLimits
from stylizer.clips.video import join_h264
from stylizer_painter.sandbox_errors import run, to_answer
from stylizer_service.sandbox.sandbox import ResourceLimits, Sandbox

with suppress(ImportError):
    import av  # noqa: F401 - imported before the zygote forks

SECONDS = 600
"""Wall-clock limit of one call, however busy the machine is."""
CPU_SECONDS = 120
"""CPU time limit of one call. An animated picture is decoded from its start for each segment: at worst its 1,800 frames
of 9 megapixels."""
_BYTES_PER_PIXEL = 64  # of one frame: the reference frames of a video decoder, and its conversion to RGB
_OVERHEAD = 512 * 2**20


def work(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], Any]:
    """Run one operation in the fork; return its answer and body, or the error."""
    try:
        return _OPERATIONS[request["operation"]](request, data)
    except errors.StylizerError as error:
        return to_answer(error)


def _probe(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], Any]:
    return {"info": probe(data, limits=ClipLimits(**request["limits"])).to_json()}, b""


def _read(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], Any]:
    info = ClipInfo.from_json(request["info"])
    width, height = request["size"]
    frames = list(read_frames(data, info, request["start"], request["stop"], (width, height)))
    planes = [plane for frame in frames for plane in (frame.rgb, frame.alpha) if plane is not None]
    return {"has_alpha": [frame.alpha is not None for frame in frames]}, np.concatenate([p.ravel() for p in planes])


def _join(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], Any]:
    source, *segments = (data[start:end] for start, end in pairwise(accumulate(request["lengths"], initial=0)))
    info = ClipInfo.from_json(request["info"])
    return {}, join_h264(segments, info, source if info.has_audio else None)


_OPERATIONS = {"probe": _probe, "read": _read, "join": _join}


class SandboxedClips:
    """Decoder of untrusted clips in forks. `read` is a `stylizer.clips.FrameReader`."""

    def __init__(self) -> None:
        self._sandbox = Sandbox("stylizer_painter.clip_decoding:work")

    def close(self) -> None:
        """Stop the sandbox server."""
        self._sandbox.close()

    def probe(self, data: bytes, limits: ClipLimits) -> ClipInfo:
        """Read the headers of a clip and check them against the limits; see `stylizer.clips.probe`."""
        answer, _ = self._run({"operation": "probe", "limits": asdict(limits)}, data, limits.max_frame_pixels, 0)
        return ClipInfo.from_json(answer["info"])

    def read(self, source: bytes, info: ClipInfo, start: int, stop: int, size: tuple[int, int]) -> Iterator[Frame]:
        """Decode the frames from `start` to before `stop`; see `stylizer.clips.frames.read_frames`."""
        request = {"operation": "read", "info": info.to_json(), "start": start, "stop": stop, "size": size}
        width, height = size
        pixels = width * height
        answer, body = self._run(request, source, info.width * info.height, 4 * pixels * (stop - start))
        planes = np.frombuffer(body, np.uint8)
        at = 0
        for has_alpha in answer["has_alpha"]:
            rgb = planes[at : at + 3 * pixels].reshape(height, width, 3)
            at += 3 * pixels
            alpha = planes[at : at + pixels].reshape(height, width) if has_alpha else None
            at += pixels if has_alpha else 0
            yield Frame(rgb, alpha)

    def join(self, segments: Sequence[bytes], info: ClipInfo, source: bytes) -> bytes:
        """Join the segments of an MP4, with the audio track of its untrusted source."""
        parts = [source, *segments]
        request = {
            "operation": "join",
            "info": info.to_json(),
            "lengths": [len(part) for part in parts],
        }
        data = b"".join(parts)
        _, joined = self._run(request, data, info.width * info.height, 2 * len(data) + 2**20)
        return bytes(joined)

    def _run(self, request: dict[str, Any], data: bytes, frame_pixels: int, body: int) -> tuple[Any, bytearray]:
        memory = _BYTES_PER_PIXEL * frame_pixels + 3 * body + 4 * len(data) + _OVERHEAD
        limits = ResourceLimits(memory=memory, cpu_seconds=CPU_SECONDS, seconds=SECONDS, body=body)
        return run(self._sandbox, request, data, limits, what="the clip", field="content")


SANDBOXED_CLIPS = SandboxedClips()
"""Shared clip decoder of this process; the first call starts its sandbox."""
atexit.register(SANDBOXED_CLIPS.close)
