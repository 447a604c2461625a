"""`stylizer-server keys`: who may call."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from stylizer_server.failures import CannotStartError
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.erasing import erase
from stylizer_service.ports import Unavailable
from stylizer_service.settings import Settings


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Do one thing with the keys of a data folder; a server that uses it knows at once.

    Args:
        options: What is to be done, as `arguments.parser` reads it.
        settings: Where the folder is.

    Raises:
        CannotStartError: It could not be done.
    """
    try:
        with closing(open_local(settings)) as local:
            match options.action:
                case "add":
                    _add(local, options.name)
                case "list":
                    _list(local)
                case "remove":
                    _remove(local, options.name, with_data=options.with_data)
    except (OSError, RuntimeError, ValueError, Unavailable) as error:
        raise CannotStartError(str(error)) from error


def _add(local: Local, name: str) -> None:
    secret = local.keys.add(name)
    # The key alone goes to standard output, so that a script can take it from there.
    sys.stdout.write(f"{secret}\n")
    sys.stdout.flush()
    sys.stderr.write(f"This is the key of {name}. It is kept nowhere: hand it over now. Calls send it as X-Api-Key.\n")


def _list(local: Local) -> None:
    for key in local.keys.all():
        sys.stdout.write(f"{key.name:<24} {key.id}  {key.created_at:%Y-%m-%d %H:%M} UTC\n")


def _remove(local: Local, name: str, *, with_data: bool) -> None:
    key = next((key for key in local.keys.all() if key.name == name), None)
    if key is None:
        raise CannotStartError(f"there is no key named {name!r}; see stylizer-server keys list")
    # Before the key goes, so that whoever is stopped can begin again; and after, for what has come meanwhile.
    count = erase(local.database, local.blobs, key.id) if with_data else 0
    local.keys.remove(name)
    if with_data:
        count += erase(local.database, local.blobs, key.id)
        sys.stdout.write(f"{count} uploads, paintings and styles deleted\n")
