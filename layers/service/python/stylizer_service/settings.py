"""Settings, read from environment variables that start with STYLIZER_."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AliasGenerator, BeforeValidator, Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from stylizer import styles
from stylizer.clips.info import VIDEOS, clip_format
from stylizer.clips.limits import DEFAULT_CLIP_LIMITS, ClipLimits
from stylizer.clips.segments import SEGMENT_FRAMES
from stylizer.images.limits import DEFAULT_LIMITS, Limits


def _seconds(value: object) -> object:
    """Convert text, as all environment values are, to seconds if it is a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Lifetime = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]


class Settings(BaseSettings):
    """Limits, lifetimes and paths. Each can be set as STYLIZER_<NAME>; an invalid value aborts startup.

    Lifetimes are given in seconds, or as ISO 8601 durations such as PT12H.

    Attributes:
        data_dir: Folder for all data of the local adapters.
        styles_dir: Folder of the built-in styles; None for the one inside the installed core.
        max_bytes: Maximum file size, bytes.
        max_pixels: Maximum image size, width x height.
        max_jpeg_pixels: The same of a JPEG photo, which is decoded at reduced size above `max_pixels`.
        max_aspect_ratio: Maximum ratio of the longer to the shorter side.
        min_side: Minimum length of the shorter side, pixels.
        max_clip_bytes: Maximum file size of a video, bytes. For an animated picture `max_bytes` holds.
        max_clip_frames: Maximum number of frames of a clip.
        max_clip_seconds: Maximum playing time of a video, seconds.
        max_clip_pixels: Maximum number of pixels of all frames of a clip together.
        max_clip_size: Maximum size of a painted clip: its long side, pixels.
        clip_chunk_frames: Frames of a chunk of a clip, about; longer clips are painted in chunks by several of the
            queue's painters at once. Unset: every clip is painted by one painter after the other.
        video_painters: Whether the painters read and check videos if this process cannot, for lack of PyAV.
        upload_ttl: How long an uploaded file can be used.
        result_ttl: How long a finished job keeps its files.
        record_ttl: How long an expired job's record stays listed after its files are deleted.
        key_ttl: How long an idempotency key is remembered.
        url_ttl: Validity of signed links and upload forms.
        lease_seconds: Lease duration: a painter without a heartbeat for this long is presumed dead.
        max_attempts: Attempts after which a job whose painters died fails.
        painter_seconds: Time limit of the queue's painters for one painting; unset if there is none.
        painter_memory: Memory of one of the queue's painters, MiB; unset if it is not limited.
        gpu: Whether a GPU endpoint takes paintings that exceed those limits or take long.
        requeue_after: Age at which a job that is still waiting while the queue is empty is sent again.
        max_wait: Maximum `Prefer: wait`, seconds.
        queue_limit: Maximum number of waiting jobs.
        url_inputs: Whether pictures may be given by URL, which painters then fetch; unset for a server with keys only.
        fetch_timeout: Total time for fetching one such picture, seconds.
        webhook_attempts: Maximum delivery attempts per webhook.
        webhook_timeout: Timeout of one delivery attempt, seconds.
    """

    model_config = SettingsConfigDict(
        # Aliases instead of a prefix, so that errors name the variable. Code uses the plain names.
        alias_generator=AliasGenerator(validation_alias=lambda name: f"STYLIZER_{name.upper()}"),
        validate_by_name=True,
        validate_by_alias=True,
        extra="ignore",
        frozen=True,
    )

    data_dir: Path = Path("data")
    styles_dir: Path | None = None
    max_bytes: PositiveInt = DEFAULT_LIMITS.max_bytes
    max_pixels: PositiveInt = DEFAULT_LIMITS.max_pixels
    max_jpeg_pixels: PositiveInt = DEFAULT_LIMITS.max_jpeg_pixels
    max_aspect_ratio: float = Field(default=DEFAULT_LIMITS.max_aspect_ratio, ge=1)
    min_side: PositiveInt = DEFAULT_LIMITS.min_side
    max_clip_bytes: PositiveInt = 64 * 2**20
    max_clip_frames: PositiveInt = DEFAULT_CLIP_LIMITS.max_frames
    max_clip_seconds: PositiveFloat = DEFAULT_CLIP_LIMITS.max_seconds
    max_clip_pixels: PositiveInt = DEFAULT_CLIP_LIMITS.max_pixels
    max_clip_size: PositiveInt = DEFAULT_CLIP_LIMITS.max_size
    clip_chunk_frames: int | None = Field(default=None, ge=SEGMENT_FRAMES)
    video_painters: bool = False
    upload_ttl: Lifetime = timedelta(hours=24)
    result_ttl: Lifetime = timedelta(hours=24)
    record_ttl: Lifetime = timedelta(days=30)
    key_ttl: Lifetime = timedelta(hours=24)
    url_ttl: Lifetime = timedelta(minutes=15)
    lease_seconds: PositiveFloat = 30.0
    max_attempts: PositiveInt = 3
    painter_seconds: PositiveFloat | None = None
    painter_memory: PositiveInt | None = None
    gpu: bool = False
    requeue_after: Lifetime = timedelta(minutes=15)
    max_wait: float = Field(default=60.0, ge=0)
    queue_limit: PositiveInt = 1000
    url_inputs: bool | None = None
    fetch_timeout: PositiveFloat = 20.0
    webhook_attempts: PositiveInt = 8
    webhook_timeout: PositiveFloat = 10.0

    def load_styles(self) -> Mapping[str, styles.Style]:
        """Read the built-in styles by id, in catalog order.

        Raises:
            FileNotFoundError: There are none in `styles_dir`, or in the core if that is not set.
            ValueError: A style is incomplete or invalid.
        """
        found = styles.load(self.styles_dir) if self.styles_dir else styles.catalog()
        if not found:
            place = self.styles_dir or "the installed core"
            raise FileNotFoundError(
                f"there are no styles in {place}; set STYLIZER_STYLES_DIR to the folder of the styles"
            )
        return found

    def max_file_bytes(self, field: str, head: bytes) -> int:
        """Return the maximum size in bytes of a file sent in a field, by its first 64 bytes."""
        is_video = field in ("content", "content_url") and clip_format(head) in VIDEOS
        return self.max_clip_bytes if is_video else self.max_bytes

    def max_bytes_of(self, media_type: str) -> int:
        """Return the maximum file size of a media type, bytes."""
        return self.max_clip_bytes if media_type.startswith("video/") else self.max_bytes

    @property
    def clip_limits(self) -> ClipLimits:
        """Return the limits on clips, as the core expects them."""
        return ClipLimits(
            max_bytes=max(self.max_bytes, self.max_clip_bytes),
            max_frames=self.max_clip_frames,
            max_seconds=self.max_clip_seconds,
            max_frame_pixels=min(self.max_pixels, DEFAULT_CLIP_LIMITS.max_frame_pixels),
            max_pixels=self.max_clip_pixels,
            max_painted_pixels=self.max_clip_frames * self.max_clip_size**2,
            max_size=self.max_clip_size,
            min_side=self.min_side,
            max_aspect_ratio=self.max_aspect_ratio,
        )

    @property
    def picture_limits(self) -> Limits:
        """Return the limits on images, as the core expects them."""
        return Limits(
            max_bytes=self.max_bytes,
            max_pixels=self.max_pixels,
            max_jpeg_pixels=self.max_jpeg_pixels,
            max_aspect_ratio=self.max_aspect_ratio,
            min_side=self.min_side,
        )
