"""Targets of clips: animated pictures and videos, of which every frame is painted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stylizer.clips.info import LOSSY_CLIPS, VIDEOS, ClipFormat, InputFormat, clip_format, default_format
from stylizer.errors import ImageError, OptionError
from stylizer.options import FORMATS, Format, check_choice, check_clip_metadata
from stylizer.output import SUFFIXES
from stylizer_cli.sources import STANDARD_STREAM
from stylizer_cli.targets import Target, check_writable, choose_quality, default_stem

if TYPE_CHECKING:
    from stylizer_cli.jobs import PaintRequest

CLIP_SUFFIXES: dict[str, ClipFormat] = {
    ".gif": "gif",
    ".webp": "webp",
    ".png": "png",
    ".apng": "png",
    ".mp4": "mp4",
    ".m4v": "mp4",
}
_SIGNATURE_BYTES = 64


def choose_clip_target(
    source: str, request: PaintRequest, output: str | None, wanted: Format | None, force: bool
) -> Target | None:
    """Choose path and format of a painted clip; None if `source` is a still picture, or its first frame is wanted.

    Raises:
        OptionError: The painting cannot be written there, or an option does not go with clips.
    """
    name = _moving_format(source)
    if name is None or output == STANDARD_STREAM:
        return None
    if wanted is not None:
        check_choice("format", wanted, FORMATS)
    path = Path(output or "")
    if output is None or path.is_dir():
        if wanted is not None and f".{wanted}" not in CLIP_SUFFIXES and name not in VIDEOS:
            return None
        path /= f"{default_stem(source, request.names)}.{wanted or default_format(name)}"
    suffix = path.suffix.lower()
    if suffix not in CLIP_SUFFIXES:
        if suffix in SUFFIXES and name not in VIDEOS:
            return None
        allowed = tuple(CLIP_SUFFIXES)
        detail = f"output is {str(path)!r}; the suffix of a clip must be one of {', '.join(allowed)}"
        raise OptionError(detail, field="output", allowed=allowed)
    form = CLIP_SUFFIXES[suffix]
    if wanted is not None and wanted != form:
        raise OptionError(f"format is {wanted}, but the suffix of {str(path)!r} says {form}", field="format")
    if request.variants > 1:
        detail = f"variants is {request.variants}, and {source!r} is a clip, which has 1"
        raise OptionError(detail, field="variants", allowed="1 for a clip")
    check_clip_metadata(request.options.keep_metadata)
    choose_quality(request.format_quality, form, LOSSY_CLIPS)
    check_writable(path, force)
    return Target(path, form)


def _moving_format(source: str) -> InputFormat | None:
    """Return the format of a video or of a picture that moves; None for all others, and for unreadable files."""
    path = Path(source)
    if source == STANDARD_STREAM or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            name = clip_format(file.read(_SIGNATURE_BYTES))
        if name is None or name in VIDEOS:
            return name
        from stylizer.clips.frames import probe  # imports NumPy and Pillow

        return name if probe(path).frames > 1 else None
    except OSError:
        return None
    except ImageError as error:
        # Painting refuses a clip beyond the limits, and anything else that is wrong with a picture.
        return name if error.code == "clip-too-long" else None
