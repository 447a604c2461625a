"""What can be set from outside, through environment variables that start with STYLIZER_."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AliasGenerator, BeforeValidator, Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from stylizer.images.limits import DEFAULT_LIMITS, Limits


def _seconds(value: object) -> object:
    """A number that came as text, as everything in the environment does, is one of seconds."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Lifetime = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]


class Settings(BaseSettings):
    """Limits, lifetimes and places. Each can be set as STYLIZER_<NAME>; a wrong value stops the start.

    Lifetimes are given in seconds, or as ISO 8601 durations such as PT12H.

    Attributes:
        data_dir: Where the local adapters keep everything.
        styles_dir: Folder of the built-in styles; None finds the one inside the installed core.
        max_bytes: Largest file taken, bytes.
        max_pixels: Largest picture taken, width x height.
        max_aspect_ratio: Longest side over shortest.
        min_side: Shortest side taken, pixels.
        upload_ttl: How long an uploaded file can be used.
        result_ttl: How long a finished job keeps its files.
        record_ttl: How long the bare record of an expired job stays in the lists.
        key_ttl: How long an idempotency key is remembered.
        url_ttl: How long a signed link or upload form is valid.
        lease_seconds: A painter silent for so long is taken for dead.
        max_attempts: A job whose painter died so often is given up.
        painter_seconds: Longest painting of the painters at the queue; unset where nothing ends it.
        painter_memory: Memory of a painter at the queue, MiB; unset where it is not limited.
        gpu: Whether there is an endpoint with a GPU for what is too much for them, or takes them long.
        requeue_after: A job that has waited so long while the queue is empty is sent again.
        max_wait: Longest `Prefer: wait`, seconds.
        queue_limit: Most jobs waiting at a time.
        webhook_attempts: How often it is tried to tell a caller that a job has ended.
        webhook_timeout: Longest that one such try may take, seconds.
    """

    model_config = SettingsConfigDict(
        # Aliases, and not a prefix, so that errors name the variable. In code the plain names are used.
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
    max_aspect_ratio: float = Field(default=DEFAULT_LIMITS.max_aspect_ratio, ge=1)
    min_side: PositiveInt = DEFAULT_LIMITS.min_side
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
    webhook_attempts: PositiveInt = 8
    webhook_timeout: PositiveFloat = 10.0

    @property
    def picture_limits(self) -> Limits:
        """The limits on pictures, for the core."""
        return Limits(
            max_bytes=self.max_bytes,
            max_pixels=self.max_pixels,
            max_aspect_ratio=self.max_aspect_ratio,
            min_side=self.min_side,
        )
