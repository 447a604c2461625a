"""Paint jobs: what to paint and where to write it, validated before any time is spent on painting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stylizer.clips.info import LOSSY_CLIPS
from stylizer.errors import OptionError, StylizerError
from stylizer.options import LOSSY, Format, MethodName, Options, check_weight
from stylizer_cli.clips import choose_clip_target
from stylizer_cli.service import check_client
from stylizer_cli.sources import STANDARD_STREAM, check_url, file_name, is_url
from stylizer_cli.targets import (
    Target,
    check_writable,
    choose_quality,
    choose_target,
)


class StyleChoice(NamedTuple):
    """A style or picture, its weight, and the file with the mask of where it paints, if any."""

    name: str
    weight: float = 1.0
    mask: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintRequest:
    """How to paint: styles, method, options, masks, number of variants, and the encoder quality if given."""

    styles: Sequence[StyleChoice]
    method: MethodName
    options: Options
    mask: str | None = None
    content_mask: str | None = None
    variants: int = 1
    format_quality: int | None = None

    @property
    def names(self) -> list[str]:
        """Names of the styles."""
        return [style.name for style in self.styles]


@dataclass(frozen=True, slots=True)
class PaintJob:
    """A photo or clip to paint.

    Attributes:
        photo: Path, URL, or - for stdin.
        request: How to paint it.
        target: Where to write the painting; for several variants, their common name.
        name: Label of the progress bar.
        is_resumable: Whether repeating the command after an interruption resumes the job.
        animate: Whether `photo` is a clip, of which every frame is painted.
    """

    photo: str
    request: PaintRequest
    target: Target
    name: str = "painting"
    is_resumable: bool = True
    animate: bool = False

    @property
    def targets(self) -> list[Target]:
        """Target of each variant: NAME-1.jpg, NAME-2.jpg and so on; the target itself if there is only one."""
        if self.request.variants == 1:
            return [self.target]
        path = self.target.path
        assert path is not None  # several cannot go to stdout
        names = (f"{path.stem}-{number}{path.suffix}" for number in range(1, self.request.variants + 1))
        return [self.target._replace(path=path.with_name(name)) for name in names]

    @property
    def sheet(self) -> Path | None:
        """Where to write the contact sheet of several variants; None for one."""
        if self.request.variants == 1 or self.target.path is None:
            return None
        return self.target.path.with_name(f"{self.target.path.stem}-sheet.jpg")

    @property
    def files(self) -> list[Path]:
        """All files the job writes, except to stdout."""
        paths = [target.path for target in self.targets] + [self.sheet]
        return [path for path in paths if path is not None]

    @property
    def quality(self) -> int:
        """Encoder quality, 1-100."""
        lossy = LOSSY_CLIPS if self.animate else LOSSY
        return choose_quality(self.request.format_quality, self.target.format, lossy)


class Painted(NamedTuple):
    """Outcome of a job: size in pixels, painting time in seconds, features used, and number of frames of a clip."""

    width: int
    height: int
    seconds: float
    features: str | None
    frames: int | None = None


OnEnd = Callable[[PaintJob, Painted | StylizerError], None]
"""Receives the outcome of each job; an exception raised from it ends the command."""


def parse_style(text: str) -> StyleChoice:
    """Split "woodcut=0.7@sky.png" into style, weight and mask; the name of an existing file is a style as a whole.

    Raises:
        OptionError: The weight is not above 0.
    """
    name, _, mask = text.rpartition("@")
    if not (name and mask) or Path(text).exists() or (is_url(text) and not Path(mask).exists()):
        return StyleChoice(*_split_weight(text))
    return StyleChoice(*_split_weight(name), mask)


def _split_weight(text: str) -> tuple[str, float]:
    name, equals, number = text.rpartition("=")
    if not equals or Path(text).exists():
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        return text, 1.0
    if is_url(text) and _ends_in_parameter(name):
        return text, 1.0
    check_weight(weight)
    return name, weight


def _ends_in_parameter(url: str) -> bool:
    """Whether "=N" after this URL is the value of its last query parameter."""
    _, question, query = url.partition("?")
    return bool(question) and "=" not in query.rpartition("&")[2]


def plan_single(photo: str, request: PaintRequest, output: str | None, wanted: Format | None, force: bool) -> PaintJob:
    """Plan one painting.

    Raises:
        OptionError: It cannot be written there.
    """
    clip = choose_clip_target(photo, request, output, wanted, force)
    if clip is not None:
        return PaintJob(photo, request, clip, animate=True)
    has_variants = request.variants > 1
    if has_variants and output == STANDARD_STREAM:
        detail = f"variants is {request.variants}, and stdout takes one painting; give a file or a folder with -o"
        raise OptionError(detail, field="variants", allowed="1 to stdout")
    job = PaintJob(photo, request, choose_target(photo, request.names, output, wanted, force or has_variants))
    if has_variants:
        for path in job.files:
            check_writable(path, force)
    choose_quality(request.format_quality, job.target.format)
    return job


def plan_batch(
    photos: Sequence[str], request: PaintRequest, output: str | None, to: str | None, wanted: Format | None
) -> list[PaintJob]:
    """Plan many paintings, named PHOTO-STYLE, in the folder `output` or in `to`, which is created if necessary.

    Raises:
        OptionError: They cannot be written there.
    """
    if STANDARD_STREAM in photos:
        raise OptionError("photo is -, which cannot be one of many", field="photo", allowed="names of files")
    folder = to or output or "."
    if not Path(folder).is_dir() and (to is None or Path(to).exists()):
        detail = f"output is {folder!r}, which is not a folder, and there are several paintings; --to creates one"
        raise OptionError(detail, field="output")
    Path(folder).mkdir(parents=True, exist_ok=True)
    jobs: dict[Path, PaintJob] = {}
    for photo in dict.fromkeys(photos):
        clip = choose_clip_target(photo, request, folder, wanted, force=True)
        target = clip or choose_target(photo, request.names, folder, wanted, force=True)
        assert target.path is not None  # only stdout has none
        if target.path in jobs:
            detail = f"{jobs[target.path].photo!r} and {photo!r} would both become {str(target.path)!r}"
            raise OptionError(detail, field="photo", allowed="photos of different names")
        jobs[target.path] = PaintJob(photo, request, target, file_name(photo), animate=clip is not None)
        jobs[target.path].quality  # noqa: B018 - checks it
    return list(jobs.values())


def check_urls(photos: Sequence[str], request: PaintRequest) -> None:
    """Raise an OptionError for a URL that cannot be fetched: not https, or without httpx."""
    for field, source in [*(("photo", photo) for photo in photos), *(("style", style) for style in request.names)]:
        if is_url(source):
            check_url(source, field)
            check_client(field, f"{field} is a URL")
