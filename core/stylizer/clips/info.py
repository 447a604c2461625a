"""Description of a clip: an animated picture or a short video."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Literal, get_args

InputFormat = Literal["gif", "webp", "png", "mp4", "webm"]
"""Format of a clip to paint; "mp4" includes QuickTime, "webm" includes Matroska."""
ClipFormat = Literal["gif", "webp", "png", "mp4"]
"""Format of a painted clip."""

CLIP_FORMATS: tuple[ClipFormat, ...] = get_args(ClipFormat)
ANIMATIONS: tuple[InputFormat, ...] = ("gif", "webp", "png")
VIDEOS: tuple[InputFormat, ...] = ("mp4", "webm")
LOSSY_CLIPS: tuple[ClipFormat, ...] = ("webp", "mp4")
"""Output formats in which quality trades for size."""
MEDIA_TYPES: dict[ClipFormat, str] = {
    "gif": "image/gif",
    "webp": "image/webp",
    "png": "image/apng",
    "mp4": "video/mp4",
}


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """Description of a clip by its headers.

    Attributes:
        format: Format of the file.
        width: Width of the upright frames in pixels.
        height: Height of the upright frames in pixels.
        time_base: Length of a tick in seconds, as (numerator, denominator).
        timestamps: Start of each frame, and end of the last one, in ticks, ascending. The first is 0.
        loop: Number of times an animation is played; 0 for endlessly.
        has_audio: Whether a video has an audio track.
    """

    format: InputFormat
    width: int
    height: int
    time_base: tuple[int, int]
    timestamps: tuple[int, ...]
    loop: int = 0
    has_audio: bool = False

    @property
    def frames(self) -> int:
        """Number of frames; 1 for a still picture."""
        return len(self.timestamps) - 1

    @property
    def seconds(self) -> float:
        """Playing time of one repetition."""
        return float(self.timestamps[-1] * Fraction(*self.time_base))

    @property
    def fps(self) -> float:
        """Mean frame rate; 0 if the clip has no duration."""
        return self.frames / self.seconds if self.seconds else 0.0

    def durations(self, unit: Fraction) -> list[int]:
        """Return the duration of each frame in multiples of `unit` seconds, without accumulated rounding errors."""
        tick = Fraction(*self.time_base) / unit
        marks = [round(stamp * tick) for stamp in self.timestamps]
        return [end - start for start, end in itertools.pairwise(marks)]

    def durations_ms(self) -> list[int]:
        """Return the duration of each frame in milliseconds."""
        return self.durations(Fraction(1, 1000))

    def to_json(self) -> str:
        """Serialize; see `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ClipInfo:
        """Restore from the result of `to_json`."""
        values = json.loads(text)
        return cls(**{**values, "time_base": tuple(values["time_base"]), "timestamps": tuple(values["timestamps"])})


def default_format(name: InputFormat) -> ClipFormat:
    """Return the default output format of a clip: its own, or MP4 for a video."""
    return "mp4" if name in VIDEOS else name  # type: ignore[return-value]


def clip_format(head: bytes) -> InputFormat | None:
    """Return the format of a file that may be a clip, by its first 64 bytes.

    GIF, WebP and PNG files may turn out to be still pictures.
    """
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm"
    # Still pictures (HEIF, AVIF, JPEG 2000, Canon raw) are left to `stylizer.images`.
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _PICTURE_BRANDS else "mp4"
    return "mp4" if head[4:8] in (b"moov", b"mdat", b"wide") else None  # QuickTime without a brand


_PICTURE_BRANDS = {
    *(b"avif", b"avis", b"mif1", b"mif2", b"msf1", b"miaf", b"jp2 ", b"jpx ", b"jxl ", b"crx ", b"avci"),
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
}
