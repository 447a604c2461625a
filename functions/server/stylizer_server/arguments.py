"""What `stylizer-server` can be told on its command line."""

from __future__ import annotations

import argparse
from ipaddress import ip_network
from pathlib import Path

from stylizer_service import __version__
from stylizer_service.adapters.local.keys import NAMES


def parser() -> argparse.ArgumentParser:
    """The parser of everything. `command` is None, or "keys" and then `action` is one of "add", "list", "remove"."""
    parser = argparse.ArgumentParser(
        prog="stylizer-server",
        description="Serve the Image Stylizer: its page, its REST API and a painter. To this machine alone, unless "
        "--host names another address: then each call takes a key.",
        epilog="STYLIZER_* environment variables set limits and lifetimes, such as STYLIZER_MAX_BYTES; docs/server.md "
        "lists them.",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 lets others in, who each need a key (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="port to listen on; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--data-dir", type=Path, help="folder that keeps uploads, jobs and paintings (default: ./data)")
    parser.add_argument(
        "--require-keys",
        action="store_true",
        help="ask for keys on this machine too, as behind a proxy that lets others in",
    )
    parser.add_argument(
        "--proxy",
        action="append",
        default=[],
        type=ip_network,
        metavar="ADDRESS",
        help="address or network of a proxy whose X-Forwarded-For is to be believed, besides this machine; repeatable",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name this machine is reached by, besides localhost, where no key is asked for; repeatable",
    )
    parser.add_argument("--version", action="version", version=__version__)
    _add_keys(parser.add_subparsers(dest="command", title="besides serving", metavar="keys"))
    return parser


def _add_keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    place = argparse.ArgumentParser(add_help=False)
    # SUPPRESS, so that the default here does not undo what was said before the command.
    place.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, help="the data folder of the server")
    keys = commands.add_parser("keys", help="who may call: keys add NAME, keys list, keys remove NAME")
    actions = keys.add_subparsers(dest="action", required=True)
    add = actions.add_parser("add", parents=[place], help="make a key and print it, once")
    add.add_argument("name", metavar="NAME", help=f"what to call the caller: {NAMES}")
    actions.add_parser("list", parents=[place], help="print name, id and time of each key")
    remove = actions.add_parser("remove", parents=[place], help="have a key no longer be valid, from this moment on")
    remove.add_argument("name", metavar="NAME", help="as it was added")
    remove.add_argument(
        "--with-data", action="store_true", help="delete all that was made with it too, which otherwise expires"
    )
