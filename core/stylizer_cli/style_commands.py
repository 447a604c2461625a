"""`stylizer styles`: list and add styles."""

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
from stylizer_cli.screen import print_note, print_output
from stylizer_cli.service import Service, resolve_service

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
    service = resolve_service(api, key)
    rows = _local_rows() if service is None else _service_rows(service)
    console = Console(markup=False, emoji=False)  # titles may contain markup
    if not console.is_terminal:  # one line per style, for other programs
        for row in rows:
            print_output("\t".join(row))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("style", "title", "by"):
        table.add_column(heading, no_wrap=True, style="bold" if heading == "style" else None)
    table.add_column("description")
    for row in rows:
        table.add_row(row.id, row.title, ", ".join(filter(None, (row.artist, row.year))), row.description)
    console.print(table)


@app.command("add", no_args_is_help=True)
def _add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the style.", show_default=False)],
    file: Annotated[str, typer.Argument(metavar="FILE", help="Any picture.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace your style of that name.")] = False,
    api: given.SubcommandApi = None,
    key: given.Key = None,
) -> None:
    """Add a style of your own, on this machine or at a service, and print its id to stdout."""
    assert context.parent is not None  # `styles`, which takes --api and --key before the subcommand too
    parent = context.parent.params
    service = resolve_service(parent["api"] if api is None else api, key or parent["key"])
    if service is None:
        from stylizer import style_folder  # imports torch

        print_output(style_folder.add(name, Path(file), replace=force).id)
        print_note(f"use it with --style {name}")
        return
    if force:
        raise OptionError(
            "force is given, which does not apply to a service: each style added there is new", field="force"
        )
    from stylizer_cli import api_backend  # imports httpx

    style = api_backend.add_style(service, name, file)
    print_output(style)
    print_note(f"use it with --style {style}, at {service.api}")


def _local_rows() -> Iterable[_Row]:
    known = [*styles.catalog().values(), *styles.user_styles().values()]
    return [_Row(style.id, style.title, style.artist, style.year, style.description) for style in known]


def _service_rows(service: Service) -> Iterable[_Row]:
    from stylizer_cli import api_backend  # imports httpx

    with api_backend.connect(service) as client:
        known = client.styles()
    return [_Row(s.id, s.title, s.artist or "", s.year or "", s.description or "") for s in known]
