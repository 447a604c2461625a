"""Clip header inspection; run by `clip_probe`, in sandbox workers only.

Blocks of an animated picture are walked in plain Python. The container of a video is read by FFmpeg, and once it is
within the limits, one frame is decoded.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from stylizer.clips.animations import probe_animation
from stylizer.clips.info import VIDEOS, ClipInfo, clip_format
from stylizer.clips.limits import ClipLimits
from stylizer.errors import MissingVideoSupport, StylizerError

with suppress(ImportError):
    import av  # noqa: F401 - an optional dependency, imported before the zygote forks


def examine(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Inspect the headers of a clip.

    Args:
        request: "limits", the fields of `ClipLimits`, and "field".
        data: The file.

    Returns:
        "info", a `ClipInfo` as JSON, or "code", "detail" and "allowed" of the error. The body is empty.
    """
    limits, field = ClipLimits(**request["limits"]), request["field"]
    try:
        return {"info": _probe(data, limits, field).to_json()}, b""
    except StylizerError as error:
        return {"code": error.code, "detail": error.detail, "allowed": error.allowed}, b""


def _probe(data: bytes, limits: ClipLimits, field: str) -> ClipInfo:
    if clip_format(data[:64]) not in VIDEOS:
        return probe_animation(data, limits, field)
    try:
        from stylizer.clips.video import probe_video
    except ImportError:  # the layer on AWS ships without it
        raise MissingVideoSupport("videos cannot be read by this process", field=field) from None
    return probe_video(data, limits, field)
