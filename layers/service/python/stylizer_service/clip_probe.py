"""Validation of clips by their headers, so that an unusable clip is rejected on arrival.

As for photos, the painter has the final say, with the same problem types.
"""

from __future__ import annotations

import atexit
from dataclasses import asdict

from stylizer.clips.info import ClipInfo
from stylizer_service.problems import failure
from stylizer_service.sandbox.sandbox import ResourceLimits, Sandbox
from stylizer_service.sandboxed_headers import inspect_headers
from stylizer_service.settings import Settings

CPU_SECONDS = 10
"""CPU limit for reading the headers of one clip, seconds. A video of 64 MiB takes half a second."""
_SECONDS = 30
_OVERHEAD = 512 * 2**20  # FFmpeg's buffers and threads, and one frame
_SANDBOX = Sandbox("stylizer_service.clip_headers:examine", at_once=2)
atexit.register(_SANDBOX.close)


def probe_clip(data: bytes, settings: Settings, *, field: str) -> ClipInfo | None:
    """Validate a clip.

    Args:
        data: The whole file: an animated picture, a still one, which is a clip of one frame, or a video.
        settings: Limits.
        field: The request field, for errors.

    Returns:
        The description of the clip; None for a video that only the painters can read.

    Raises:
        ProblemError: With the type that the painter's rejection would have.
        Unavailable: The sandbox is unavailable.
    """
    request = {"limits": asdict(settings.clip_limits), "field": field}
    memory = 4 * len(data) + 16 * settings.clip_limits.max_frame_pixels + _OVERHEAD
    limits = ResourceLimits(memory=memory, cpu_seconds=CPU_SECONDS, seconds=_SECONDS)
    found = inspect_headers(_SANDBOX, request, data, limits, kind="clip", label="the clip", field=field)
    if found.get("code") == "missing-video-support" and settings.video_painters:
        return None
    if "code" in found:
        raise failure(found["code"], found["detail"], field=field, allowed=found["allowed"])
    return ClipInfo.from_json(found["info"])
