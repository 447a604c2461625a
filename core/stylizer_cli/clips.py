"""Painting of a clip, an animated picture or a video, by `stylizer paint` on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stylizer.clips import ClipFormat, ClipInfo, clip_format, default_format
from stylizer.clips.info import LOSSY_CLIPS, VIDEOS, InputFormat
from stylizer.compute import configure_process
from stylizer.errors import ImageError, OptionError
from stylizer.images.encoding import check_quality
from stylizer.options import DEFAULT_FORMAT_QUALITY, Format
from stylizer.output import SUFFIXES, write_atomically
from stylizer_cli.jobs import PaintRequest
from stylizer_cli.runner import read_styles
from stylizer_cli.screen import print_note, print_output, progress_bars
from stylizer_cli.sources import STANDARD_STREAM, file_name
from stylizer_cli.targets import check_writable

CLIP_SUFFIXES: dict[str, ClipFormat] = {
    ".gif": "gif",
    ".webp": "webp",
    ".png": "png",
    ".apng": "png",
    ".mp4": "mp4",
    ".m4v": "mp4",
}
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class ClipJob:
    """A clip to paint: its file, how, and where to write it."""

    source: Path
    request: PaintRequest
    path: Path
    format: ClipFormat


def plan_clip(
    source: str, request: PaintRequest, output: str | None, wanted: Format | None, force: bool
) -> ClipJob | None:
    """Plan the painting of a clip; None if `source` is a still picture, or only its first frame is to be painted.

    Raises:
        OptionError: The painting cannot be written there, or an option does not go with clips.
    """
    name = _moving_format(source)
    if name is None or output == STANDARD_STREAM:
        return None
    path = Path(output or "")
    if output is None or path.is_dir():
        if wanted is not None and f".{wanted}" not in CLIP_SUFFIXES and name not in VIDEOS:
            return None
        suffix = f".{wanted or default_format(name)}"
        path /= "-".join([Path(source).stem, *(Path(file_name(style)).stem for style in request.names)]) + suffix
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
    _check_request(request, form)
    check_writable(path, force)
    return ClipJob(Path(source), request, path, form)


def _check_request(request: PaintRequest, form: ClipFormat) -> None:
    if request.variants > 1:
        raise OptionError(f"variants is {request.variants}; a clip has 1", field="variants", allowed="1 for a clip")
    if request.format_quality is not None:
        if form not in LOSSY_CLIPS:
            allowed = ", ".join(LOSSY_CLIPS)
            detail = f"format_quality is {request.format_quality}, but {form} has none; it goes with {allowed}"
            raise OptionError(detail, field="format_quality", allowed=LOSSY_CLIPS)
        check_quality(request.format_quality)


def _moving_format(source: str) -> InputFormat | None:
    """Return the format of a video or of a picture that moves; None for all others, and for unreadable files."""
    path = Path(source)
    if source == STANDARD_STREAM or not path.is_file():
        return None
    with path.open("rb") as file:
        name = clip_format(file.read(_SIGNATURE_BYTES))
    if name is None or name in VIDEOS:
        return name
    from stylizer.clips import probe

    try:
        info: ClipInfo = probe(path)
    except ImageError as error:
        # A clip beyond the limits is refused; what else is wrong is said of the picture.
        if error.code == "clip-too-long":
            raise
        return None
    return name if info.frames > 1 else None


def paint_clip(job: ClipJob, *, quiet: bool) -> None:
    """Paint a clip on this machine, write it as a whole, and report."""
    configure_process()
    from stylizer import stylize_clip  # imports torch, which takes seconds

    request = job.request
    with progress_bars(quiet=quiet) as bars, bars.bar("painting") as on_progress:
        clip = stylize_clip(
            job.source,
            read_styles(request),
            method=request.method,
            options=request.options,
            mask=request.mask,
            content_mask=request.content_mask,
            format=job.format,
            format_quality=request.format_quality or DEFAULT_FORMAT_QUALITY,
            on_progress=lambda progress: on_progress(round(1000 * progress.fraction), 1000),
        )
    write_atomically(job.path, clip.data)
    if quiet:
        return
    print_output(job.path)
    width, height = clip.size
    moved = clip.info.frames - clip.painted
    print_note(
        f"painted {clip.info.frames} frames of {width} x {height} pixels in {clip.seconds:.1f} s"
        + (f"; {moved} showed nothing new" if moved else "")
    )
