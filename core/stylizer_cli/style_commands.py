"""`stylizer styles`: the styles there are, and more of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stylizer import styles
from stylizer.errors import OptionError
from stylizer_cli import options as given
from stylizer_cli.screen import out, tell
from stylizer_cli.service import Service, the_service

_EXAMPLES = """\
\b
Examples
  stylizer styles
  stylizer styles add quilt quilt.jpg
  stylizer paint cat.jpg --style quilt
"""

app = typer.Typer(epilog=_EXAMPLES, invoke_without_command=True)


class _Row(NamedTuple):
    id: str
    title: str
    artist: str
    year: str
    description: str


@app.callback()
def _list_styles(context: typer.Context, api: given.Api = None, key: given.Key = None) -> None:
    """List the styles, or add one of your own."""
    if context.invoked_subcommand is not None:
        return
    service = the_service(api, key)
    rows = _of_this_machine() if service is None else _of_service(service)
    console = Console(markup=False, emoji=False)  # titles are anybody's words
    if not console.is_terminal:  # one line each, for other programs
        for row in rows:
            out("\t".join(row))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("style", "title", "by"):
        table.add_column(heading, no_wrap=True, style="bold" if heading == "style" else None)
    table.add_column("looks")
    for row in rows:
        table.add_row(row.id, row.title, ", ".join(filter(None, (row.artist, row.year))), row.description)
    console.print(table)


@app.command("add", no_args_is_help=True)
def _add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.", show_default=False)],
    file: Annotated[str, typer.Argument(metavar="FILE", help="What it looks like: any picture.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a style of yours of that name.")] = False,
    api: given.ApiAgain = None,
    key: given.Key = None,
) -> None:
    """Add a style of your own, here or at a service; what to paint in it by goes to stdout."""
    assert context.parent is not None  # `styles`, before whose subcommand --api and --key may stand as well
    said_before = context.parent.params
    service = the_service(said_before["api"] if api is None else api, key or said_before["key"])
    if service is None:
        from stylizer import style_folder  # brings torch

        out(style_folder.add(name, Path(file), replace=force).id)
        tell(f"paint in it with --style {name}")
        return
    if force:
        raise OptionError(
            "force is given, which a service has no use for: each style there is a new one", field="force"
        )
    from stylizer_cli import remote  # brings httpx

    style = remote.add_style(service, name, file)
    out(style)
    tell(f"paint in it with --style {style}, at {service.api}")


def _of_this_machine() -> Iterable[_Row]:
    known = [*styles.catalog().values(), *styles.user_styles().values()]
    return [_Row(style.id, style.title, style.artist, style.year, style.description) for style in known]


def _of_service(service: Service) -> Iterable[_Row]:
    from stylizer_cli import remote  # brings httpx

    with remote.connected(service) as client:
        known = client.styles()
    return [_Row(s.id, s.title, s.artist or "", s.year or "", s.description or "") for s in known]
