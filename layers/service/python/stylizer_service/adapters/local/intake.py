"""Quotas of the local server, per caller and in total."""

from __future__ import annotations

from contextlib import AbstractContextManager

from stylizer.options import SIZE_RANGE
from stylizer_service.adapters.local.database import Database
from stylizer_service.adapters.local.quota import Quota
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.problems import failure
from stylizer_service.records import Job

LOCAL_OWNER = "local"
"""Owner of all resources when API keys are off: a single local caller without per-key quotas."""

_VIDEO, _ANIMATION = 0.25, 3.0  # approximate bytes per pixel of a clip, with its segments
_LOSSLESS = 4  # approximate bytes per pixel; lossy formats take less than one
_UPLOADS = "SELECT count(*) FROM uploads WHERE owner = ?"
_STYLES = "SELECT count(*) FROM styles WHERE owner = ?"
_WAITING = "SELECT count(*) FROM jobs WHERE owner = ? AND status = 'queued'"
_PROMISED = """
SELECT coalesce(sum(
    variants * coalesce(frames, 1)
    * CASE json_extract(options, '$.size')
        WHEN 'original' THEN ?
        ELSE json_extract(options, '$.size') * json_extract(options, '$.size')
    END
    * CASE
        WHEN frames IS NOT NULL AND json_extract(options, '$.format') = 'mp4' THEN ?
        WHEN frames IS NOT NULL THEN ?
        WHEN json_extract(options, '$.format') IN ('png', 'tiff') THEN ?
        ELSE 1
    END
), 0) FROM jobs WHERE status IN ('queued', 'running')
"""


class LocalIntake:
    """Port `Intake`.

    Args:
        database: Source of each owner's counts.
        quota: Disk quota.
        settings: Limits per owner.
    """

    def __init__(self, database: Database, quota: Quota, settings: LocalSettings):
        self._database = database
        self._quota = quota
        self._settings = settings

    def upload(self, owner: str) -> None:
        """Raise `too-many-uploads` or `storage-full` if the owner may not have another upload."""
        most = self._settings.key_uploads
        detail = "too many of your uploads are stored; delete some, or wait until they expire"
        self._check(_UPLOADS, owner, most, "too-many-uploads", detail, f"at most {most} at a time")
        self.check_space()

    def check_space(self) -> None:
        """Raise `storage-full` if there is no space beyond that reserved for pending paintings."""
        self._quota.check(promised=self._promised())

    def file(self, length: int) -> AbstractContextManager[None]:
        """Reserve `length` bytes in addition to pending paintings."""
        return self._quota.hold(length, promised=self._promised())

    def style(self, owner: str) -> None:
        """Raise `too-many-styles` if the owner has reached the limit."""
        most = self._settings.key_styles
        detail = "you have reached the maximum number of styles; delete one first"
        self._check(_STYLES, owner, most, "too-many-styles", detail, f"at most {most} of your own")

    def job(self, job: Job) -> None:
        """Raise `queue-full` or `storage-full` if the owner may not queue another job or the painting would not fit."""
        most = self._settings.key_queue_limit
        detail = "too many of your stylizations are queued; try again later"
        self._check(_WAITING, job.owner, most, "queue-full", detail, f"at most {most} queued")
        self._quota.check(promised=self._promised() + _bytes_of(job))

    def _check(self, statement: str, owner: str, most: int, code: str, detail: str, allowed: str) -> None:
        """Raise the problem if the statement counts `most` or more for the owner."""
        row = self._database.one(statement, [owner]) if owner != LOCAL_OWNER else None
        if row and row[0] >= most:
            raise failure(code, detail, allowed=allowed)

    def _promised(self) -> int:
        row = self._database.one(_PROMISED, [SIZE_RANGE[1] ** 2, _VIDEO, _ANIMATION, _LOSSLESS])
        return int(row[0]) if row else 0


def _bytes_of(job: Job) -> int:
    """Return the approximate upper bound of what a job will store, bytes; most store less."""
    options = job.options
    side = SIZE_RANGE[1] if options.size == "original" else options.size  # before the photo is read
    if job.frames is not None:
        return int(job.frames * side**2 * (_VIDEO if options.format == "mp4" else _ANIMATION))
    return job.variants * side**2 * (_LOSSLESS if options.format in ("png", "tiff") else 1)
