"""`stylizer-server keys`: who may call."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from functions.local.failures import CannotStartError
from stylizer_service.clock import SystemClock
from stylizer_service.local.database import Database
from stylizer_service.local.keys import Keys
from stylizer_service.ports import Unavailable


def run(action: str, name: str | None, data_dir: Path) -> None:
    """Do one thing with the keys of a data folder; a server that uses it knows at once.

    Args:
        action: "add", "list" or "remove".
        name: Whose key.
        data_dir: The folder, which is there.

    Raises:
        CannotStartError: It could not be done.
    """
    try:
        with closing(Database(data_dir / "stylizer.db")) as database:
            _run(Keys(database, SystemClock()), action, name)
    except (RuntimeError, Unavailable) as error:
        raise CannotStartError(str(error)) from error


def _run(keys: Keys, action: str, name: str | None) -> None:
    if name is None:
        _list(keys)
    elif action == "add":
        _add(keys, name)
    elif not keys.remove(name):
        raise CannotStartError(f"there is no key named {name!r}; see stylizer-server keys list")


def _add(keys: Keys, name: str) -> None:
    try:
        secret = keys.add(name)
    except ValueError as error:
        raise CannotStartError(str(error)) from error
    # The key alone goes to standard output, so that a script can take it from there.
    sys.stdout.write(f"{secret}\n")
    sys.stdout.flush()
    sys.stderr.write(f"This is the key of {name}. It is kept nowhere: hand it over now. Calls send it as X-Api-Key.\n")


def _list(keys: Keys) -> None:
    for key in keys.all():
        sys.stdout.write(f"{key.name:<24} {key.id}  {key.created_at:%Y-%m-%d %H:%M} UTC\n")
