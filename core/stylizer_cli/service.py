"""Which service is to paint, if not this machine."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import NamedTuple

from stylizer.errors import OptionError

KEY_VARIABLE = "STYLIZER_KEY"
JOBS_RANGE = (1, 64)
DEFAULT_JOBS = 4


class Service(NamedTuple):
    """Where it is, the key it knows us by (None: it asks for none), and how many paintings are asked for at once."""

    api: str
    key: str | None
    jobs: int = DEFAULT_JOBS


def the_service(api: str | None, key: str | None, jobs: int | None = None) -> Service | None:
    """The service that was named, or None where this machine is to paint.

    Raises:
        OptionError: An option that only goes with a service, a key that cannot be sent, or a number of jobs out of its
            range.
    """
    if not api:
        for name, value in (("key", key), ("jobs", jobs)):
            if value is not None:
                raise OptionError(f"{name} is given, which only goes with --api", field=name, allowed="nothing here")
        return None
    low, high = JOBS_RANGE
    if jobs is not None and not (isinstance(jobs, int) and low <= jobs <= high):
        allowed = f"a whole number from {low} to {high}"
        raise OptionError(f"jobs is {jobs!r}; it must be {allowed}", field="jobs", allowed=allowed)
    _check_client()
    # The variable is not the option's own: a key that is set for other times is no mistake.
    key = key or os.environ.get(KEY_VARIABLE)
    if key and not re.fullmatch(r"[!-~]+", key):  # which is a secret, and not told
        allowed = "printable ASCII without spaces"
        raise OptionError(f"key has other characters than {allowed}", field="key", allowed=allowed)
    return Service(api, key, jobs or DEFAULT_JOBS)


def _check_client() -> None:
    """Raise an OptionError unless the client, which is an extra, is installed."""
    if find_spec("httpx") is None:
        detail = "api is given, and the client is not installed: it is the extra 'client' of image-stylizer"
        raise OptionError(detail, field="api")
