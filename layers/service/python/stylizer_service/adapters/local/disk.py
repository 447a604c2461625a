"""Telling what is the disk's fault from what is ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from stylizer_service.ports import StorageFull, Unavailable

_FULL = {errno.EDQUOT, errno.ENOSPC}
_PASSING = {
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.EROFS,
}
"""What has to do with the machine at this moment, and not with what was asked."""


@contextmanager
def reachable_disk() -> Iterator[None]:
    """Turn the error of a disk that is full or gives up, or of a system out of handles, into `Unavailable`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"the disk is full: {error}") from error
        if error.errno in _PASSING:
            raise Unavailable(f"the disk cannot be used now: {error}") from error
        raise
