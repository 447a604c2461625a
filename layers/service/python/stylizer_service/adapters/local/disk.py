"""Classification of disk errors."""

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
"""Error numbers caused by the environment at this moment, not by the request."""


@contextmanager
def reachable_disk() -> Iterator[None]:
    """Raise `StorageFull` if the disk is full, `Unavailable` for I/O errors or exhausted file descriptors."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"the disk is full: {error}") from error
        if error.errno in _PASSING:
            raise Unavailable(f"the disk cannot be used now: {error}") from error
        raise
