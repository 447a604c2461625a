"""The service to paint by, as given by options and environment."""

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
    """Base URL, API key (None if not required), and number of concurrent jobs."""

    api: str
    key: str | None
    jobs: int = DEFAULT_JOBS


def resolve_service(api: str | None, key: str | None, jobs: int | None = None) -> Service | None:
    """Validate the options of a service; None without one, to paint on this machine.

    Raises:
        OptionError: An option requires --api, the key has invalid characters, or `jobs` is out of range.
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
    check_client("api", "api is given")
    # Read here rather than by typer: a key in the environment without --api is no error.
    key = key or os.environ.get(KEY_VARIABLE)
    if key and not re.fullmatch(r"[!-~]+", key):  # a secret, so the message leaves it out
        allowed = "printable ASCII without spaces"
        raise OptionError(f"key has other characters than {allowed}", field="key", allowed=allowed)
    return Service(api, key, jobs or DEFAULT_JOBS)


def check_client(field: str, given: str) -> None:
    """Raise an OptionError unless the extra `client`, which `given` requires, is installed."""
    if find_spec("httpx") is None:
        detail = f"{given}, but the client is not installed: install image-stylizer[client]"
        raise OptionError(detail, field=field)
