"""Size quota of the data folder, enforced without walking the folder for each file."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stylizer_service.problems import failure

_STALE = 60.0
"""Maximum age of a measurement, seconds; until then, painters' writes and the sweep's deletions are not seen."""
_HASTE = 1.0
"""The same when the folder appears full, so that recent deletions free space soon."""
_SHARE = 20
"""Measuring takes at most 1/_SHARE of the time."""
_FREE_SHARE = 20
_MAX_FREE = 2**28
"""Default `min_free`: 1/_FREE_SHARE of the disk, at most _MAX_FREE bytes."""


class Quota:
    """Free space in a folder. Thread-safe.

    New files are counted as they arrive, and the folder itself is measured periodically, so the count is correct after
    a restart and includes writes and deletions by others.

    Args:
        folder: The folder; all files count, including unfinished ones, and hard-linked files once.
        max_bytes: Maximum size of the folder; None for no limit other than the disk.
        min_free: Bytes to keep free on its disk; None for a twentieth of the disk, at most 256 MiB.
        clock: Monotonic time source, seconds.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int | None, min_free: int | None, clock: Callable[[], float] = time.monotonic
    ):
        self._folder = folder
        self._max_bytes = max_bytes
        self._min_free = min_free
        self._clock = clock
        self._lock = threading.Lock()
        self._used = 0  # last measurement plus files added since
        self._held = 0  # reserved for files being written
        self._measured_at: float | None = None
        self._took = 0.0

    def check(self, length: int = 0, *, promised: int = 0) -> None:
        """Check for free space.

        Args:
            length: Bytes requested.
            promised: Bytes reserved for others.

        Raises:
            ProblemError: `storage-full`.
        """
        with self._lock:
            self._check(length + promised)

    @contextmanager
    def hold(self, length: int, *, promised: int = 0) -> Iterator[None]:
        """Reserve space for a file while it is written; see `check`."""
        with self._lock:
            self._check(length + promised)
            self._held += length
        try:
            yield
        finally:
            with self._lock:
                self._held -= length
                self._used += length  # if the write failed, the next measurement corrects this

    def _check(self, wanted: int) -> None:
        self._check_disk(wanted)
        self._check_folder(wanted)

    def _check_disk(self, wanted: int) -> None:
        disk = shutil.disk_usage(self._folder)
        min_free = min(_MAX_FREE, disk.total // _FREE_SHARE) if self._min_free is None else self._min_free
        if disk.free < min_free + self._held + wanted:
            raise failure("storage-full", "the disk of this service is nearly full; try again later")

    def _check_folder(self, wanted: int) -> None:
        if self._max_bytes is None:
            return
        if self._is_older_than(_STALE):
            self._measure()
        if self._is_too_much(wanted) and self._is_older_than(_HASTE):
            self._measure()
        if self._is_too_much(wanted):
            raise failure("storage-full", "storage quota exceeded; try again when files have expired")

    def _is_too_much(self, wanted: int) -> bool:
        return self._max_bytes is not None and self._used + self._held + wanted > self._max_bytes

    def _is_older_than(self, seconds: float) -> bool:
        return self._measured_at is None or self._clock() - self._measured_at > max(seconds, _SHARE * self._took)

    def _measure(self) -> None:
        started = self._clock()
        self._used = size_of(self._folder)
        self._measured_at = self._clock()
        self._took = self._measured_at - started


def size_of(folder: Path) -> int:
    """Return the disk usage of a folder, bytes, tolerating concurrent changes; hard links count once."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            try:
                about = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - Path objects would double the time
            except FileNotFoundError:
                continue
            if about.st_nlink > 1 and not stat.S_ISDIR(about.st_mode):
                if (about.st_dev, about.st_ino) in seen:
                    continue
                seen.add((about.st_dev, about.st_ino))
            total += about.st_blocks * 512
    return total
