"""Command line of `stylizer-server`: its options, and the command `keys`."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

from stylizer_service import __version__
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.erasing import erase
from stylizer_service.adapters.local.keys import NAMES
from stylizer_service.ports import Unavailable
from stylizer_service.settings import Settings


class CommandError(Exception):
    """Reason, in one line, why the command cannot be carried out."""


def parser() -> argparse.ArgumentParser:
    """Build the parser. `command` is None or "keys", and `action` then "add", "list" or "remove"."""
    parser = argparse.ArgumentParser(
        prog="stylizer-server",
        description="Serve the Image Stylizer: web page, REST API and painter. It serves this machine only, unless "
        "--host gives another address; every API call then requires a key.",
        epilog="STYLIZER_* environment variables set limits and lifetimes, such as STYLIZER_MAX_BYTES; see "
        "docs/server.md.",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 serves other machines, by key (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="port to listen on; 0 picks a free one (default: %(default)s)"
    )
    parser.add_argument("--data-dir", type=Path, help="folder of uploads, jobs and paintings (default: ./data)")
    parser.add_argument(
        "--require-keys",
        action="store_true",
        help="require keys on a loopback address too, as behind a reverse proxy",
    )
    parser.add_argument(
        "--proxy",
        action="append",
        default=[],
        type=ip_network,
        metavar="ADDRESS",
        help="address or network of a proxy whose X-Forwarded-For is trusted, besides this machine; repeatable",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="allowed Host header besides localhost, without keys; repeatable",
    )
    parser.add_argument("--version", action="version", version=__version__)
    _add_keys_command(parser.add_subparsers(dest="command", title="commands", metavar="keys"))
    return parser


def _add_keys_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    place = argparse.ArgumentParser(add_help=False)
    # SUPPRESS, so that the default does not override --data-dir before the command.
    place.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, help="data folder of the server")
    keys = commands.add_parser("keys", help="API keys: keys add NAME, keys list, keys remove NAME")
    actions = keys.add_subparsers(dest="action", required=True)
    add = actions.add_parser("add", parents=[place], help="create a key, and print it once")
    add.add_argument("name", metavar="NAME", help=f"name of the caller: {NAMES}")
    actions.add_parser("list", parents=[place], help="list name, id and creation time of each key")
    remove = actions.add_parser("remove", parents=[place], help="revoke a key at once")
    remove.add_argument("name", metavar="NAME", help="name of the caller")
    remove.add_argument(
        "--with-data", action="store_true", help="also delete all data created with the key, which otherwise expires"
    )


def run_keys_command(options: argparse.Namespace, settings: Settings) -> None:
    """Add, list or remove keys of a data folder, effective at once in a running server.

    Args:
        options: Parsed options.
        settings: Settings with the data folder.

    Raises:
        CommandError: The command failed.
    """
    try:
        with closing(open_local(settings)) as local:
            match options.action:
                case "add":
                    _add_key(local, options.name)
                case "list":
                    for key in local.keys.all():
                        sys.stdout.write(f"{key.name:<24} {key.id}  {key.created_at:%Y-%m-%d %H:%M} UTC\n")
                case "remove":
                    _remove_key(local, options.name, with_data=options.with_data)
    except (OSError, RuntimeError, ValueError, Unavailable) as error:
        raise CommandError(str(error)) from error


def _add_key(local: Local, name: str) -> None:
    secret = local.keys.add(name)
    sys.stdout.write(f"{secret}\n")  # nothing else, for scripts
    sys.stdout.flush()
    sys.stderr.write(f"This is the key of {name}. It is stored nowhere: pass it on now. Send it as X-Api-Key.\n")


def _remove_key(local: Local, name: str, *, with_data: bool) -> None:
    key = next((key for key in local.keys.all() if key.name == name), None)
    if key is None:
        raise CommandError(f"no key is named {name!r}; see stylizer-server keys list")
    # Before the key is removed, so that an interrupted command can be repeated; and after, for data added meanwhile.
    count = erase(local.database, local.blobs, key.id) if with_data else 0
    local.keys.remove(name)
    if with_data:
        count += erase(local.database, local.blobs, key.id)
        sys.stdout.write(f"{count} uploads, paintings and styles deleted\n")
